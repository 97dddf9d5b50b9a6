"""From clips and captions to the tensors of one step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from clsp.audio.fbank import PADDING_VALUE
from clsp.data.pairs import Task

PAD_ID = 1


@dataclass(frozen=True)
class Batch:
    """Micro-batch ``number`` of the global batch of ``step``: B of its clips.

    features (B, frames, 128) padded with ln(1e-10), lengths (B,) in frames; input_ids and attention_mask
    (k·B, tokens): caption 1 of all clips, then caption 2 of all where the task has two. ``clips`` are segment ids.
    At stage 3 two more blocks of B follow, a caption and its copy with an attribute swapped; ``differs`` (B,) is False
    where none could be swapped, and None at the other stages.
    """

    step: int
    number: int
    task: Task
    features: Tensor
    lengths: Tensor
    input_ids: Tensor
    attention_mask: Tensor
    clips: tuple[str, ...]
    differs: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on ``device``."""
        names = ("features", "lengths", "input_ids", "attention_mask")
        differs = None if self.differs is None else self.differs.to(device)
        return replace(self, differs=differs, **{name: getattr(self, name).to(device) for name in names})


class Sizes(NamedTuple):
    """Clips, frames of speech, and frames with their padding of some micro-batches."""

    clips: float = 0
    frames: float = 0
    padded_frames: float = 0

    @classmethod
    def of(cls, batches: Sequence[Batch]) -> "Sizes":
        """Sums over micro-batches."""
        frames = sum(int(batch.lengths.sum()) for batch in batches)
        padded = sum(batch.features.shape[0] * batch.features.shape[1] for batch in batches)
        return cls(sum(len(batch.clips) for batch in batches), frames, padded)


def pad_features(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Clips (frames_i, 128) as one (N, frames, 128) padded with ln(1e-10), and their (N,) lengths."""
    lengths = [len(clip) for clip in clips]
    if len(set(lengths)) == 1:
        return torch.stack(list(clips)), torch.tensor(lengths)
    padded = torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True, padding_value=PADDING_VALUE)
    return padded, torch.tensor(lengths)


def pad_tokens(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids of N texts as (N, tokens) int64 padded with RoBERTa's <pad>, and the mask (1 = token)."""
    ids = [torch.tensor(text, dtype=torch.int64) for text in texts]
    ones = [torch.ones_like(text) for text in ids]
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(ids, batch_first=True, padding_value=PAD_ID), pad(ones, batch_first=True)


def stack_captions(captions: Sequence[tuple[str, ...]]) -> list[str]:
    """Caption 1 of all clips, then caption 2 of all: the layout of ``clsp.losses.multi_positive``."""
    return [text for texts in zip(*captions, strict=True) for text in texts]
