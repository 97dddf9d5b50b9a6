"""summary.json: the contract of design section 4."""

import orjson

from pipelines.report import summary, write_summary
from tests.pipelines.report_run import RUN


def test_contract_shape(finished_run):
    store, manifests = finished_run
    found = summary(store, RUN, manifests)
    assert set(found) == {"steps", "retrieval", "control", "model"}
    assert [step["name"] for step in found["steps"]] == list(manifests)
    keys = {"name", "rows_in", "accepted", "rejected", "failed", "seconds", "max_rss_bytes", "reused", "manifest"}
    assert all(keys <= set(step) for step in found["steps"])
    for table in (found["retrieval"], found["control"]):
        for kind in ("fine", "global"):
            for direction in ("speech_to_text", "text_to_speech"):
                assert {"r1", "r1_low", "r1_high", "map10", "chance"} <= set(table[kind][direction])
    assert found["model"] == {
        "version": "000001-7c1e",
        "uri": f"{store.uri}/models/clsp/000001-7c1e",
        "sha256": "5e" * 32,
    }


def test_sums_add_up(finished_run):
    store, manifests = finished_run
    for step in summary(store, RUN, manifests)["steps"]:
        assert step["rows_in"] == step["accepted"] + step["rejected"] + step["failed"]
        assert sum(step["reasons"].values()) == step["rejected"] + step["failed"]


def test_unfinished_run_has_a_summary(finished_run):
    store, manifests = finished_run
    found = summary(store, RUN, {"ingest": manifests["ingest"]})
    assert found["retrieval"] == found["control"] == {}
    assert found["model"] == {"version": "", "uri": "", "sha256": ""}


def test_written_file_is_the_same(finished_run, tmp_path):
    store, manifests = finished_run
    path = write_summary(store, RUN, manifests, tmp_path / "summary.json")
    assert orjson.loads(path.read_bytes()) == summary(store, RUN, manifests)
