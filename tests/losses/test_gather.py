"""Two real processes against one: the mean of their losses and gradients must be that of the whole batch."""

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.nn.functional import normalize

from clsp.losses import info_nce, multi_positive

WORLD, BATCH, DIM = 2, 3, 4
STAGES = (1, 2)


def leaves() -> dict[str, Tensor]:
    """Weights that make the embeddings, shared by all ranks, and the logarithm of the scale."""
    generator = torch.Generator().manual_seed(7)
    audio, text = (torch.randn(6, DIM, generator=generator).requires_grad_() for _ in range(2))
    return {"audio": audio, "text": text, "scale": torch.tensor(2.0, requires_grad=True)}


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(8)
    return torch.randn(WORLD * BATCH, 6, generator=generator), torch.randn(2, WORLD * BATCH, 6, generator=generator)


def loss_of(stage: int, clips: Tensor, captions: Tensor, weights: dict[str, Tensor], group=None) -> Tensor:
    audio = normalize(clips @ weights["audio"], dim=-1)
    text = normalize(captions[:stage].flatten(0, 1) @ weights["text"], dim=-1)
    scale = weights["scale"].exp()
    if stage == 1:
        return info_nce(audio, text, scale, group=group)
    return multi_positive(audio, text, scale, 0.3, group=group)


def rank_main(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD)
    clips, captions = inputs()
    own = slice(rank * BATCH, (rank + 1) * BATCH)
    results = {}
    for stage in STAGES:
        weights = leaves()
        loss = loss_of(stage, clips[own], captions[:, own], weights, dist.group.WORLD)
        loss.backward()
        results |= {f"{stage}.{name}": weight.grad for name, weight in weights.items()}
        results[f"{stage}.loss"] = loss.detach()
    for tensor in results.values():
        dist.all_reduce(tensor)
        tensor.div_(WORLD)
    if rank == 0:
        torch.save(results, f"{folder}/results.pt")
    dist.destroy_process_group()


def test_two_ranks_equal_one_process(tmp_path: Path) -> None:
    mp.spawn(rank_main, (str(tmp_path),), nprocs=WORLD)
    results = torch.load(tmp_path / "results.pt", weights_only=True)
    clips, captions = inputs()
    for stage in STAGES:
        weights = leaves()
        loss = loss_of(stage, clips, captions, weights)
        loss.backward()
        torch.testing.assert_close(results[f"{stage}.loss"], loss.detach())
        for name, weight in weights.items():
            torch.testing.assert_close(results[f"{stage}.{name}"], weight.grad, atol=1e-6, rtol=1e-5)
