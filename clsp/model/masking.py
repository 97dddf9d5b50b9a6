"""Which frames of a batch are padding, and what may be dropped from the rest while training."""

import torch
from torch import Tensor


def padding_mask(lengths: Tensor, frames: int) -> Tensor:
    """(N, frames) bool, True where a clip of the given length has ended."""
    return torch.arange(frames, device=lengths.device) >= lengths[:, None]


def kept_clips(x: Tensor, skip: float) -> Tensor:
    """(N, 1, …) of ones, with zeros for a random share `skip` of the clips."""
    kept = torch.rand(len(x), device=x.device) >= skip
    return kept.to(x.dtype).view(-1, *[1] * (x.ndim - 1))


def feature_mask(x: Tensor, unmasked: int, skip: float) -> Tensor:
    """(N, 1, C) training mask: a share `skip` of clips loses the channels above `unmasked`, more the upper half.

    Source: reference 3.17.
    """
    channels = x.shape[-1]
    middle = unmasked + (channels - unmasked) // 2
    lower = kept_clips(x, skip).expand(-1, 1, middle - unmasked)
    upper = (lower[..., :1] * kept_clips(x, skip)).expand(-1, 1, channels - middle)
    return torch.cat([x.new_ones(len(x), 1, unmasked), lower, upper], dim=-1)
