"""What a step leaves about its run: its own cost when it worked, that of the run that worked when it was reused."""

from clsp.storage import open_store
from clsp.storage.manifest import Counts
from clsp.storage.steps import Outcome, make_recipe
from components.runner import execute, read_reports, read_work


def run(store: str, run_id: str, work):
    return execute(store, run_id, make_recipe("count", {}), (), lambda *_: work())


def test_a_reused_step_tells_what_the_work_cost(tmp_path):
    store = str(tmp_path)
    name = run(store, "first", lambda: Outcome("", (), Counts(unit="rows", rows_in=3, accepted=3), {}))
    assert run(store, "second", lambda: 1 / 0) == name
    opened = open_store(store)
    first, second = (read_reports(opened, run_id)["count"] for run_id in ("first", "second"))
    assert (first.reused, second.reused) == (False, True)
    assert read_work(opened, second) == read_work(opened, first) == first


def test_work_that_nobody_recorded_is_told_by_the_run_itself(tmp_path):
    store = str(tmp_path)
    run(store, "first", lambda: Outcome("", (), Counts(unit="rows", rows_in=3, accepted=3), {}))
    run(store, "second", lambda: 1 / 0)
    opened = open_store(store)
    for key in opened.list("work/"):
        opened.delete(key)
    second = read_reports(opened, "second")["count"]
    assert read_work(opened, second) == second


def test_a_run_without_a_name_takes_that_of_the_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("CLSP_RUN_ID", "3f0c")
    run(str(tmp_path), "", lambda: Outcome("", (), Counts(unit="rows", rows_in=3, accepted=3), {}))
    assert set(read_reports(open_store(str(tmp_path)), "3f0c")) == {"count"}
