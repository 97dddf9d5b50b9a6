"""Compiled forward passes for few shapes: fused elementwise work without a compilation for every new length.

Padding changes no vector, so batches are padded up to the nearest of a small set of shapes, and each shape is
compiled once, as one graph without breaks. Worth it where a process lives long: the first call of a shape is slow. A
server compiles its shapes before it is ready (`prepare`); what has another shape then runs as it is, and nobody waits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from clsp.model.dual_encoder import DualEncoder
from clsp.model.frontend import MIN_FRAMES
from clsp.model.tokens import longest_text

MOST_SHAPES = 256
Kind = Literal["speech", "text"]


@dataclass(frozen=True)
class Shape:
    """A padded batch: inputs, and frames or tokens of each."""

    rows: int
    length: int


class CompiledTowers:
    """``forward_speech`` and ``forward_text`` of a dual encoder in evaluation mode, compiled on first use."""

    def __init__(self, towers: DualEncoder, backend: str | Callable[..., object] = "inductor") -> None:
        self._towers = towers
        self._longest_text = longest_text(towers.config)
        self._pad_token = int(towers.config.text.get("pad_token_id", 1))
        self._prepared: dict[str, frozenset[Shape]] = {}  # shapes a tower; a tower that is not here compiles any
        self._speech = torch.compile(towers.forward_speech, backend=backend, fullgraph=True, dynamic=False)
        self._text = torch.compile(towers.forward_text, backend=backend, fullgraph=True, dynamic=False)

    @torch.inference_mode()
    def prepare(self, kind: Kind, shapes: Iterable[Shape]) -> None:
        """Compile ``shapes`` of a tower now; from then on what is padded to another runs without compiled code."""
        device, bins = self._towers.logit_scale.device, self._towers.config.num_mel_bins
        padded = frozenset(self._padded(kind, shape.rows, shape.length) for shape in shapes)
        for shape in padded:
            if kind == "speech":
                features = self._towers.logit_scale.new_zeros(shape.rows, shape.length, bins)
                self.forward_speech(features, torch.full((shape.rows,), shape.length))
            else:
                ids = torch.full((shape.rows, shape.length), self._pad_token + 1, device=device)
                self.forward_text(ids, torch.ones_like(ids))
        self._prepared[kind] = padded

    def forward_speech(self, features: Tensor, frame_lengths: Tensor) -> Tensor:
        """As `DualEncoder.forward_speech`, without its check of lengths."""
        shape = self._padded("speech", len(features), features.shape[1])
        if shape not in self._prepared.get("speech", {shape}):
            return self._towers.forward_speech(features, frame_lengths)
        rows = shape.rows - len(features)
        x = pad(features, (0, 0, 0, shape.length - features.shape[1], 0, rows))
        lengths = pad(frame_lengths, (0, rows), value=MIN_FRAMES)
        with torch._dynamo.config.patch(recompile_limit=MOST_SHAPES):
            embedded: Tensor = self._speech(x, lengths)
        return embedded[: len(features)]

    def forward_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """As `DualEncoder.forward_text`."""
        shape = self._padded("text", len(input_ids), input_ids.shape[1])
        if shape not in self._prepared.get("text", {shape}):
            return self._towers.forward_text(input_ids, attention_mask)
        missing = (0, shape.length - input_ids.shape[1], 0, shape.rows - len(input_ids))
        ids, mask = pad(input_ids, missing, value=self._pad_token), pad(attention_mask, missing)
        mask[:, 0] = 1  # also in rows that only fill the batch, since a softmax over nothing is not a number
        with torch._dynamo.config.patch(recompile_limit=MOST_SHAPES):
            embedded: Tensor = self._text(ids, mask)
        return embedded[: len(input_ids)]

    def _padded(self, kind: Kind, rows: int, length: int) -> Shape:
        most = self._longest_text if kind == "text" else length_bucket(length)
        return Shape(row_bucket(rows), min(length_bucket(length), most))


def shapes_between(shortest: int, longest: int, budget: int, most_rows: int) -> list[Shape]:
    """What is worth compiling ahead: each length for an input alone, and for the fullest batch within ``budget``.

    ``shortest``, ``longest``: frames or tokens of one input; ``budget``: of a padded batch; ``most_rows`` in it.
    """
    lengths, last = [length_bucket(shortest)], length_bucket(longest)
    while lengths[-1] < last:
        lengths.append(length_bucket(lengths[-1] + 1))
    full = ((1 << (max(1, min(budget // length, most_rows)).bit_length() - 1), length) for length in lengths)
    return [Shape(rows, length) for most, length in full for rows in sorted({1, most})]


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
