"""Nodes are lost, preempted, added and hang; the loss curve is that of an undisturbed run."""

import shutil

import pytest
import torch

from tests.training.agents import nodes, rows
from tests.training.bench import Bench

STEPS = 50
SETTINGS = {
    "preset": "tiny",
    "processes": 1,
    "restarts": 5,
    "timeout_seconds": 20,
    "checkpoint": {"every": 10, "average_every": 5},
    "stage1": {
        "steps": STEPS,
        "batch": {"global_clips": 4, "buckets": 2, "micro_batches": 2},
        "optimiser": {"base_lr": 0.01, "warmup_batches": 5, "lr_batches": 100},
    },
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    Bench.make(root)
    return root


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    """The last checkpoint of one node left alone."""
    root = shutil.copytree(prepared, tmp_path_factory.mktemp("undisturbed") / "root")
    with nodes(root, SETTINGS) as cluster:
        return cluster.finish(cluster.add("1:1"))


@pytest.fixture
def cluster(prepared, tmp_path):
    with nodes(shutil.copytree(prepared, tmp_path / "root"), SETTINGS) as started:
        yield started


@pytest.fixture
def hurried(prepared, tmp_path):
    """Nodes that take a silence of 6 s for a hang."""
    with nodes(shutil.copytree(prepared, tmp_path / "root"), SETTINGS | {"timeout_seconds": 6}) as started:
        yield started


def assert_same(checkpoint, undisturbed):
    assert checkpoint.step == undisturbed.step == STEPS
    for curve in ("loss", "grad_norm"):
        assert rows(checkpoint, curve) == pytest.approx(rows(undisturbed, curve), rel=1e-5), curve
    for name, tensor in undisturbed.tensors.items():
        if name.startswith(("model/", "average/")):
            other = checkpoint.tensors[name]
            assert torch.linalg.vector_norm(other - tensor) <= 1e-5 * torch.linalg.vector_norm(tensor), name


def test_a_lost_node_leaves_the_others_going_on_from_the_step_it_was_lost_at(cluster, undisturbed):
    first, second = cluster.add(), cluster.add()
    cluster.wait_for_step(10)
    cluster.wait_between_checkpoints(second)
    second.lose()
    assert_same(cluster.finish(first), undisturbed)
    assert "was lost at step" in first.log
    assert any(step % 10 for step in saved_alone(first))


def test_a_preempted_node_saves_and_leaves_and_a_new_one_is_taken_in(cluster, undisturbed):
    first, second = cluster.add(), cluster.add()
    cluster.wait_for_step(10)
    assert second.preempt() == 75
    assert "training was told to stop and saved step" in second.log
    cluster.wait_for_step(20)
    third = cluster.join_while_held(first)
    assert_same(cluster.finish(first, third), undisturbed)
    assert '"world": 2' in third.log


@pytest.mark.parametrize("rank", [0, 1], ids=["leading", "following"])
def test_a_hung_process_is_noticed_named_and_replaced(hurried, undisturbed, rank):
    agents = hurried.add(), hurried.add()
    hurried.wait_for_step(10)
    (hung,) = [agent for agent in agents if agent.ranks() == [rank]]
    (other,) = [agent for agent in agents if agent is not hung]
    hung.workers()[0].suspend()
    assert_same(hurried.finish(*agents), undisturbed)
    assert f"process {rank} did not answer for 6 s at step" in other.log
    assert '"event": "worker_hung"' in hung.log


def saved_alone(agent):
    return [int(line.split('"step": ')[1].split(",")[0]) for line in agent.log.splitlines() if "saved_alone" in line]
