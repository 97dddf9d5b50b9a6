"""Recurring runs: KFP is brought to what is declared, again does nothing, and another owner's are never touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsp.config import ClusterSettings, parse_settings
from clsp.config.schedules import Schedules
from clsp.errors import ConfigError
from pipelines.remote.package import package_flow
from pipelines.remote.schedules import Action, Found, Wanted, list_schedules, plan, reconcile, set_paused
from tests.pipelines.kfp_api.connecting import DATA, data_arguments

NAMES = st.sampled_from(["nightly", "weekly", "hourly"])


def wanted(name="nightly", cron="0 0 2 * * *", paused=False, **changes) -> Wanted:
    values = {"max_concurrency": 1, "catchup": False, "package": DATA, "arguments": data_arguments("")}
    return Wanted(name=name, cron=cron, paused=paused, **(values | changes))


def verbs(actions: list[Action]) -> list[tuple[str, str]]:
    return [(action.verb, action.name) for action in actions]


def test_from_nothing_to_the_file_and_again_nothing(kfp_api, calls):
    both = [wanted(), wanted("weekly", "0 0 3 * * 0", paused=True)]
    assert verbs(reconcile(calls, "clsp", both)) == [("create", "nightly"), ("create", "weekly")]
    assert reconcile(calls, "clsp", both) == []
    made = {item["display_name"]: item for item in kfp_api.state.recurring.values()}
    assert made["weekly"]["status"] == "DISABLED"
    assert made["nightly"]["trigger"]["cron_schedule"]["cron"] == "0 0 2 * * *"
    assert made["nightly"]["no_catchup"] is True
    assert made["nightly"]["runtime_config"]["parameters"]["run_id"] == ""


def test_pausing_changes_in_place_and_other_changes_replace(kfp_api, calls):
    reconcile(calls, "clsp", [wanted()])
    before = set(kfp_api.state.recurring)
    assert verbs(reconcile(calls, "clsp", [wanted(paused=True)])) == [("pause", "nightly")]
    assert verbs(reconcile(calls, "clsp", [wanted()])) == [("resume", "nightly")]
    assert set(kfp_api.state.recurring) == before
    assert verbs(reconcile(calls, "clsp", [wanted(cron="0 0 4 * * *")])) == [
        ("create", "nightly"),
        ("delete", "nightly"),
    ]
    assert len(kfp_api.state.recurring) == 1
    assert not before & set(kfp_api.state.recurring)


@pytest.mark.parametrize(
    "change",
    [
        {"max_concurrency": 2},
        {"catchup": True},
        {"service_account": "team-a"},
        {"arguments": data_arguments("") | {"source": "s3://speech/new"}},
        {"package": package_flow("data", ClusterSettings(release="other"))},
    ],
)
def test_every_part_of_a_declaration_counts(change):
    assert wanted(**change).made_of != wanted().made_of


def test_what_is_no_longer_declared_is_deleted_but_nobody_elses(kfp_api, calls):
    reconcile(calls, "clsp", [wanted()])
    reconcile(calls, "other", [wanted()])
    kfp_api.state.recurring["by-hand"] = {"recurring_run_id": "by-hand", "display_name": "nightly", "status": "ENABLED"}
    assert verbs(reconcile(calls, "clsp", [])) == [("delete", "nightly")]
    assert [item.owner for item in list_schedules(calls)] == ["other"]
    assert "by-hand" in kfp_api.state.recurring


@pytest.mark.parametrize("fault", ["lost", "cut", 503])
def test_a_fault_at_any_request_leaves_one_of_each(kfp_api, calls, fault):
    for position in range(14):
        cron = f"0 {position} 2 * * *"
        kfp_api.faults.extend([None] * position + [fault])
        reconcile(calls, "clsp", [wanted(cron=cron)])
        kfp_api.faults.clear()
        assert [item.cron for item in list_schedules(calls)] == [cron]


def test_pause_and_resume_by_name_are_idempotent(kfp_api, calls):
    reconcile(calls, "clsp", [wanted()])
    for paused in (True, True, False, False):
        set_paused(calls, "nightly", paused)
        assert list_schedules(calls)[0].paused is paused
    reconcile(calls, "other", [wanted()])
    with pytest.raises(ConfigError, match="belongs to clsp, other"):
        set_paused(calls, "nightly", paused=True)
    set_paused(calls, "nightly", paused=True, owner="other")
    assert {item.owner: item.paused for item in list_schedules(calls)} == {"clsp": False, "other": True}
    with pytest.raises(ConfigError, match="no recurring run 'never'"):
        set_paused(calls, "never", paused=True)


@given(
    st.dictionaries(NAMES, st.tuples(st.sampled_from(["0 0 1 * * *", "0 0 2 * * *"]), st.booleans())),
    st.lists(st.tuples(NAMES, st.sampled_from(["0 0 1 * * *", "0 0 2 * * *"]), st.booleans()), max_size=6),
)
def test_a_plan_leads_to_what_is_wanted_from_anywhere(declared, there):
    goal = [wanted(name, cron, paused) for name, (cron, paused) in declared.items()]
    state = {
        str(i): Found(str(i), name, "clsp", wanted(name, cron).made_of, paused)
        for i, (name, cron, paused) in enumerate(there)
    }
    for action in plan(goal, state.values()):
        if action.verb == "create":
            item = next(item for item in goal if item.name == action.name)
            state[f"new-{action.name}"] = Found(f"new-{action.name}", item.name, "clsp", item.made_of, item.paused)
        elif action.verb == "delete":
            del state[action.id]
        else:
            old = state[action.id]
            state[action.id] = Found(old.id, old.name, old.owner, old.made_of, action.verb == "pause")
    assert sorted((i.name, i.made_of, i.paused) for i in state.values()) == sorted(
        (item.name, item.made_of, item.paused) for item in goal
    )
    assert plan(goal, state.values()) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schedules": [{"name": "a", "flow": "data", "cron": "whenever"}]}, "cron of six fields"),
        ({"schedules": [{"name": "a", "flow": "data", "cron": "0 0 2 * * *"}] * 2}, "declared twice: a"),
        ({"schedules": [{"name": "A!", "flow": "data", "cron": "0 0 2 * * *"}]}, "name"),
        ({"schedules": [{"name": "a", "flow": "data", "cron": "0 0 2 * * *", "maxConcurrency": 0}]}, "maxConcurrency"),
        ({"schedules": [{"name": "a", "flow": "data", "cron": "0 0 2 * * *", "when": "now"}]}, "when"),
    ],
)
def test_wrong_declarations_are_refused_in_words(values, said):
    with pytest.raises(ConfigError, match=said):
        parse_settings(Schedules, values)


def test_five_fields_start_at_second_zero():
    declared = parse_settings(Schedules, {"schedules": [{"name": "a", "flow": "data", "cron": "30 2 * * *"}]})
    assert declared.schedules[0].cron == "0 30 2 * * *"
