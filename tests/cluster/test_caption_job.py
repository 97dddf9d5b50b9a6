"""annotate as an Indexed Job over the describer: a pod is deleted in the middle, and nothing is lost or done twice."""

import threading

import orjson
import pytest

from clsp.storage import open_store
from components.annotate.main import run
from tests.captioning import QUICK, save_voices
from tests.cluster.harness.waiting import until
from tests.cluster.own_pods import SIZE, cluster_settings, store_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]
ENGINE = ["python3", "-m", "components.describer", "--host", "0.0.0.0", "--port", "8000", "--fault", "delay=0.5"]
VOICES = 16


def settings(**endpoint):
    return orjson.dumps({"views": 1, "segments_per_unit": 1, "captioner": {**QUICK, **endpoint}}).decode()


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_a_deleted_pod_costs_only_what_was_in_flight(cluster, namespace, monkeypatch, tmp_path, capfd):
    store, alone = store_of(cluster, namespace, monkeypatch), open_store(str(tmp_path / "alone"))
    segments = save_voices(store, VOICES)
    work = {"workers": 2, "engine": SIZE, "engine_command": ENGINE, "engine_start_seconds": 300}
    where = orjson.dumps(cluster_settings(cluster, namespace, annotate=work)).decode()
    kubectl, deleted = cluster.kubectl.within(namespace), []

    def disturb():
        """Once some work is committed, a pod of the Job goes."""
        while not list(store.list("ledger/")) and not over.wait(0.5):
            pass
        for name in kubectl("get", "pods", "-o", "name").split()[:1]:
            deleted.append(name)
            kubectl("delete", name, "--wait=false")

    over = threading.Event()
    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        name = run(store=store.uri, run_id="r", settings=settings(concurrency=1), segments=segments, cluster=where)
    finally:
        over.set()
        thread.join()
    assert deleted
    assert save_voices(alone, VOICES) == segments
    assert run(store=alone.uri, run_id="r", settings=settings(), segments=segments) == name
    assert f'"done":{VOICES},"total":{VOICES}' in capfd.readouterr().err
    until("the Job is removed", lambda: not kubectl("get", "jobs", "-o", "name").strip(), 120)
