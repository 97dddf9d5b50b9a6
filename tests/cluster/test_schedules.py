"""Recurring runs of a release: its Jobs declare and remove them, its watch tells Prometheus of one that was missed.

KFP's API is the stand-in of tests/pipelines/kfp_api, on an address of this machine that pods reach.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chart.rendering import CHART, helm
from tests.cluster.harness.access import Access
from tests.cluster.harness.waiting import until
from tests.cluster.own_pods import SECRET, store_of
from tests.cluster.prometheus import NAME, PORT, Prometheus, quickened, start
from tests.cluster.remains import KEPT, what_is_left
from tests.pipelines.kfp_api.server import KfpApi, running
from tests.pipelines.test_schedule_watch import run_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

NEWEST = 'clsp_schedule_newest_run_timestamp_seconds{schedule="nightly"}'
ENTRY = {"name": "nightly", "flow": "data", "cron": "0 0 2 * * *", "data": "s3://speech/raw", "alertHours": 26}
Helm = Callable[..., str]


@pytest.fixture
def kfp(cluster: Access, role_images: Callable[..., None]) -> Iterator[KfpApi]:
    """An empty KFP that pods reach; the image of the pods that ask it."""
    if not cluster.host:
        pytest.skip("the stand-in for KFP listens on this machine, which pods of your cluster do not reach")
    role_images("step")
    with running(host=cluster.host) as api:
        yield api


@pytest.fixture
def release(cluster: Access, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Helm:
    """Runs a verb of helm on the release in the test's namespace; what it says, in its ``fails`` or its success."""
    store_of(cluster, namespace, monkeypatch)

    def run(verb: str, *arguments: str, fails: bool = False, **given: Any) -> str:
        place = ("--kubeconfig", str(cluster.kubeconfig), "-n", namespace)
        done = helm(verb, "clsp", *arguments, *place, **given)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def values(cluster: Access, endpoint: str) -> dict[str, Any]:
    """A release with one recurring run that is missed after a day, and everything that watches it."""
    return {
        "store": {"bucket": cluster.store.bucket, "endpoint": cluster.store.endpoint, "secretName": SECRET},
        "placement": {"steps": "cpu"},
        "kfp": {"endpoint": endpoint},
        "flow": {"settings": {"kfp": {"attempts": 1}}},
        "schedules": {"enabled": True, "entries": [ENTRY], "backoffLimit": 0, "watchSeconds": 2},
        "monitoring": {"monitors": {"enabled": True, "interval": "1s"}, "rules": {"enabled": True}},
        "tests": {"enabled": False},
    }


@pytest.mark.usefixtures("kfp", "prometheus")
def test_a_kfp_that_does_not_answer_is_said_and_nothing_of_the_tries_stays(cluster, namespace, release):
    kubectl = cluster.kubectl.within(namespace)
    said = release("install", str(CHART), values=values(cluster, f"http://{cluster.host}:9"), fails=True)
    assert f"the KFP API at http://{cluster.host}:9 does not answer" in said
    assert kubectl("get", "jobs", "-o", "name").split() == ["job.batch/clsp-schedules"], "it stays to be looked at"
    assert "does not answer" in release("uninstall", fails=True)
    assert not kubectl("get", "jobs", "-o", "name"), "neither the first Job nor the one that was to undo it"
    release("uninstall", "--no-hooks", "--wait")
    until("nothing is left", lambda: what_is_left(kubectl) == KEPT, 60)


@pytest.mark.usefixtures("prometheus")
def test_a_missed_run_is_told_until_it_comes_and_goes_with_the_release(cluster, namespace, release, kfp):
    kubectl = cluster.kubectl.within(namespace)
    release("install", str(CHART), "--wait", values=values(cluster, kfp.url))
    (declared,) = kfp.state.recurring.values()
    assert (declared["display_name"], declared["service_account"]) == ("nightly", "clsp-steps")
    assert f"owner: {namespace}/clsp" in declared["description"]
    assert not kubectl("get", "jobs", "-o", "name"), "a Job that succeeded is removed"

    monitors, rules = kubectl.get("podmonitors")["items"], kubectl.get("prometheusrules")["items"]
    start(cluster.kubectl, namespace, monitors, [quickened(rule) for rule in rules])
    with cluster.reach(namespace, NAME, PORT) as url:
        watched = Prometheus(url)
        made = datetime.fromisoformat(declared["created_at"]).timestamp()
        until("the declared run is told", lambda: watched.value(NEWEST) == made, 60)
        alert = until("its miss is told", lambda: firing(watched), 60)
        assert alert["labels"]["schedule"] == "nightly"
        assert "has had no run for" in alert["annotations"]["summary"]

        now = datetime.now(UTC).replace(microsecond=0)
        run_of(kfp, "nightly", now.isoformat())
        until("the new run is told", lambda: watched.value(NEWEST) == now.timestamp(), 60)
        until("the alert ends", lambda: not firing(watched), 60)

    kubectl("delete", "deployment,service,configmap,serviceaccount,role,rolebinding", NAME)
    release("uninstall", "--wait")
    assert not kfp.state.recurring
    until("nothing is left", lambda: what_is_left(kubectl) == KEPT, 60)


def firing(watched: Prometheus) -> dict[str, Any] | None:
    """The alert of a missed run, if it fires."""
    alerts = [alert for rule in watched.rules() if rule["name"] == "ClspScheduleMissed" for alert in rule["alerts"]]
    return next((alert for alert in alerts if alert["state"] == "firing"), None)
