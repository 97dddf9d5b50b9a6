"""Why a step ran: the differing setting, code, prompt or parent is named, against the run before; reuse names a run."""

import pytest

from clsp.errors import ConfigError
from clsp.storage import ObjectStore
from clsp.storage.manifest import Counts, Recipe
from clsp.storage.steps import Outcome
from components.runner import execute
from pipelines.explain import Difference, explain_run, in_words

NOTHING = Outcome("", (), Counts(unit="rows", rows_in=0, accepted=0), {})


def step(store: ObjectStore, run: str, name: str, parents=(), **recipe) -> str:
    values = {"settings": {}, "code": "0.1.0"} | recipe
    return execute(store.uri, run, Recipe(step=name, **values), parents, lambda *_: NOTHING)


@pytest.fixture
def history(store):
    """Three runs: the second changes a setting of ingest, the third goes back and changes annotate's code."""
    for run, seconds, code in (("a", 1, "0.1.0"), ("b", 2, "0.1.0"), ("c", 1, "0.2.0")):
        parent = step(store, run, "ingest", settings={"cutting": {"min_seconds": seconds}, "seed": 0})
        step(store, run, "annotate", (parent,), code=code, prompt_hash="0" * 64)
    return store


def test_the_first_run_has_nothing_to_differ_from(history):
    assert [item.reason for item in explain_run(history, "a")] == ["no earlier run of this step in this store"] * 2


def test_a_changed_setting_and_then_a_changed_parent_are_named(history):
    ingest, annotate = explain_run(history, "b")
    assert (ingest.compared_with, ingest.differences) == ("a", (Difference("settings.cutting.min_seconds", 1, 2),))
    assert [item.what for item in annotate.differences] == ["parent ingest"]
    assert in_words(ingest)[1].strip() == "settings.cutting.min_seconds: 1 → 2"


def test_reuse_names_the_run_that_did_the_work_and_code_counts(history):
    ingest, annotate = explain_run(history, "c")
    assert (ingest.reused, ingest.compared_with) == (True, "a")
    assert annotate.compared_with == "b"
    assert {item.what for item in annotate.differences} == {"code", "parent ingest"}


def test_one_step_can_be_asked_for(history):
    assert [item.step for item in explain_run(history, "b", "annotate")] == ["annotate"]


@pytest.mark.parametrize(("run", "name"), [("nobody", ""), ("a", "serve")])
def test_what_left_no_report_is_refused(history, run, name):
    with pytest.raises(ConfigError, match="left no report"):
        explain_run(history, run, name)


def test_work_done_again_without_a_difference_says_its_output_was_gone(store):
    step(store, "a", "ingest")
    for key in [*store.list("steps/")]:
        store.delete(key)
    step(store, "b", "ingest")
    assert "no longer in the store" in explain_run(store, "b")[0].reason
