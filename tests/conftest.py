"""Fixtures every test may use: stores in a folder and on a real S3 server, both empty for each test."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis
import orjson
import pytest
from minio import Minio
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from clsp.processes import die_with_parent
from clsp.storage import ObjectStore, open_store
from tests.ports import free_ports

# Threads that wait for each other spin: where test workers share the cores, two are many times as slow as one.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads; processes that tests start inherit it

# One commit, one verdict: examples are the same in each run and may take as long as a busy machine needs.
# ``pytest --hypothesis-profile explore`` draws others.
_PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("explore", _PATIENT)
hypothesis.settings.register_profile("same", _PATIENT, derandomize=True)
hypothesis.settings.load_profile("same")

WEED = shutil.which("weed") or str(Path(sys.executable).parent / "weed")
_START_SECONDS = 60
# Files whose tests share what is dear to start: the whole flow; a cluster's images and operators.
_TOGETHER = (
    ("tests/flow/",),
    tuple(f"tests/cluster/test_{name}.py" for name in ("journey", "compiled_flow", "doctor", "images", "schedules")),
    tuple(f"tests/cluster/test_{name}.py" for name in ("autoscaling", "queues", "serving_under_load")),
)
_START_ATTEMPTS = 3
_CLUSTER = "tests/cluster/"
_GIVEN = ("CLSP_TEST_KUBECONTEXT", "CLSP_TEST_CLUSTER")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a second session on one given cluster (a worker that exits instead would be taken for a crashed one)."""
    given = next((name for name in _GIVEN if os.environ.get(name)), "")
    several = (config.getoption("numprocesses", 0) or 0) > 1
    if given and several and "not cluster" not in config.getoption("markexpr"):
        raise pytest.UsageError(f"{given} names one cluster, on which two sessions would meet: leave -n out")


class _Groups(LoadScopeScheduling):
    """Tests that share what is dear to start stay on one worker: those of a file, and of files that go together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((group[0] for group in _TOGETHER if file.startswith(group)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """How ``-n`` shares the tests out."""
    return _Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker is left alone with one at the end.

    Tests on a cluster lie where ``make test-cluster`` looks for them.
    """
    if astray := [item.nodeid for item in items if item.get_closest_marker("cluster") and _CLUSTER not in item.nodeid]:
        raise pytest.UsageError(f"tests on a cluster belong below {_CLUSTER}: {', '.join(astray)}")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def store(tmp_path) -> ObjectStore:
    """An empty store in a folder."""
    return open_store(str(tmp_path / "store"))


@dataclass(frozen=True)
class S3Server:
    """A running S3 server that checks signatures, and the one key it knows."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
        }


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real SeaweedFS server; it dies with this process, however that ends."""
    server, process = _start_server(tmp_path_factory.mktemp("weed"))
    try:
        _make_bucket(server)
        yield server
    finally:
        process.kill()
        process.wait(timeout=30)


def _start_server(folder: Path) -> tuple[S3Server, subprocess.Popen]:
    """Start the server on free ports; again on others when another process took one of them meanwhile."""
    for attempt in range(_START_ATTEMPTS):
        ports = free_ports(4)
        server = S3Server(f"http://127.0.0.1:{ports[3]}", "clsp-test", "clsp-test-secret", "clsp")
        data = folder / str(attempt)
        data.mkdir()
        (data / "s3.json").write_bytes(_identities(server))
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                _command(data, ports),
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509
            )
        if _is_answering(server.endpoint, process):
            return server, process
        process.kill()
        process.wait(timeout=30)
    raise RuntimeError(f"weed did not start: {(folder / 'log').read_text()[-2000:]}")


def _identities(server: S3Server) -> bytes:
    key = {"accessKey": server.access_key, "secretKey": server.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return orjson.dumps({"identities": [{"name": "test", "credentials": [key], "actions": actions}]})


def _command(folder: Path, ports: list[int]) -> list[str]:
    master, volume, filer, s3 = ports
    return [
        WEED, f"-logdir={folder}", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}",
        "-s3.port.iceberg=0", "-s3.port.lance=0",  # their ports are fixed, and two servers may run at once
        f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=50", "-master.telemetry=false",
    ]  # fmt: skip


def _is_answering(endpoint: str, process: subprocess.Popen) -> bool:
    """Wait until the server answers as S3 and is still ours."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=2)
        except urllib.error.HTTPError:
            return process.poll() is None  # it refuses us by name: it is up
        except OSError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
    return False


def _make_bucket(server: S3Server) -> None:
    client = Minio(
        server.endpoint.removeprefix("http://"), server.access_key, server.secret_key, secure=False, region="us-east-1"
    )
    client.make_bucket(server.bucket)


@pytest.fixture
def s3_environment(s3_server, monkeypatch) -> S3Server:
    """The server, with the AWS_* variables of this test pointing to it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def s3_store(s3_environment) -> ObjectStore:
    """An empty store under a prefix of its own on the server."""
    return open_store(f"s3://{s3_environment.bucket}/{uuid.uuid4().hex}")
