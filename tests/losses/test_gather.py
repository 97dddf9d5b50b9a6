"""Real processes against one: the mean of their losses and gradients must be that of the whole batch."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.nn.functional import normalize

from clsp.losses import attribute_contrast, info_nce, multi_positive

DIM = 4
STAGES = (1, 2, 3)
SHARES = {1: (6,), 2: (5, 1), 4: (3, 1, 0, 4)}


def leaves() -> dict[str, Tensor]:
    """Weights that make the embeddings, shared by all ranks, and the logarithm of the scale."""
    generator = torch.Generator().manual_seed(7)
    audio, text = (torch.randn(6, DIM, generator=generator).requires_grad_() for _ in range(2))
    return {"audio": audio, "text": text, "scale": torch.tensor(2.0, requires_grad=True)}


def inputs(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Clips, three captions of each, and labels of which some are shared."""
    generator = torch.Generator().manual_seed(8)
    clips, captions = torch.randn(count, 6, generator=generator), torch.randn(3, count, 6, generator=generator)
    return clips, captions, torch.randint(0, 4, (3, count), generator=generator)


def loss_of(
    stage: int, labelled: bool, clips: Tensor, captions: Tensor, labels: Tensor, weights: dict[str, Tensor], group=None
) -> Tensor:
    audio = normalize(clips @ weights["audio"], dim=-1)
    texts = normalize(captions @ weights["text"], dim=-1)
    options = {"group": group, "tile": 2, "labels": labels[: min(stage, 2)].flatten() if labelled else None}
    scale = weights["scale"].exp()
    if stage == 1:
        return info_nce(audio, texts[0], scale, **options)
    loss = multi_positive(audio, texts[:2].flatten(0, 1), scale, 0.3, **options)
    if stage == 3:
        loss = loss + attribute_contrast(audio, texts[0], texts[2], scale, labels[0] > 0, group=group)
    return loss


def rank_main(rank: int, folder: str, shares: tuple[int, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=len(shares))
    clips, captions, labels = inputs(sum(shares))
    own = slice(sum(shares[:rank]), sum(shares[: rank + 1]))
    results = {}
    for stage in STAGES:
        for labelled in (False, True):
            weights = leaves()
            part = clips[own], captions[:, own], labels[:, own]
            loss = loss_of(stage, labelled, *part, weights, dist.group.WORLD)
            loss.backward()
            key = f"{stage}.{labelled}"
            results |= {f"{key}.{name}": weight.grad for name, weight in weights.items()}
            results[f"{key}.loss"] = loss.detach()
    for tensor in results.values():
        dist.all_reduce(tensor)
        tensor.div_(len(shares))
    if rank == 0:
        torch.save(results, f"{folder}/results.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("world", SHARES)
def test_ranks_with_any_number_of_clips_equal_one_process(world: int, tmp_path: Path) -> None:
    shares = SHARES[world]
    mp.spawn(rank_main, (str(tmp_path), shares), nprocs=world)
    results = torch.load(tmp_path / "results.pt", weights_only=True)
    for stage in STAGES:
        for labelled in (False, True):
            weights = leaves()
            loss = loss_of(stage, labelled, *inputs(sum(shares)), weights)
            loss.backward()
            key = f"{stage}.{labelled}"
            torch.testing.assert_close(results[f"{key}.loss"], loss.detach())
            for name, weight in weights.items():
                torch.testing.assert_close(results[f"{key}.{name}"], weight.grad, atol=1e-6, rtol=1e-5)
