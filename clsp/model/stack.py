"""Stacks: layers that share one frame rate and one width."""

from torch import Tensor, nn

from clsp.model.bypass import Bypass
from clsp.model.config import StackConfig
from clsp.model.layer import ZipformerLayer
from clsp.model.masking import padding_mask
from clsp.model.positions import RelativePositions
from clsp.model.resampling import Downsample, downsampled_lengths, upsample


class Stack(nn.Module):
    """Layers at the full frame rate."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.positions = RelativePositions(config.pos_dim, config.position_dropout)
        self.layers = nn.ModuleList(ZipformerLayer(config) for _ in range(config.num_encoder_layers))

    def forward(self, x: Tensor, lengths: Tensor, features: Tensor | None = None) -> Tensor:
        """(N, T, C) with the clips' lengths; `features` (N, 1, C) masks channels while training."""
        positions = self.positions(x)
        mask = padding_mask(lengths, x.shape[1])
        if features is not None:
            x = x * features
        for layer in self.layers:
            x = layer(x, positions, mask)
            if features is not None:
                x = x * features
        return x


class DownsampledStack(nn.Module):
    """Layers at a lower frame rate, blended into the frames that entered (reference 3.12)."""

    def __init__(self, config: StackConfig, *, repeats_clip_end: bool) -> None:
        super().__init__()
        self.factor = config.downsampling_factor
        self.downsample = Downsample(self.factor, repeats_clip_end=repeats_clip_end)
        self.encoder = Stack(config)
        self.out_combiner = Bypass(config.encoder_dim)

    def forward(self, x: Tensor, lengths: Tensor, features: Tensor | None = None) -> Tensor:
        """As `Stack`."""
        fewer = self.downsample(x, lengths)
        fewer = self.encoder(fewer, downsampled_lengths(lengths, self.factor), features)
        out: Tensor = self.out_combiner(x, upsample(fewer, self.factor, x.shape[1]))
        return out


def build_stack(config: StackConfig, *, repeats_clip_end: bool) -> Stack | DownsampledStack:
    """The stack that a configuration describes."""
    if config.downsampling_factor == 1:
        return Stack(config)
    return DownsampledStack(config, repeats_clip_end=repeats_clip_end)
