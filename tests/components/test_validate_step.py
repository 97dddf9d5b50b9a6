"""The validate step over a store: examples and documents when the data is right, a stop when it is not."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import orjson
import pytest

from clsp.errors import ConfigError, QualityError
from clsp.records import Caption, Example, Failure, Segment, Verdict
from clsp.storage import open_store
from clsp.storage.files import fetch_files
from clsp.storage.manifest import Counts, Manifest, load_manifest, read_rows, save_manifest, save_rows
from clsp.storage.steps import make_recipe
from components.validate.main import run
from components.validate.series import Acceptance, accept, baseline_of
from tests.judged_rows import ANY_DRIFT, passing_evidence


def keep(store, step, record, *shards):
    rows = sum(shard.rows for shard in shards if shard.kind == record)
    counts = Counts(unit=record, rows_in=rows, accepted=rows)
    return save_manifest(
        store, Manifest(record=record, recipe=make_recipe(step, {}), parents=(), shards=shards, counts=counts)
    )


def keep_parents(store, evidence):
    verified = (
        save_rows(store, "captions", Caption, list(evidence.accepted)),
        save_rows(store, "verdicts", Verdict, list(evidence.verdicts)),
        save_rows(store, "failures", Failure, list(evidence.failures)),
    )
    return {
        "segments": keep(store, "ingest", "segments", save_rows(store, "segments", Segment, list(evidence.segments))),
        "captions": keep(store, "annotate", "captions", save_rows(store, "captions", Caption, list(evidence.captions))),
        "verified": keep(store, "verify", "captions", *verified),
    }


def run_over(place, evidence, settings=None):
    store = open_store(str(place))
    chosen = orjson.dumps(settings or {}).decode()
    name = run(store=store.uri, run_id="r", settings=chosen, **keep_parents(store, evidence))
    return store, name, load_manifest(store, name)


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    return run_over(tmp_path_factory.mktemp("passed"), passing_evidence())


def without_captions_of(evidence, segment_id):
    """The evidence after the verifier rejected every caption of one segment."""
    rejected = {caption.id for caption in evidence.captions if caption.segment_id == segment_id}
    verdicts = tuple(
        replace(judged, passed=False, item="tags") if judged.caption_id in rejected else judged
        for judged in evidence.verdicts
    )
    accepted = tuple(caption for caption in evidence.accepted if caption.id not in rejected)
    return replace(evidence, accepted=accepted, verdicts=verdicts)


def test_examples_are_written_with_their_sums(passed):
    store, _, manifest = passed
    assert list(read_rows(store, manifest, "examples", Example)) == list(passing_evidence().examples)
    assert (manifest.counts.unit, manifest.counts.rows_in, manifest.counts.accepted) == ("segments", 16, 16)
    assert manifest.counts.rejected == {}


def test_documents_and_results_are_part_of_the_manifest(passed, tmp_path):
    store, _, manifest = passed
    fetch_files(store, manifest.shards, tmp_path)
    assert "rules, 0 broken" in (tmp_path / "docs/index.html").read_text()
    results = orjson.loads((tmp_path / "validation.json").read_bytes())
    assert results["passed"] is True
    assert len(results["rules"]) == manifest.info["rules"]


def test_two_stores_get_the_same_manifest(passed, tmp_path):
    assert run_over(tmp_path, passing_evidence())[1] == passed[1]


def test_a_segment_without_a_passed_caption_is_counted_and_named(tmp_path):
    evidence = without_captions_of(passing_evidence(), "segment-004")
    store, _, manifest = run_over(tmp_path, evidence)
    assert (manifest.counts.accepted, manifest.counts.rejected) == (15, {"captionless": 1})
    failures = list(read_rows(store, manifest, "failures", Failure))
    assert [(row.id, row.step, row.outcome, row.reason) for row in failures] == [
        ("segment-004", "validate", "rejected", "captionless")
    ]


def test_a_failing_rule_stops_the_step_and_leaves_its_documents(tmp_path):
    evidence = passing_evidence()
    spoiled = replace(evidence, verdicts=evidence.verdicts[1:])
    with pytest.raises(QualityError, match=r"captions.judged .*: 1 of 48 rows break it: caption-000-fine-0") as caught:
        run_over(tmp_path, spoiled)
    store = open_store(str(tmp_path))
    index = next(key for key in store.list("docs/validate/") if key.endswith("docs/index.html"))
    assert f"{store.uri}/{index}" in str(caught.value)
    assert b"captions.judged" in store.get(index)
    assert not list(store.list("steps/validate/"))


def test_thresholds_of_the_settings_are_in_force(tmp_path):
    strict = {"thresholds": "examples: {max_seconds: 3.0}", "max_example_rows": 2}
    with pytest.raises(QualityError, match=r"examples.duration .*: 5 of 16 rows break it: segment-011, segment-012\b"):
        run_over(tmp_path, passing_evidence(), strict)


def changed(evidence, change):
    return replace(evidence, segments=tuple(map(change, evidence.segments)))


@pytest.fixture(params=["store", "s3_store"])
def place(request):
    """Where a store is: in a folder, and on a real S3 server."""
    return request.getfixturevalue(request.param).uri


def test_a_data_set_is_held_against_the_one_accepted_last(place):
    few, other = ({"thresholds": ANY_DRIFT}, {"thresholds": ANY_DRIFT, "dataset": "other"})
    like, later = (
        changed(passing_evidence(), lambda one, licence=licence: replace(one, licence=licence)) for licence in "ab"
    )
    unlike = changed(passing_evidence(), lambda one: replace(one, duration_s=one.duration_s + 9))
    store, first, manifest = run_over(place, passing_evidence(), few)
    assert manifest.recipe.settings["baseline"] == ""
    assert manifest.info["drift"] == "Drift is not judged: there is no data set that was accepted before."
    _, second, alike = run_over(place, like, few)
    assert alike.recipe.settings["baseline"] == first
    assert alike.info["drift"] == f"Drift is judged against data set {first[:12]}, of 16 examples."
    assert alike.info["observed"]["examples.drift/duration_s"] < 0.25
    with pytest.raises(QualityError, match=r"examples\.drift/duration_s"):
        run_over(place, unlike, few)
    assert run_over(place, unlike, other)[2].counts.accepted == 16
    # The same work again is held against what it was held against, and found done; what is new, against the last
    # that was accepted, which what was refused is not.
    assert run_over(place, passing_evidence(), few)[1] == first
    assert run_over(place, later, few)[2].recipe.settings["baseline"] == second
    assert len(list(store.list("datasets/default/"))) == 3


def test_a_data_set_outside_every_series_is_held_against_none_and_none_is_held_against_it(tmp_path):
    alone = {"dataset": ""}
    store, _, manifest = run_over(tmp_path, passing_evidence(), alone)
    assert manifest.recipe.settings["baseline"] == ""
    assert not list(store.list("datasets/"))


def test_data_sets_accepted_at_the_same_time_all_have_a_place(place):
    store = open_store(place)
    accepted = [Acceptance(f"work-{number // 2}", f"manifest-{number // 2}", "") for number in range(16)]
    with ThreadPoolExecutor(len(accepted)) as pool:
        [*pool.map(lambda one: accept(store, "default", one), accepted)]
    held = [orjson.loads(store.get(key))["work"] for key in store.list("datasets/default/")]
    assert sorted(held) == sorted({one.work for one in accepted})
    assert baseline_of(store, "default", "new") == f"manifest-{held[-1].removeprefix('work-')}"


def test_a_wrong_threshold_is_refused_before_anything_runs(tmp_path):
    wrong = {"thresholds": "examples: {max_second: 3.0}"}
    with pytest.raises(ConfigError, match=r"examples\.max_second"):
        run_over(tmp_path, passing_evidence(), wrong)
