"""A step runs once for each recipe and parents; otherwise it says that it was done."""

import pytest

from clsp.records import Failure
from clsp.storage.manifest import Counts, save_rows
from clsp.storage.steps import Outcome, find_output, make_recipe, run_step, step_key

ROW = Failure("1", "step", "failed", "reason", "", 1)


def test_the_second_run_does_nothing(store):
    runs = []

    def body(_ledger):
        runs.append(1)
        shard = save_rows(store, "rows", Failure, [ROW])
        return Outcome("rows", (shard,), Counts(unit="rows", rows_in=1, accepted=1), {"note": "x"})

    recipe = make_recipe("step", {"a": 1})
    assert find_output(store, recipe, ()) is None
    first, second = run_step(store, recipe, (), body), run_step(store, recipe, (), body)
    assert (first.reused, second.reused, len(runs)) == (False, True, 1)
    assert (first.name, first.manifest) == (second.name, second.manifest)
    other = run_step(store, make_recipe("step", {"a": 2}), (), body)
    assert not other.reused
    assert len(runs) == 2


def test_a_body_that_fails_commits_nothing(store):
    def body(ledger):
        ledger.record("u", {})
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        run_step(store, make_recipe("step", {}), (), body)
    assert not list(store.list("steps/"))
    assert not list(store.list("manifests/"))


def test_the_key_is_made_of_recipe_and_parents():
    recipe = make_recipe("step", {"a": 1, "b": 2})
    assert step_key(recipe, ("p",)) == step_key(make_recipe("step", {"b": 2, "a": 1}), ("p",))
    others = [
        step_key(recipe, ()),
        step_key(recipe, ("q",)),
        step_key(make_recipe("other", {"a": 1, "b": 2}), ("p",)),
        step_key(make_recipe("step", {"a": 1, "b": 2}, prompt_hash="h"), ("p",)),
    ]
    assert len({step_key(recipe, ("p",)), *others}) == 5
