"""The ten hand-overs of the whole flow: sums that add up, and work done once."""

import json
from itertools import pairwise

import numpy as np
import pytest

from clsp.storage.manifest import load_manifest
from pipelines.steps import STEPS
from tests.flow.small_flow import start_small_flow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_every_step_leaves_a_manifest_whose_sums_add_up(undisturbed):
    assert tuple(undisturbed.reports) == STEPS
    for report in undisturbed.reports.values():
        manifest = load_manifest(undisturbed.store, report.manifest)
        assert manifest.counts.rows_in == report.rows_in > 0
        assert report.rows_in == report.accepted + sum(report.rejected.values()) + sum(report.failed.values())


def test_every_manifest_names_its_parents(undisturbed):
    made = undisturbed.manifests
    for name, step in pairwise(STEPS):
        assert set(load_manifest(undisturbed.store, made[step]).parents) & set(made.values()), (name, step)


def test_a_second_run_recomputes_nothing_and_a_program_can_read_so(undisturbed, s3_environment):
    process = start_small_flow(undisturbed.source, undisturbed.store.uri)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    again = json.loads(out)["steps"]
    assert {step["name"]: step["manifest"] for step in again} == undisturbed.manifests
    assert [step["reused"] for step in again] == [True] * 10


def test_the_served_vectors_have_unit_length(undisturbed):
    info = load_manifest(undisturbed.store, undisturbed.manifests["serve"]).info
    assert np.isfinite([value for value in info.values() if isinstance(value, float)]).all()
