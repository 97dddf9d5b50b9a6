"""Changing the frame rate inside the encoder."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from clsp.model.masking import padding_mask


def downsampled_lengths(lengths: Tensor, factor: int) -> Tensor:
    """Frames left of each clip: an unfinished group counts."""
    return torch.div(lengths + factor - 1, factor, rounding_mode="floor")


class Downsample(nn.Module):
    """Weighted mean of each group of `factor` frames; an unfinished group repeats its last frame.

    With `repeats_clip_end` the repeated frame is the clip's own last, as if it were alone; otherwise it is the
    batch's, and a clip's last group may hold padding (the published behaviour, reference 1.4). Source: 3.12.
    """

    def __init__(self, factor: int, *, repeats_clip_end: bool) -> None:
        super().__init__()
        self.factor = factor
        self.repeats_clip_end = repeats_clip_end
        self.bias = nn.Parameter(torch.zeros(factor))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, C) to (N, ⌈T / factor⌉, C)."""
        if self.repeats_clip_end:
            x = _hold_last(x, lengths)
        groups = -(-x.shape[1] // self.factor)
        missing = groups * self.factor - x.shape[1]
        if missing:
            x = torch.cat([x, x[:, -1:].expand(-1, missing, -1)], dim=1)
        weights = self.bias.softmax(dim=0)[:, None]
        return (x.reshape(len(x), groups, self.factor, -1) * weights).sum(dim=2)


def upsample(x: Tensor, factor: int, frames: int) -> Tensor:
    """Each frame `factor` times, cut to `frames`."""
    return x.unsqueeze(2).expand(-1, -1, factor, -1).flatten(1, 2)[:, :frames]


def fit_channels(x: Tensor, channels: int) -> Tensor:
    """Cut or zero-fill the channels of (N, T, C)."""
    if x.shape[-1] > channels:
        return x[..., :channels]
    return pad(x, (0, channels - x.shape[-1])) if x.shape[-1] < channels else x


def _hold_last(x: Tensor, lengths: Tensor) -> Tensor:
    """Every frame after a clip's end replaced by its last one."""
    clips = torch.arange(len(x), device=x.device)
    last = x[clips, (lengths - 1).clamp(min=0)]
    return torch.where(padding_mask(lengths, x.shape[1])[:, :, None], last[:, None], x)
