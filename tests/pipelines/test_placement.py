"""A KFP for a single user runs steps where a release's service account is not: doctor and `clsp run` say so first."""

import pytest
import yaml
from typer.testing import CliRunner

from clsp.config import ClusterSettings, Config, KfpSettings, parse_settings
from pipelines.cli import app
from pipelines.doctor.access import check_rights
from pipelines.doctor.records import Release, Severity
from pipelines.doctor.services import check_kfp
from pipelines.remote.placement import judge_placement
from tests.chart.rendering import find, render
from tests.pipelines.doctor.cluster_view import Answers
from tests.pipelines.kfp_api.server import running

RUN = ["run", "data", "--data", "s3://speech/raw", "--store", "s3://speech/team-a", "--no-wait"]
STORE = {"bucket": "speech", "secretName": "clsp-store"}
IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
MEND = "helm upgrade --reuse-values --set kfp.singleUser.namespace="


def settings_of_release(**kfp) -> dict:
    """The configuration that the chart gives to runs."""
    release = render({"store": STORE, "kfp": kfp}, namespace="speech")
    return yaml.safe_load(find(release, "ConfigMap", "-platform")["data"]["clsp.yaml"])


def release_of(url: str, **kfp) -> Release:
    config = parse_settings(Config, settings_of_release(endpoint=url, **kfp))
    account = config.kfp.service_account
    return Release(cluster=config.cluster, kfp=config.kfp, steps_account=account)


@pytest.fixture
def submit(tmp_path):
    """`clsp run` as the release is configured; what it says beside its answer."""

    def run(url: str, **kfp) -> str:
        path = tmp_path / "clsp.yaml"
        path.write_text(yaml.safe_dump(settings_of_release(**kfp)))
        result = CliRunner().invoke(app, [*RUN, "--kfp", url, "--config", str(path)])
        assert result.exit_code == 0, result.output
        return result.stderr

    return run


def test_an_account_that_is_not_there_is_said_by_both(kfp_api, submit):
    says = "runs steps in its own namespace, where there is no clsp-steps of speech"
    answers, wrong = check_kfp(release_of(kfp_api.url))
    assert (answers.severity, wrong.severity) == (Severity.OK, Severity.WARNING)
    assert says in wrong.says
    assert wrong.mend.startswith(f"{MEND}NAMESPACE-OF-KFP, and copy the Secret clsp-store there")
    said = submit(kfp_api.url)
    assert says in said
    assert MEND in said


def test_as_it_is_mended_steps_run_as_the_account_of_kfp_with_the_rights_of_steps(kfp_api, submit):
    single = {"singleUser": {"namespace": "kubeflow"}}
    release = release_of(kfp_api.url, **single)
    assert [found.severity for found in check_kfp(release)] == [Severity.OK]
    assert submit(kfp_api.url, **single) == ""
    (run,) = kfp_api.state.runs.values()
    assert run["service_account"] == "pipeline-runner"
    view = Answers(namespace="speech")
    (rights,) = check_rights(view, release)
    assert rights.severity is Severity.OK
    asked = {(body["spec"]["user"], body["spec"]["resourceAttributes"]["namespace"]) for _, body in view.reviews}
    assert asked == {("system:serviceaccount:kubeflow:pipeline-runner", "speech")}


def test_with_several_users_steps_run_with_their_release(submit):
    with running(multi_user=True) as api:
        several = {"tokenAudience": "pipelines.kubeflow.org"}
        (found,) = check_kfp(release_of(api.url, **several))
        assert found.says.endswith("for several users")
        assert submit(api.url, **several) == ""
        (run,) = api.state.runs.values()
    assert run["service_account"] == "clsp-steps"


@pytest.mark.parametrize(
    ("kfp", "namespace", "several", "says"),
    [
        ({"url": IN_CLUSTER, "service_account": "clsp-steps"}, "speech", False, "in its own namespace kubeflow, where"),
        ({"url": IN_CLUSTER, "service_account": "clsp-steps"}, "kubeflow", False, ""),
        ({"url": "http://ml-pipeline.kubeflow:8888/", "service_account": "clsp-steps"}, "kubeflow", False, ""),
        ({"url": "http://localhost:8888", "service_account": "clsp-steps"}, "", False, ""),
        ({"url": "http://localhost:8888"}, "speech", False, ""),
        ({"url": IN_CLUSTER, "steps_namespace": "kubeflow"}, "speech", True, "not in kubeflow"),
    ],
)
def test_only_what_is_wrong_is_told(kfp, namespace, several, says):
    found = judge_placement(KfpSettings(**kfp), ClusterSettings(namespace=namespace), several_users=several)
    assert bool(found) == bool(says)
    assert found is None or says in found[0]
