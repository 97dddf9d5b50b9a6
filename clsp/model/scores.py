"""Attention scores with their positional part, of which only a few clips' offsets exist at a time.

Scores by offset are twice as large as the scores that are taken from them. Added clip by clip they stay in a CPU's
cache, and the way back holds no third tensor of that size.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from clsp.model.recomputed import KEPT_BYTES

SLICE_BYTES = 2**22  # of the scores by offset


def attention_scores(query: Tensor, key: Tensor, position_query: Tensor, codes: Tensor) -> Tensor:
    """Of (N, H, T, d) queries and keys, (N, H, T, p) positional queries and (H, p, 2T − 1) codes: (N, H, T, T)."""
    if not torch.is_grad_enabled() or _by_offset_bytes(query) < KEPT_BYTES:
        return query @ key.transpose(-2, -1) + by_pair(position_query @ codes)
    scores: Tensor = _Scores.apply(query, key, position_query, codes)  # type: ignore[no-untyped-call]
    return scores


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, position_query: Tensor, codes: Tensor) -> Tensor:
        ctx.save_for_backward(query, key, position_query, codes)
        scores = query @ key.transpose(-2, -1)
        for clips in _slices(scores):
            scores[clips] += by_pair(position_query[clips] @ codes)
        return scores

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        query, key, position_query, codes = ctx.saved_tensors
        gradient = gradients[0]
        to_position = torch.empty_like(position_query)
        to_codes = torch.zeros_like(codes, dtype=torch.promote_types(codes.dtype, torch.float32))
        by_offset = gradient.new_zeros(0)
        for clips in _slices(gradient):
            part = gradient[clips]
            if len(by_offset) != len(part):
                by_offset = gradient.new_zeros(*part.shape[:-1], codes.shape[-1])
            by_pair(by_offset).copy_(part)  # offsets that no pair has stay zero
            to_position[clips] = by_offset @ codes.transpose(-2, -1)
            to_codes += (position_query[clips].transpose(-2, -1) @ by_offset).sum(dim=0)
        return gradient @ key, gradient.transpose(-2, -1) @ query, to_position, to_codes


def by_pair(by_offset: Tensor) -> Tensor:
    """Scores (…, T, 2T − 1) by offset source − target to scores (…, T, T) by target and source.

    Row i needs columns T − 1 − i onwards: a view of the same numbers with rows one shorter.
    """
    frames = by_offset.shape[-2]
    if frames == 1:
        return by_offset
    shorter = 2 * frames - 2
    flat = by_offset.flatten(-2).narrow(-1, frames - 1, frames * shorter)
    return flat.view(*flat.shape[:-1], frames, shorter)[..., :frames]


def _slices(scores: Tensor) -> Iterator[slice]:
    """Of as many clips as keep their scores by offset small."""
    count = max(1, SLICE_BYTES // max(1, _by_offset_bytes(scores[:1])))
    return (slice(start, start + count) for start in range(0, len(scores), count))


def _by_offset_bytes(like: Tensor) -> int:
    """Of the scores by offset of (N, H, T, …) tensors."""
    return 2 * like.shape[:3].numel() * like.shape[2] * like.element_size()
