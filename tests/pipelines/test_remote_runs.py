"""Runs on KFP through its client: submitted once, followed to their end, listed, ended, under all its faults."""

import pytest
import yaml

from clsp.config import ClusterSettings
from clsp.errors import ConfigError, KfpError
from clsp.hashing import canonical_json
from clsp.storage import open_store
from pipelines.compile import COMPILED
from pipelines.logs import remote_log
from pipelines.remote.calls import connect
from pipelines.remote.following import follow
from pipelines.remote.package import package_flow
from pipelines.remote.runs import cancel, get_run, list_runs, submit
from tests.pipelines.kfp_api.connecting import DATA, SUCCESS, data_arguments, patient
from tests.pipelines.kfp_api.server import running

RUNS = "/apis/v2beta1/runs"


def submitted(calls, name="run-1"):
    return submit(calls, DATA, name, data_arguments(name))


def test_what_is_uploaded_is_what_is_committed(kfp_api, calls):
    submitted(calls)
    assert DATA.text == (COMPILED / "data.yaml").read_text()
    version = list(kfp_api.state.versions.values())[-1]
    assert version["name"] == DATA.version
    assert set(version["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}


def test_a_release_changes_images_secrets_and_its_label_and_nothing_else():
    images = {"step": "registry.example/step@sha256:" + "0" * 64}
    changed = package_flow("data", ClusterSettings(images=images, store_secret="team-a", release="team-a"))
    assert changed.version != DATA.version
    before, after = ("\n".join(yaml.safe_dump_all(yaml.safe_load_all(p.text)).splitlines()) for p in (DATA, changed))
    lines = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    kinds = {old.strip().split(":")[0] for old, _ in lines}
    assert kinds == {"image", "secretName", "constant", "app.kubernetes.io/instance"}


def test_steps_find_the_store_where_the_release_says_it_is():
    place = {"AWS_ENDPOINT_URL": "http://minio.example:9000"}
    spec, platform = yaml.safe_load_all(package_flow("data", ClusterSettings(environment=place)).text)
    for name, executor in spec["deploymentSpec"]["executors"].items():
        assert {"name": "AWS_ENDPOINT_URL", "value": "http://minio.example:9000"} in executor["container"]["env"]
        secrets = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][name]["secretAsEnv"]
        taken = [pair["envVar"] for secret in secrets for pair in secret["keyToEnv"]]
        assert "AWS_ENDPOINT_URL" not in taken
        assert "AWS_SECRET_ACCESS_KEY" in taken


def test_a_second_run_uploads_nothing(kfp_api, calls):
    first, second = submitted(calls, "run-1"), submitted(calls, "run-2")
    assert first.id != second.id
    assert kfp_api.asked("POST", "/apis/v2beta1/pipelines/upload") == 1
    assert kfp_api.asked("POST", "/apis/v2beta1/pipelines/upload_version") == 1
    assert kfp_api.asked("POST", "/apis/v2beta1/experiments") == 1


def test_following_ends_with_the_run(kfp_api, calls):
    kfp_api.state.default_script = SUCCESS
    events = []
    run = follow(calls, submitted(calls).id, events.append)
    assert run.state == "SUCCEEDED"
    assert [(event["step"], event["state"]) for event in events] == [("ingest", "running"), ("ingest", "succeeded")]
    assert run.url == f"{kfp_api.url}/#/runs/details/{run.id}"


def test_a_failed_run_is_told_in_the_words_of_kfp(kfp_api, calls):
    kfp_api.state.default_script = [
        ("train-stage1", "FAILED", "pod OOMKilled"), ("run", "FAILED", "task failed")
    ]  # fmt: skip
    with pytest.raises(KfpError, match="failed in step train_stage1: pod OOMKilled") as caught:
        follow(calls, submitted(calls).id, lambda _: None)
    assert "clsp runs logs run-1 train_stage1" in caught.value.hint


def test_a_step_that_could_speak_is_quoted(kfp_api, calls, s3_store):
    record = {"step": "verify", "message": "verifier refused the key", "hint": "set CLSP_VERIFIER_API_KEY"}
    s3_store.put_blob("failures/run-1/verify.json", canonical_json({**record, "exit_code": 5, "ended_at": ""}))
    arguments = {**data_arguments("run-1"), "store": s3_store.uri}
    kfp_api.state.default_script = [("verify", "FAILED", "exit status 5"), ("run", "FAILED", "")]
    with pytest.raises(KfpError, match="failed in step verify: verifier refused the key") as caught:
        follow(calls, submit(calls, DATA, "run-1", arguments).id, lambda _: None)
    assert caught.value.hint == "set CLSP_VERIFIER_API_KEY"
    assert open_store(s3_store.uri).exists("failures/run-1/verify.json")


def test_runs_are_listed_over_pages_newest_first_and_found_by_both_names(calls):
    made = [submitted(calls, f"run-{number}") for number in range(5)]
    assert [run.name for run in list_runs(calls)] == [f"run-{number}" for number in (4, 3, 2, 1, 0)]
    assert get_run(calls, "run-3").id == get_run(calls, made[3].id).id == made[3].id
    with pytest.raises(KfpError, match="no run 'nobody'"):
        get_run(calls, "nobody")


def test_a_run_is_ended_once(kfp_api, calls):
    run = submitted(calls)
    kfp_api.state.default_script = []
    assert cancel(calls, "run-1").state == "CANCELED"
    assert cancel(calls, run.id).state == "CANCELED"
    assert kfp_api.asked("POST", f"{RUNS}/{run.id}:terminate") == 1


def test_logs_come_from_the_pods(kfp_api, calls):
    kfp_api.state.default_script = [("ingest", "RUNNING", "")]
    run = submitted(calls)
    pod = get_run(calls, run.id).tasks[0].pod
    kfp_api.state.logs[run.id, pod] = "first line\nsecond line\n"
    assert list(remote_log(calls, "run-1", "ingest"))[1].endswith("second line")
    kfp_api.state.logs.clear()
    with pytest.raises(KfpError, match="gone with its pod"):
        list(remote_log(calls, "run-1", "ingest"))
    with pytest.raises(KfpError, match="has no pod yet"):
        list(remote_log(calls, "run-1", "serve"))


@pytest.mark.parametrize("fault", [503, 500, "cut", "lost", 429])
def test_a_passing_fault_is_waited_out_and_nothing_is_submitted_twice(kfp_api, calls, fault):
    for position in range(12):
        kfp_api.faults.extend([None] * position + [fault])
        submitted(calls, "run-1")
        kfp_api.faults.clear()
    assert len(kfp_api.state.runs) == 1
    assert len(kfp_api.state.experiments) == len(kfp_api.state.pipelines) == 1


def test_an_api_that_stays_down_is_named_with_what_to_do(kfp_api, calls):
    kfp_api.faults.extend([503] * 3)
    with pytest.raises(KfpError, match=r"failed \(503\).*3 tries") as caught:
        list_runs(calls)
    assert "port-forward" in caught.value.hint


def test_an_api_that_is_not_there_is_named_with_what_to_do():
    with running() as api:
        url = api.url
    with pytest.raises(KfpError, match="does not answer") as caught:
        list_runs(connect(patient(url)))
    assert "port-forward" in caught.value.hint


def test_a_slow_api_is_given_up_on(kfp_api):
    kfp_api.faults.extend(["slow"] * 9)
    with pytest.raises(KfpError, match="does not answer"):
        list_runs(connect(patient(kfp_api.url, timeout_seconds=1, attempts=1)))


def test_a_login_page_is_no_answer(kfp_api, calls):
    kfp_api.faults.append("page")
    with pytest.raises(KfpError, match="did not answer as KFP does"):
        list_runs(calls)


def test_credentials_come_from_the_environment_and_a_refusal_says_which(monkeypatch):
    with running(token="secret-token") as api:
        with pytest.raises(KfpError, match="refused the credentials") as caught:
            list_runs(connect(patient(api.url)))
        assert "CLSP_KFP_TOKEN" in caught.value.hint
        monkeypatch.setenv("CLSP_KFP_TOKEN", "secret-token")
        assert list_runs(connect(patient(api.url))) == []


def test_a_service_account_token_is_read_again_when_it_changes(monkeypatch, tmp_path):
    token = tmp_path / "token"
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    token.write_text("one")
    with running(token="one") as api:
        calls = connect(patient(api.url))
        assert list_runs(calls) == []
        token.write_text("two")
        api.token = "two"
        assert list_runs(calls) == []


def test_with_several_users_the_namespace_is_sent():
    with running(multi_user=True) as api:
        with pytest.raises(KfpError, match="namespace"):
            list_runs(connect(patient(api.url)))
        calls = connect(patient(api.url, namespace="team-a"))
        submitted(calls)
        assert [run.name for run in list_runs(calls)] == ["run-1"]


def test_what_the_cluster_cannot_read_is_refused_before_anything_is_submitted():
    from clsp.config import load_config
    from pipelines.runs import remote_arguments

    with pytest.raises(ConfigError, match="--data '/home/me/speech' is a place that the cluster cannot read"):
        remote_arguments("data", "s3://a/b", "r", load_config("demo"), {"source": "/home/me/speech", "metadata": ""})
    with pytest.raises(ConfigError, match="--store 'demo/store'"):
        remote_arguments("data", "demo/store", "r", load_config("demo"), {"source": "s3://a", "metadata": ""})
