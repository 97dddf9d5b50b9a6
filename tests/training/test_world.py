"""Two processes compute what one does."""

import multiprocessing

import pytest
import torch
import torch.distributed as dist

from clsp.training.checkpoints import Checkpoints
from clsp.training.loop import run_steps
from clsp.training.world import World
from tests.training.bench import Bench, stage_settings
from tests.training.test_trainer import RARE, run, weights

STEPS = 5


def _member(rank, size, root, stage, meeting):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    bench = Bench.at(root)
    trainer = bench.trainer(stage, stage_settings(STEPS), World(rank, size, dist.group.WORLD))
    run_steps(trainer, bench.loader(trainer), Checkpoints(bench.store, f"world-{stage}"), RARE)
    torch.save(weights(trainer), root / f"weights-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_losses_and_weights_do_not_depend_on_the_world_size(bench, tmp_path, stage):
    context = multiprocessing.get_context("spawn")
    arguments = [(rank, 2, tmp_path, stage, tmp_path / "meeting") for rank in range(2)]
    members = [context.Process(target=_member, args=each) for each in arguments]
    for member in members:
        member.start()
    alone = run(bench, stage, prefix="alone", steps=STEPS)
    for member in members:
        member.join(120)
        assert member.exitcode == 0
    first, second = (torch.load(tmp_path / f"weights-{rank}.pt", weights_only=True) for rank in range(2))
    assert torch.equal(first, second)
    assert torch.allclose(first, weights(alone), rtol=1e-5, atol=1e-5)
    rows = Checkpoints(bench.store, f"world-{stage}").latest().facts["rows"]
    assert [row["loss"] for row in rows] == pytest.approx([row.loss for row in alone.rows], rel=1e-5)
    assert [row["grad_norm"] for row in rows] == pytest.approx([row.grad_norm for row in alone.rows], rel=1e-4)


def test_a_world_of_one_averages_nothing():
    tensor = torch.ones(3)
    World().average([tensor])
    assert torch.equal(tensor, torch.ones(3))
    assert World().agree_on(7) == 7
