"""annotate as an Indexed Job over the describer: a pod is deleted in the middle and a node drained, and nothing is lost
or done twice.
"""

import threading

import orjson
import pytest

from clsp.records import Caption
from clsp.storage import open_store
from clsp.storage.manifest import load_manifest, read_rows
from components.annotate.main import run
from tests.captioning import QUICK, save_voices
from tests.cluster.harness.waiting import until
from tests.cluster.nodes import drain, uncordoned
from tests.cluster.own_pods import SIZE, cluster_settings, store_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]
ENGINE = ["python3", "-m", "components.describer", "--host", "0.0.0.0", "--port", "8000", "--fault", "delay=0.5"]
VOICES = 24


def settings(**endpoint):
    return orjson.dumps({"views": 1, "segments_per_unit": 1, "captioner": {**QUICK, **endpoint}}).decode()


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_a_deleted_pod_and_a_drained_node_cost_only_what_was_in_flight(
    cluster, namespace, second_node, monkeypatch, tmp_path, capfd
):
    store, alone = store_of(cluster, namespace, monkeypatch), open_store(str(tmp_path / "alone"))
    segments, away = save_voices(store, VOICES), f"node-{second_node.number}"
    work = {"workers": 2, "engine": SIZE, "engine_command": ENGINE, "engine_start_seconds": 300}
    where = orjson.dumps(cluster_settings(cluster, namespace, annotate=work)).decode()
    kubectl, over, disturbed = cluster.kubectl.within(namespace), threading.Event(), []

    def done():
        return len(list(store.list("ledger/")))

    def wait_done(units):
        while done() < units and not over.wait(0.2):
            pass

    def disturb():
        """Once some work is committed a pod of the Job goes; some more, and so does a node with what is on it."""
        wait_done(1)
        name = kubectl("get", "pods", "-o", "name").split()[0]
        kubectl("delete", name, "--wait=false")
        wait_done(done() + 3)
        disturbed.append(done())
        disturbed.append(drain(cluster.kubectl, away))

    thread = threading.Thread(target=disturb)
    with uncordoned(cluster.kubectl, away):
        thread.start()
        try:
            name = run(store=store.uri, run_id="r", settings=settings(concurrency=1), segments=segments, cluster=where)
        finally:
            over.set()
            thread.join()
    in_the_middle, evicted = disturbed
    assert in_the_middle < VOICES
    assert evicted > 0
    manifest = load_manifest(store, name)
    rows = [(row.segment_id, row.kind, row.view) for row in read_rows(store, manifest, "captions", Caption)]
    assert len(rows) == len(set(rows)) == manifest.counts.rows_in
    assert len({segment for segment, _, _ in rows}) == VOICES
    assert save_voices(alone, VOICES) == segments
    assert run(store=alone.uri, run_id="r", settings=settings(), segments=segments) == name
    assert f'"done":{VOICES},"total":{VOICES}' in capfd.readouterr().err
    until("the Job is removed", lambda: not kubectl("get", "jobs", "-o", "name").strip(), 120)
