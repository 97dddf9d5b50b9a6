"""Run names sort by time; a flow gets exactly the settings and values it has parameters for."""

import json

from hypothesis import given
from hypothesis import strategies as st

from clsp.config import load_config
from pipelines.arguments import flow_arguments, new_run_id, settings_parameters
from pipelines.flows import FLOWS


def test_run_names_are_unique_and_sort_by_time():
    names = [new_run_id() for _ in range(50)]
    assert len(set(names)) == 50
    assert [name.split("-")[0] for name in names] == sorted(name.split("-")[0] for name in names)


def test_every_settings_parameter_of_every_flow_is_a_section():
    sections = set(settings_parameters(load_config("demo")))
    for flow in FLOWS.values():
        wanted = {name for name in flow.component_spec.inputs if name.endswith("_settings")}
        assert wanted <= sections


def test_settings_travel_as_json():
    values = json.loads(settings_parameters(load_config("demo"))["annotate_settings"])
    assert values["views"] == load_config("demo").annotate.views


@given(st.sets(st.sampled_from(["store", "run_id", "source", "ingest_settings", "train_settings", "unknown"])))
def test_a_flow_gets_only_what_it_takes(accepted):
    arguments = flow_arguments(accepted, load_config("demo"), store="s", run_id="r", source="d")
    assert set(arguments) == accepted - {"unknown"}
