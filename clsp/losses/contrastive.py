"""Symmetric contrastive losses: one caption a clip (stage 1), two (stage 2), and a changed one as well (stage 3).

Given a process group, each rank scores its own rows against those of every rank. The mean of the ranks' losses,
and the mean of their gradients that DistributedDataParallel takes, are then those of one process holding the
whole batch, whatever number of clips each rank brings; the published code computes every row on every rank and gets
1/W of that gradient (reference 1.6).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.nn.functional import softplus

from clsp.losses.gather import Ranks
from clsp.losses.similarity import TILE, Duplicates, Targets, cross_entropy


def info_nce(
    audio: Tensor,
    text: Tensor,
    scale: Tensor,
    *,
    group: ProcessGroup | None = None,
    labels: Tensor | None = None,
    tile: int = TILE,
) -> Tensor:
    """Stage-1 loss of unit-norm (B, D) clips and (B, D) captions, scalar; `scale` is exp(logit_scale).

    ``labels`` (B,) identify captions: a clip and another clip's equal caption are then no negatives of each other
    (as published, without labels, they are). ``tile`` bounds what is held of the similarity matrix.
    Source: reference 1.6.
    """
    return _symmetric(audio, text, scale, (1.0,), group, labels, tile)


def multi_positive(
    audio: Tensor,
    text: Tensor,
    scale: Tensor,
    weight: float = 0.5,
    *,
    group: ProcessGroup | None = None,
    labels: Tensor | None = None,
    tile: int = TILE,
) -> Tensor:
    """Stage-2 loss of unit-norm (B, D) clips and (2B, D) captions: caption 1 of all, then caption 2 of all.

    A clip's target puts `weight` on its caption 1 and the rest on its caption 2; a caption has one clip. ``labels``
    (2B,) and ``tile`` as in `info_nce`. Source: paper section on multi-positive learning, reference 1.6.
    """
    return _symmetric(audio, text, scale, (weight, 1 - weight), group, labels, tile)


def attribute_contrast(
    audio: Tensor,
    text: Tensor,
    changed: Tensor,
    scale: Tensor,
    differs: Tensor,
    *,
    group: ProcessGroup | None = None,
) -> Tensor:
    """Stage-3 term: each clip tells its caption from a copy with one attribute swapped, a choice of two.

    All (B, D) unit-norm; ``differs`` (B,) is False where no attribute could be swapped, which then costs nothing.
    Source: reference 1.6.
    """
    with torch.autocast(audio.device.type, enabled=False):
        ranks = Ranks.of(group, len(audio), audio.device)
        margin = (_exact(audio) * (_exact(text) - _exact(changed))).sum(dim=-1)
        return (softplus(-_exact(scale) * margin) * differs).sum() * ranks.share


def _symmetric(
    audio: Tensor,
    text: Tensor,
    scale: Tensor,
    weights: tuple[float, ...],
    group: ProcessGroup | None,
    labels: Tensor | None,
    tile: int,
) -> Tensor:
    with torch.autocast(audio.device.type, enabled=False):
        ranks = Ranks.of(group, len(audio), audio.device)
        batch = _Batch(_exact(audio), _exact(text), _exact(scale), weights, ranks, labels, tile)
        return (batch.speech_to_text() + batch.text_to_speech()) / 2


@dataclass(frozen=True)
class _Batch:
    """One rank's clips and captions, in float32 whatever precision the towers ran in; ``weights`` one a caption."""

    audio: Tensor
    text: Tensor
    scale: Tensor
    weights: tuple[float, ...]
    ranks: Ranks
    labels: Tensor | None
    tile: int

    def speech_to_text(self) -> Tensor:
        """Cross-entropy of each clip over all captions."""
        captions = torch.arange(len(self.weights), device=self.audio.device)
        targets = Targets(self._own[:, None] + captions * self.ranks.total, self.weights)
        return self._mean(self.audio, self._of_all_ranks(self.text), targets, self._duplicates(of_clips=True))

    def text_to_speech(self) -> Tensor:
        """Cross-entropy of each caption over all clips."""
        targets = Targets(self._own.repeat(len(self.weights))[:, None], (1.0,))
        loss = self._mean(self.text, self.ranks.gather(self.audio), targets, self._duplicates(of_clips=False))
        return loss / len(self.weights)

    def _mean(self, queries: Tensor, keys: Tensor, targets: Targets, duplicates: Duplicates | None) -> Tensor:
        losses = cross_entropy(queries, keys, self.scale, targets, duplicates=duplicates, tile=self.tile)
        return losses.sum() * self.ranks.share

    @property
    def _own(self) -> Tensor:
        """Indices in the whole batch of this rank's clips."""
        return self.ranks.clips(self.audio.device)

    def _of_all_ranks(self, texts: Tensor) -> Tensor:
        """Caption 1 of all ranks' clips, then caption 2."""
        return torch.cat([self.ranks.gather(part) for part in texts.tensor_split(len(self.weights))])

    def _duplicates(self, *, of_clips: bool) -> Duplicates | None:
        if self.labels is None:
            return None
        captions, device = len(self.weights), self.audio.device
        labels, own = self._of_all_ranks(self.labels), self._own
        clips = torch.arange(self.ranks.total, device=device)
        if of_clips:
            return Duplicates(self.labels.view(captions, -1).T, labels[:, None], own, clips.repeat(captions))
        return Duplicates(self.labels[:, None], labels.view(captions, -1).T, own.repeat(captions), clips)


def _exact(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()
