"""Compiled forward passes for few shapes: fused elementwise work without a compilation for every new length.

Padding changes no vector, so batches are padded up to the nearest of a small set of shapes, and each shape is
compiled once, as one graph without breaks. Worth it where a process lives long: the first call of a shape is slow.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from clsp.model.dual_encoder import DualEncoder
from clsp.model.frontend import MIN_FRAMES

MOST_SHAPES = 256


class CompiledTowers:
    """``forward_speech`` and ``forward_text`` of a dual encoder in evaluation mode, compiled on first use."""

    def __init__(self, towers: DualEncoder, backend: str | Callable[..., object] = "inductor") -> None:
        self._pad_token = int(towers.config.text.get("pad_token_id", 1))
        self._speech = torch.compile(towers.forward_speech, backend=backend, fullgraph=True, dynamic=False)
        self._text = torch.compile(towers.forward_text, backend=backend, fullgraph=True, dynamic=False)

    def forward_speech(self, features: Tensor, frame_lengths: Tensor) -> Tensor:
        """As `DualEncoder.forward_speech`, without its check of lengths."""
        rows, frames = row_bucket(len(features)), length_bucket(features.shape[1])
        x = pad(features, (0, 0, 0, frames - features.shape[1], 0, rows - len(features)))
        lengths = pad(frame_lengths, (0, rows - len(features)), value=MIN_FRAMES)
        with torch._dynamo.config.patch(recompile_limit=MOST_SHAPES):
            embedded: Tensor = self._speech(x, lengths)
        return embedded[: len(features)]

    def forward_text(self, input_ids: Tensor, attention_mask: Tensor, longest: int) -> Tensor:
        """As `DualEncoder.forward_text`; ``longest`` is the most tokens that the tower has positions for."""
        rows, tokens = row_bucket(len(input_ids)), min(length_bucket(input_ids.shape[1]), longest)
        missing = (0, tokens - input_ids.shape[1], 0, rows - len(input_ids))
        ids, mask = pad(input_ids, missing, value=self._pad_token), pad(attention_mask, missing)
        mask[:, 0] = 1  # also in rows that only fill the batch, since a softmax over nothing is not a number
        with torch._dynamo.config.patch(recompile_limit=MOST_SHAPES):
            embedded: Tensor = self._text(ids, mask)
        return embedded[: len(input_ids)]


def length_bucket(length: int) -> int:
    """The least of 16, 24, 32, 48, 64, 96 … that holds ``length``: at most a third is padding."""
    power = 16
    while power < length:
        if length <= power * 3 // 2:
            return power * 3 // 2
        power *= 2
    return power


def row_bucket(rows: int) -> int:
    """The least power of two that holds ``rows``."""
    return 1 << max(0, rows - 1).bit_length()
