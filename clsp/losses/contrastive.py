"""Symmetric contrastive losses: one caption a clip (stage 1), two captions a clip (stage 2).

Given a process group, each rank scores its own rows against those of every rank. The mean of the ranks' losses,
and the mean of their gradients that DistributedDataParallel takes, are then those of one process holding the
whole batch; the published code computes every row on every rank and gets 1/W of that gradient (reference 1.6).
"""

import torch
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.nn.functional import cross_entropy, log_softmax

from clsp.losses.gather import Ranks

CAPTIONS_A_CLIP = 2


def info_nce(audio: Tensor, text: Tensor, scale: Tensor, *, group: ProcessGroup | None = None) -> Tensor:
    """Stage-1 loss of unit-norm (B, D) clips and (B, D) captions, scalar; `scale` is exp(logit_scale).

    With `group`, B must be equal on all ranks. Source: reference 1.6.
    """
    ranks = Ranks.of(group)
    rows = ranks.rows(len(audio), audio.device)
    speech_to_text = cross_entropy(_logits(audio, ranks.gather(text), scale), rows)
    text_to_speech = cross_entropy(_logits(text, ranks.gather(audio), scale), rows)
    return (speech_to_text + text_to_speech) / 2


def multi_positive(
    audio: Tensor, text: Tensor, scale: Tensor, weight: float = 0.5, *, group: ProcessGroup | None = None
) -> Tensor:
    """Stage-2 loss of unit-norm (B, D) clips and (2B, D) captions: caption 1 of all, then caption 2 of all.

    A clip's target puts `weight` on its caption 1 and the rest on its caption 2; a caption has one clip.
    With `group`, B must be equal on all ranks. Source: paper section on multi-positive learning, reference 1.6.
    """
    ranks = Ranks.of(group)
    rows = ranks.rows(len(audio), audio.device)
    first, second = (ranks.gather(half) for half in text.chunk(CAPTIONS_A_CLIP))
    log_p = log_softmax(_logits(audio, torch.cat([first, second]), scale), dim=-1)
    log_p_first = log_p.gather(1, rows[:, None])
    log_p_second = log_p.gather(1, rows[:, None] + len(first))
    speech_to_text = -(weight * log_p_first + (1 - weight) * log_p_second).mean()
    text_to_speech = cross_entropy(_logits(text, ranks.gather(audio), scale), rows.repeat(CAPTIONS_A_CLIP))
    return (speech_to_text + text_to_speech) / 2


def _logits(queries: Tensor, keys: Tensor, scale: Tensor) -> Tensor:
    """Scaled cosines in float32, whatever precision the towers ran in."""
    with torch.autocast(queries.device.type, enabled=False):
        return scale.float() * (queries.float() @ keys.float().T)
