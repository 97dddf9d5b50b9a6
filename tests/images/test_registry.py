"""`--push` against a real registry over TLS: what is built is what a node would pull."""

import json
import shutil
import ssl
import subprocess
import urllib.request
from ipaddress import IPv4Address

import pytest

from clsp.errors import ConfigError
from pipelines.images.tools import Build, choose_tool
from tests.cluster.harness.certificates import Authority
from tests.cluster.harness.waiting import until
from tests.ports import free_ports

pytestmark = pytest.mark.skipif(
    not (shutil.which("docker-registry") and shutil.which("buildah")), reason="needs docker-registry and buildah"
)
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Debian's registry on a free port, with a certificate of an authority that this process and its children trust."""
    authority = Authority(tmp_path / "certificates", "registry-ca")
    pair = authority.issue("registry", hosts=[IPv4Address("127.0.0.1")])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pair.certificate))
    (port,) = free_ports(1)
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}", "tls": {"certificate": str(pair.certificate), "key": str(pair.key)}},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(settings))
    process = subprocess.Popen(["docker-registry", "serve", str(tmp_path / "registry.yml")])
    try:
        until("the registry answers", lambda: answers(port), 30)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(timeout=30)


def answers(port: int) -> bool:
    try:
        return get(f"https://127.0.0.1:{port}/v2/").status == 200
    except OSError:
        return False


def get(url: str):
    request = urllib.request.Request(url, headers={"Accept": MANIFESTS})
    return urllib.request.urlopen(request, timeout=10, context=ssl.create_default_context())


def test_a_pushed_image_can_be_pulled_by_its_name(registry, tmp_path):
    tool = choose_tool("buildah", tmp_path / "store")
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "word").write_text("spoken")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch AS step\nCOPY word /word\n")
    image = f"{registry}/speech/clsp-step:0.1"
    built = tool.build(Build(dockerfile, tmp_path / "context", "step", image))
    tool.push(image)
    manifest = json.load(get(f"https://{registry}/v2/speech/clsp-step/manifests/0.1"))
    assert manifest["config"]["digest"] == f"sha256:{built}"
    puller = choose_tool("buildah", tmp_path / "node")
    assert puller.find(image) is None
    kept = ["--root", f"{puller.store}/storage", "--runroot", f"{puller.store}/run"]
    subprocess.run(["buildah", *kept, "pull", "--quiet", image], check=True, capture_output=True)
    assert puller.find(image) == built


def test_a_registry_that_refuses_is_said_in_the_tools_words(registry, tmp_path):
    tool = choose_tool("buildah", tmp_path / "store")
    with pytest.raises(ConfigError, match="buildah push failed"):
        tool.push(f"{registry}/speech/never-built:0.1")
