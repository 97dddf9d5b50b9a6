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
HUNG = '"event": "worker_hung"'
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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


def test_a_node_is_lost_another_joins_and_is_preempted(cluster, undisturbed):
    """One run for all three: starting a training process costs more than its steps."""
    first, second = cluster.add(), cluster.add()
    cluster.wait_for_step(10)
    cluster.wait_between_checkpoints(second)
    second.lose()
    cluster.wait_for_checkpoint_after(second)
    assert "was lost at step" in first.log
    assert any(step % 10 for step in saved_alone(first))
    third = cluster.join_while_held(first)
    cluster.wait("step of the new node", lambda: third.step() > 0)
    assert third.preempt() == 75
    assert '"world": 2' in third.log
    assert "training was told to stop and saved step" in third.log
    assert_same(cluster.finish(first), undisturbed)


def test_a_hung_process_is_noticed_named_and_replaced_be_it_following_or_leading(hurried, undisturbed):
    agents = hurried.add(), hurried.add()
    hurried.wait_for_step(10)
    for rank in (1, 0):
        (hung,) = [agent for agent in agents if agent.ranks() == [rank]]
        (other,) = [agent for agent in agents if agent is not hung]
        noticed = hung.log.count(HUNG)
        hung.workers()[0].suspend()
        hurried.wait_for_checkpoint_after(hung)
        assert f"process {rank} did not answer for 6 s at step" in other.log
        assert hung.log.count(HUNG) == noticed + 1
    assert_same(hurried.finish(*agents), undisturbed)


def saved_alone(agent):
    return [int(line.split('"step": ')[1].split(",")[0]) for line in agent.log.splitlines() if "saved_alone" in line]
