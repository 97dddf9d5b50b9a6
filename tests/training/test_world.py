"""Any number of processes compute what one does, straight through or interrupted at any step."""

import math
import multiprocessing
import os
import random
import signal
from dataclasses import replace

import pytest
import torch
import torch.distributed as dist

from clsp.training.checkpoints import Checkpoints
from clsp.training.loop import run_steps
from clsp.training.stopping import InterruptionError
from clsp.training.world import World
from tests.training.bench import Bench, stage_settings
from tests.training.test_trainer import RARE

STEPS, MICRO_BATCHES = 50, 4
STAGES = ("stage1", "stage2")
NEVER = -1


def train(bench, stage, prefix, world, stop_at=NEVER):
    """Train, or resume, up to the last step; with ``stop_at``, until a SIGTERM before that step.

    Returns the gradients of each step that was taken here by (step, name), and then the weights and curves.
    """
    trainer = bench.trainer(stage, stage_settings(STEPS, MICRO_BATCHES), world)
    found, step_of = {}, []
    trainer.optimiser.register_step_pre_hook(
        lambda *_: found.update({(step_of[-1], n): w.grad.clone() for n, w in trainer.model.named_parameters()
                                 if w.grad is not None})
    )  # fmt: skip

    def task_of(step):
        step_of.append(step)
        if step == stop_at and world.rank == world.size - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return trainer.objective.task(step)

    loader = replace(bench.loader(trainer), task_of=task_of)
    try:
        run_steps(trainer, loader, Checkpoints(bench.store, prefix), RARE)
        assert stop_at == NEVER
    except InterruptionError:
        assert step_of[-1] == stop_at
    found |= {("weight", name): weight.detach() for name, weight in trainer.model.named_parameters()}
    for curve in ("loss", "grad_norm"):
        found["curve", curve] = torch.tensor([getattr(row, curve) for row in trainer.rows], dtype=torch.float64)
    return found


def _member(rank, size, root, stage, prefix, stop_at):
    torch.set_num_threads(1)
    meeting = root / f"{prefix}-{size}-{stop_at}"
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    control, background = (dist.new_group(backend="gloo") for _ in range(2))
    world = World(rank, size, dist.group.WORLD, control=control, background=background)
    found = train(Bench.at(root), stage, prefix, world, stop_at)
    torch.save(found, root / f"found-{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def processes():
    """A context whose processes are forked from one that has imported all they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@pytest.fixture
def train_among(processes, bench, tmp_path):
    """``train`` in ``size`` processes: what each found."""

    def among(size, *how):
        members = [processes.Process(target=_member, args=(rank, size, tmp_path, *how)) for rank in range(size)]
        for member in members:
            member.start()
        for member in members:
            member.join(240)
            assert member.exitcode == 0
        return [torch.load(tmp_path / f"found-{rank}.pt", weights_only=True) for rank in range(size)]

    return among


@pytest.fixture
def cut():
    """A step before which the run is interrupted, another one each time."""
    return random.SystemRandom().randrange(1, STEPS)


def assert_same(found, whole):
    """Every element within 1e-5 of its tensor's largest; every loss and norm within 1e-5 of itself."""
    for key, tensor in found.items():
        expected = whole[key]
        if key[0] == "curve":
            assert tensor.tolist() == pytest.approx(expected[: len(tensor)].tolist(), rel=1e-5), key
        else:
            furthest = float((tensor - expected).abs().max())
            assert furthest <= 1e-5 * float(expected.abs().max()), (key, furthest)


@pytest.mark.parametrize("stage", STAGES)
def test_losses_gradients_and_weights_survive_interruptions_and_other_world_sizes(bench, train_among, stage, cut):
    whole = train(bench, stage, "whole", World())
    assert math.isfinite(whole["curve", "loss"].sum())
    assert len(whole["curve", "loss"]) == STEPS
    print(f"interrupted before step {cut}")
    first = train(bench, stage, "alone", World(), cut)
    second = train(bench, stage, "alone", World())
    for key, tensor in (first | second).items():
        if key[0] != "weight" or key in second:
            assert torch.equal(tensor, whole[key]), (cut, key)
    interrupted = train_among(2, stage, "changed", cut)
    resumed = train_among(4, stage, "changed", NEVER)
    steps = [{key[0] for key in each if isinstance(key[0], int)} for each in (interrupted[0], resumed[0])]
    assert steps == [set(range(cut)), set(range(cut, STEPS))]
    for found in interrupted:
        assert_same({key: tensor for key, tensor in found.items() if key[0] != "weight"}, whole)
    for found in resumed:
        assert_same(found, whole)


def test_a_world_of_one_averages_nothing():
    tensor = torch.ones(3)
    World().average([tensor])
    assert torch.equal(tensor, torch.ones(3))
    assert World().agree_on(7) == 7
