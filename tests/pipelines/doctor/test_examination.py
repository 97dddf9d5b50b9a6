"""The whole of doctor: the store is a real one, what hangs or breaks becomes a finding, and the exit code tells."""

import threading

import orjson
import pytest
from typer.testing import CliRunner

from clsp.config import ClusterSettings, KfpSettings
from clsp.errors import ClusterError, StorageError
from pipelines.cli import app
from pipelines.doctor.environment import check_environment
from pipelines.doctor.examination import examine, exit_code, run_all
from pipelines.doctor.records import Release, Severity, fails, skipped, warns, works
from pipelines.doctor.services import check_grafana, check_kfp, check_prometheus
from pipelines.doctor.storage import check_storage
from tests.ports import free_ports


@pytest.fixture
def s3(s3_server, monkeypatch):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


class TestStorage:
    """Against a real S3 server."""

    def test_a_round_trip_leaves_nothing(self, s3):
        (found,) = check_storage(Release(store=f"s3://{s3.bucket}/doctor-here"))
        assert found.severity is Severity.OK
        from clsp.storage import open_store

        assert list(open_store(f"s3://{s3.bucket}/doctor-here").list("")) == []

    def test_wrong_credentials(self, s3, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        (found,) = check_storage(Release(store=f"s3://{s3.bucket}/x"))
        assert found.severity is Severity.ERROR
        assert "credential" in found.mend.lower() or "AWS_" in found.mend

    def test_no_credentials(self, s3, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        (found,) = check_storage(Release(store=f"s3://{s3.bucket}/x"))
        assert "AWS_ACCESS_KEY_ID" in found.mend

    def test_an_unreachable_endpoint_is_named(self, s3, monkeypatch, free_port):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port}")
        (found,) = check_storage(Release(store=f"s3://{s3.bucket}/x"))
        assert found.severity is Severity.ERROR
        assert f"endpoint http://127.0.0.1:{free_port}" in found.says
        assert found.mend

    def test_a_store_that_overwrites(self, monkeypatch, tmp_path):
        monkeypatch.setattr("clsp.storage.local.LocalStore.put_if_absent", lambda *_: True)
        (found,) = check_storage(Release(store=str(tmp_path)))
        assert "If-None-Match" in found.mend

    def test_no_store(self):
        assert check_storage(Release())[0].severity is Severity.SKIPPED


@pytest.fixture
def free_port():
    return free_ports(1)[0]


class TestServices:
    """Where a release says its services are."""

    def test_nobody_answers(self, free_port):
        url = f"http://127.0.0.1:{free_port}"
        release = Release(kfp=KfpSettings(url=url), prometheus=url, grafana=url)
        for check in (check_kfp, check_prometheus, check_grafana):
            (found,) = check(release)
            assert found.severity is Severity.ERROR, found
            assert found.mend

    def test_nothing_is_named(self):
        for check in (check_kfp, check_prometheus, check_grafana):
            assert check(Release())[0].severity is Severity.SKIPPED


def test_this_python_has_what_the_tests_need():
    found = {finding.part: finding for finding in check_environment()}
    assert found["torch"].severity is Severity.OK
    assert "opus" in found["audio"].says


def test_what_hangs_or_breaks_is_a_finding():
    forever = threading.Event()

    def breaks():
        raise RuntimeError("boom")

    def refuses():
        raise StorageError("refused", hint="ask nicely")

    checks = {"hangs": lambda: [works("hangs", str(forever.wait()))], "breaks": breaks, "refuses": refuses}
    found = {finding.part: finding for finding in run_all(checks, 0.3)}
    forever.set()
    assert found["hangs"].says == "no answer within 0.3 s"
    assert found["breaks"].says == "the check broke: RuntimeError: boom"
    assert (found["refuses"].says, found["refuses"].mend) == ("refused", "ask nicely")


@pytest.mark.parametrize(("enabled", "severity"), [(True, Severity.ERROR), (False, Severity.SKIPPED)])
def test_no_cluster_matters_where_one_is_used(enabled, severity):
    def connect():
        raise ClusterError("there is no cluster", hint="set KUBECONFIG")

    found = examine(Release(cluster=ClusterSettings(enabled=enabled)), connect, 20)
    (cluster,) = [finding for finding in found if finding.part == "cluster"]
    assert (cluster.severity, cluster.mend) == (severity, "set KUBECONFIG")


def test_the_exit_code_is_that_of_the_worst():
    fine, unseen, risky, broken = works("a", ""), skipped("a", ""), warns("a", "", "x"), fails("a", "", "x")
    assert exit_code([fine, unseen], strict=True) == 0
    assert exit_code([fine, risky], strict=False) == 0
    assert exit_code([fine, risky], strict=True) == 1
    assert exit_code([risky, broken], strict=True) == 2


class TestCommand:
    """What a user types."""

    @pytest.fixture(autouse=True)
    def _alone(self, monkeypatch, tmp_path):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
        for name in ("CLSP_CONFIG", "CLSP_PLATFORM", "CLSP_STORE"):
            monkeypatch.delenv(name, raising=False)

    def test_a_table_and_zero(self, tmp_path):
        answer = CliRunner().invoke(app, ["doctor", "--store", str(tmp_path / "store")])
        assert answer.exit_code == 0
        assert any(line.startswith("ok") and "storage" in line for line in answer.stdout.splitlines())

    def test_json_for_programs(self, tmp_path):
        answer = CliRunner().invoke(app, ["doctor", "--store", str(tmp_path / "store"), "--json"])
        findings = {finding["part"]: finding for finding in orjson.loads(answer.stdout)}
        assert findings["storage"]["severity"] == "ok"
        assert findings["cluster"]["severity"] == "skipped"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("cluster: {train: {pool: h100}}", "train.pool 'h100' is unknown; cluster.pools has a100, cpu"),
            ("cluster: {train: {min_nodes: 3}}", "min_nodes 3 is more than max_nodes 1"),
            ("cluster: {trian: {}}", "trian"),
        ],
    )
    def test_a_wrong_configuration_is_an_error_with_its_reason(self, tmp_path, text, says):
        (tmp_path / "clsp.yaml").write_text(text)
        answer = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "clsp.yaml")])
        assert answer.exit_code == 2
        assert says in answer.stdout

    def test_platform_settings_that_cannot_be_read(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CLSP_PLATFORM", str(tmp_path / "gone.yaml"))
        answer = CliRunner().invoke(app, ["doctor"])
        assert answer.exit_code == 2
        assert "unset the variable" in answer.stdout

    def test_a_release_tells_what_it_uses(self, tmp_path, monkeypatch):
        from clsp.config import load_config
        from pipelines.doctor.platform import read_release

        (tmp_path / "platform.yaml").write_text(
            "release: a\nstore: {uri: 's3://b/p'}\nserviceAccounts: {steps: a-steps}\n"
            "uses: {kserve: true, canary: true, kueue: false, keda: false, prometheusOperator: true, grafana: false}\n"
        )
        monkeypatch.setenv("CLSP_PLATFORM", str(tmp_path / "platform.yaml"))
        release = read_release(load_config("published"), "")
        assert (release.store, release.steps_account) == ("s3://b/p", "a-steps")
        assert release.uses.canary
        assert release.uses.prometheus_operator
