"""Cross-entropy over rows of a similarity matrix that is never held whole.

A batch of 65,536 clips has 4·10⁹ cosines, 16 GiB in float32, and as much again for their gradient. Here tiles of
the matrix are made, summed online and dropped; the backward pass makes them again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TILE = 4096


@dataclass(frozen=True)
class Duplicates:
    """Which pairs of different clips share a caption, and so are no negatives of each other.

    ``query_labels`` (n, p) and ``key_labels`` (m, q) identify the captions that belong to each row; ``query_clips``
    (n,) and ``key_clips`` (m,) are the clips they belong to, so that a row's own clip is never left out.
    """

    query_labels: Tensor
    key_labels: Tensor
    query_clips: Tensor
    key_clips: Tensor

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """(rows, columns) bool: pairs to leave out of the sums."""
        queries, keys = self.query_labels[rows], self.key_labels[columns]
        same = (queries[:, None, :, None] == keys[None, :, None, :]).flatten(2).any(dim=-1)
        return same & (self.query_clips[rows][:, None] != self.key_clips[columns])


@dataclass(frozen=True)
class Targets:
    """Which keys a query should find: ``columns`` (n, p), each with its one of the p ``weights``, which sum to 1."""

    columns: Tensor
    weights: tuple[float, ...]

    def subtract(self, shares: Tensor, rows: slice, columns: slice) -> None:
        """Take the targets' weights from a tile of softmax shares, before any product could lose their difference."""
        places = self.columns[rows] - columns.start
        inside = (places >= 0) & (places < shares.shape[1])
        amounts = -torch.tensor(self.weights, dtype=shares.dtype, device=shares.device) * inside
        shares.scatter_add_(1, places.clamp(0, shares.shape[1] - 1), amounts)


def cross_entropy(
    queries: Tensor,
    keys: Tensor,
    scale: Tensor,
    targets: Targets,
    *,
    duplicates: Duplicates | None = None,
    tile: int = TILE,
) -> Tensor:
    """(n, D) queries and (m, D) keys to (n,): ln Σ_j exp(scale · q·k_j) − scale · q·target.

    Holds at most tile × tile of the n × m scaled products at a time.
    """
    losses: Tensor = _CrossEntropy.apply(queries, keys, scale, targets, duplicates, tile)  # type: ignore[no-untyped-call]
    return losses


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        keys: Tensor,
        scale: Tensor,
        targets: Targets,
        duplicates: Duplicates | None,
        tile: int,
    ) -> Tensor:
        sums = queries.new_full((len(queries),), -torch.inf)
        for rows in _slices(len(queries), tile):
            for columns in _slices(len(keys), tile):
                logits = _tile(queries, keys, scale, duplicates, rows, columns)
                sums[rows] = torch.logaddexp(sums[rows], logits.logsumexp(dim=1))
        ctx.save_for_backward(queries, keys, scale, sums)
        ctx.targets, ctx.duplicates, ctx.tile = targets, duplicates, tile
        wanted = sum(
            weight * (queries * keys[column]).sum(dim=-1)
            for weight, column in zip(targets.weights, targets.columns.unbind(dim=1), strict=True)
        )
        return sums - scale * wanted

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, scale, sums = ctx.saved_tensors
        to_queries, to_keys = torch.zeros_like(queries), torch.zeros_like(keys)
        for rows in _slices(len(queries), ctx.tile):
            for columns in _slices(len(keys), ctx.tile):
                shares = _tile(queries, keys, scale, ctx.duplicates, rows, columns).sub_(sums[rows, None]).exp_()
                ctx.targets.subtract(shares, rows, columns)
                shares.mul_(gradients[0][rows, None])
                to_queries[rows].addmm_(shares, keys[columns])
                to_keys[columns].addmm_(shares.T, queries[rows])
        to_scale = (to_queries * queries).sum()
        return to_queries.mul_(scale), to_keys.mul_(scale), to_scale, None, None, None


def _tile(
    queries: Tensor, keys: Tensor, scale: Tensor, duplicates: Duplicates | None, rows: slice, columns: slice
) -> Tensor:
    logits = (queries[rows] @ keys[columns].T).mul_(scale)
    if duplicates is not None:
        logits.masked_fill_(duplicates.tile(rows, columns), -torch.inf)
    return logits


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
