"""Zipformer2: stacks at several frame rates, so that style is heard over frames, syllables and phrases."""

import torch
from torch import Tensor, nn

from clsp.model.config import ModelConfig
from clsp.model.masking import feature_mask
from clsp.model.resampling import Downsample, downsampled_lengths, fit_channels
from clsp.model.stack import build_stack


class Zipformer(nn.Module):
    """Frames (N, T, D) at 50 a second to frames (N, ⌈T / output factor⌉, widest) (reference 3.12)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        neutral = config.padding == "neutral"
        self.stacks = config.stacks
        self.feature_mask = config.regularisation.feature_mask
        self.encoders = nn.ModuleList(build_stack(stack, repeats_clip_end=neutral) for stack in self.stacks)
        self.output_factor = config.output_downsampling_factor
        if self.output_factor > 1:
            self.downsample_output = Downsample(self.output_factor, repeats_clip_end=neutral)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Output frames and their counts."""
        outputs: list[Tensor] = []
        for config, stack in zip(self.stacks, self.encoders, strict=True):
            x = fit_channels(x, config.encoder_dim)
            x = stack(x, lengths, self._mask(x, config.encoder_unmasked_dim))
            outputs.append(x)
        x = widest(outputs)
        if self.output_factor > 1:
            x = self.downsample_output(x, lengths)
            lengths = downsampled_lengths(lengths, self.output_factor)
        return x, lengths

    def _mask(self, x: Tensor, unmasked: int) -> Tensor | None:
        if not self.training or self.feature_mask == 0.0 or unmasked >= x.shape[-1]:
            return None
        return feature_mask(x, unmasked, self.feature_mask)


def widest(outputs: list[Tensor]) -> Tensor:
    """The last stack's output; channels it lacks come from the most recent wider stack."""
    x = outputs[-1]
    for earlier in reversed(outputs[:-1]):
        if earlier.shape[-1] > x.shape[-1]:
            x = torch.cat([x, earlier[..., x.shape[-1] :]], dim=-1)
    return x
