"""Stacks: layers that share one frame rate and one width."""

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clsp.model.bypass import Bypass
from clsp.model.config import StackConfig
from clsp.model.layer import ZipformerLayer
from clsp.model.machinery import Points
from clsp.model.masking import padding_mask
from clsp.model.positions import RelativePositions
from clsp.model.resampling import Downsample, downsampled_lengths, upsample

RAW_LAYER_SKIP = 0.5


class Stack(nn.Module):
    """Layers at the full frame rate."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.positions = RelativePositions(config.pos_dim, config.regularisation.position_dropout)
        self.layers = nn.ModuleList(
            ZipformerLayer(config, layer_skip(config, index)) for index in range(config.num_encoder_layers)
        )
        self.checkpoints = False

    def forward(self, x: Tensor, lengths: Tensor, features: Tensor | None = None) -> Tensor:
        """(N, T, C) with the clips' lengths; `features` (N, 1, C) masks channels while training."""
        positions = self.positions(x)
        mask = padding_mask(lengths, x.shape[1])
        if features is not None:
            x = x * features
        for layer in self.layers:
            x = self._through(layer, x, positions, mask)
            if features is not None:
                x = x * features
        return x

    def _through(self, layer: nn.Module, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """A layer's output; with activation checkpoints only its input is kept for the way back."""
        if self.checkpoints and self.training:
            out: Tensor = checkpoint(layer, x, positions, mask, use_reentrant=False)
        else:
            out = layer(x, positions, mask)
        return out


def layer_skip(config: StackConfig, index: int) -> Points:
    """Share of clips that pass a layer by: half of them at first, then one layer after the other comes into use."""
    begin, end = config.warmup
    step = (end - begin) / config.num_encoder_layers
    raw = RAW_LAYER_SKIP if config.layer_skip > 0 else 0.0
    return (begin + index * step, raw), (begin + (index + 1) * step, config.layer_skip)


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
