"""What a store lost or garbled is found, and the next run makes it again, and nothing else."""

import pytest
from typer.testing import CliRunner

from clsp.errors import DataError
from clsp.progress import Progress
from clsp.records import Failure
from clsp.storage.manifest import Counts, Shard, manifest_key, save_rows
from clsp.storage.mending import check_manifests, forget_damaged
from clsp.storage.steps import Outcome, make_recipe
from components.runner import execute
from pipelines.cli import app

UNITS = ("a", "b", "c")


@pytest.fixture
def flow(store):
    """Runs two steps, of which the second stands on the first, and tells which units were worked at."""
    worked = []

    def body(store, ledger):
        def work(unit):
            worked.append((ledger.step, unit))
            shard = save_rows(store, "rows", Failure, [Failure(unit, ledger.step, "failed", "reason", "", 1)])
            return {"deep": [{"shard": shard.model_dump()}]}

        done = ledger.complete([(unit, unit) for unit in UNITS], work, Progress(ledger.step, len(UNITS)))
        shards = tuple(Shard(**result["deep"][0]["shard"]) for result in done)
        return Outcome("rows", shards, Counts(unit="rows", rows_in=len(UNITS), accepted=len(UNITS)), {})

    def run(run_id):
        worked.clear()
        first = execute(store.uri, run_id, make_recipe("first", {}), (), body)
        return (first, execute(store.uri, run_id, make_recipe("second", {}), (first,), body)), list(worked)

    return run


def damage(store, key, how):
    data = store.get(key)
    store.delete(key)
    if how == "altered":
        store.put_blob(key, data[:-1] + bytes([data[-1] ^ 1]))


def test_a_sound_run_is_found_sound(store, flow):
    names, worked = flow("r1")
    assert len(worked) == 6
    found = list(check_manifests(store, [names[1]]))  # what it stands on is read too
    assert [(one.step, one.shards, one.damaged) for one in found] == [("second", 3, ()), ("first", 3, ())]


@pytest.mark.parametrize("how", ["gone", "altered"])
@pytest.mark.parametrize("number", [0, 1])
def test_only_the_unit_that_made_it_works_again(store, flow, how, number):
    names, _ = flow("r1")
    whole = store.get(manifest_key(names[number]))
    torn = [unit for unit in store.list("shards/") if unit.encode() in whole][1]
    damage(store, torn, how)
    found = list(check_manifests(store, names))
    assert [one.damaged for one in found if one.damaged] == [(torn,)]
    for one in found:
        if one.damaged:
            forget_damaged(store, one)
    again, worked = flow("r2")
    assert again == names
    assert [step for step, _ in worked] == [("first", "second")[number]]
    assert not any(one.damaged for one in check_manifests(store, names))


@pytest.mark.parametrize("how", ["gone", "altered"])
def test_a_damaged_manifest_is_written_again_from_the_ledger(store, flow, how):
    names, _ = flow("r1")
    damage(store, manifest_key(names[0]), how)
    found = {one.manifest: one for one in check_manifests(store, names)}
    assert found[names[0]].damaged == (manifest_key(names[0]),)
    forget_damaged(store, found[names[0]])
    assert flow("r2") == (names, [])
    assert not any(one.damaged for one in check_manifests(store, names))


def test_the_command_says_what_is_damaged_and_mends_it(store, flow):
    names, _ = flow("r1")
    torn = next(store.list("shards/"))
    damage(store, torn, "gone")
    arguments = ["runs", "check", "r1", "--store", store.uri]
    refused = CliRunner().invoke(app, arguments)
    assert torn in refused.output
    assert isinstance(refused.exception, DataError)
    assert CliRunner().invoke(app, [*arguments, "--mend"], catch_exceptions=False).exit_code == 0
    assert flow("r2")[0] == names
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
