"""The front end: log-mel frames at 100 a second to encoder frames at 50 a second.

Three plain convolutions and a ConvNeXt block see time and frequency together; a linear layer then forgets which
was which. State-dict names follow reference 1.3, shapes 3.10.
"""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clsp.model.activations import SWOOSH_L, SWOOSH_R, Swoosh, swoosh_r
from clsp.model.config import ModelConfig
from clsp.model.initialisation import shrink
from clsp.model.machinery import (
    Balancer,
    SequenceSkip,
    SharedDropout,
    Switched,
    Whiten,
    edited,
    falling,
    scale_gradient,
)
from clsp.model.masking import padding_mask
from clsp.model.norm import BiasNorm
from clsp.model.pointwise import pointwise
from clsp.model.recomputed import KEPT_BYTES, Convolution, recomputed

MIN_FRAMES = 9
CONVNEXT_KERNEL = 7
CONVNEXT_EXPANSION = 3
# Training only (reference 3.17): the first convolution learns slowly; bounds on how loud each one becomes; how much
# more often the residual block is skipped while weights are raw.
FIRST_GRADIENT = 0.2
LOUDEST = {"0": 1.0, "4": 4.0, "7": 4.0}
RAW_SKIP_FACTOR = 0.2 / 0.015


def embedded_lengths(frame_lengths: Tensor) -> Tensor:
    """Encoder frames of clips with the given log-mel frame counts; convolutions eat seven frames."""
    return torch.div(frame_lengths - 7, 2, rounding_mode="floor").clamp(min=0)


class Frontend(Switched):
    """(N, T, F) log-mel features to (N, (T−7)//2, D) frames."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        low, middle, high = config.frontend_channels
        columns = ((config.num_mel_bins - 1) // 2 - 1) // 2
        width = config.encoder_dim[0]
        # The keys are positions in the published Sequential, whose other places hold no weights.
        self.conv = nn.ModuleDict(
            {
                "0": nn.Conv2d(1, low, 3, padding=(0, 1)),
                "4": nn.Conv2d(low, middle, 3, stride=2),
                "7": nn.Conv2d(middle, high, 3, stride=(1, 2)),
            }
        )
        self.balancers = nn.ModuleDict(
            {name: Balancer((0.05, 0.95), (0.2, loudest), channel=1) for name, loudest in LOUDEST.items()}
        )
        self.checkpoints = False
        self.convnext = ConvNeXt(high, config.regularisation.convnext_skip)
        self.out = nn.Linear(high * columns, width)
        self.out_whiten = Whiten(falling(4.0, 8.0, 20_000), share=0.02)
        self.out_norm = BiasNorm(width)
        self.dropout = SharedDropout(config.regularisation.dropout)
        self.masks_padding = config.padding == "neutral"

    def forward(self, features: Tensor, frame_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames and their counts. A clip's frames come from its own features only."""
        lengths = embedded_lengths(frame_lengths)
        if self.checkpoints and self.training:
            return checkpoint(self._frames, features, lengths, use_reentrant=False), lengths
        return self._frames(features, lengths), lengths

    def _frames(self, features: Tensor, lengths: Tensor) -> Tensor:
        # Channels-last memory, also of the one channel: CPU convolutions go backward three times faster.
        x = features.unsqueeze(-1).permute(0, 3, 1, 2)
        first, *others = self.conv
        x = self.conv[first](x)
        if self.active and self.training:
            x = scale_gradient(x, FIRST_GRADIENT)
        x = self.balancers[first](x)
        for name in others:
            x = self.balancers[name](_convolved(SWOOSH_R, x, self.conv[name]))
        x = swoosh_r(x)
        if self.masks_padding:
            # A product, since masked_fill would not keep the memory layout.
            x = x * ~padding_mask(lengths, x.shape[2])[:, None, :, None]
        x = self.convnext(x)
        x = self.out_whiten(self.out(x.transpose(1, 2).flatten(2)))
        out: Tensor = self.dropout(self.out_norm(x))
        return out


class ConvNeXt(nn.Module):
    """Residual block over (N, C, T, F): depthwise 7×7, then per pixel to 3·C channels and back."""

    def __init__(self, channels: int, skip: float) -> None:
        super().__init__()
        hidden = channels * CONVNEXT_EXPANSION
        padding = CONVNEXT_KERNEL // 2
        self.depthwise_conv = nn.Conv2d(channels, channels, CONVNEXT_KERNEL, groups=channels, padding=padding)
        self.pointwise_conv1 = nn.Conv2d(channels, hidden, 1)
        self.pointwise_conv2 = shrink(nn.Conv2d(hidden, channels, 1), 0.01)
        self.hidden_balancer = Balancer((0.3, 1.0), (0.75, 5.0), channel=1)
        self.out_balancer = Balancer((0.4, 0.6), (1.0, 6.0), channel=1)
        self.out_whiten = Whiten(5.0, channel=1)
        self.skip = SequenceSkip(falling(min(RAW_SKIP_FACTOR * skip, 0.9), skip, 20_000))

    def forward(self, x: Tensor) -> Tensor:
        """x plus the block's change of it; while training some clips go without."""
        changed = x + self.skip(self._change(self.depthwise_conv(x)))
        out: Tensor = self.out_whiten(self.out_balancer(changed))
        return out

    def _change(self, mixed: Tensor) -> Tensor:
        """The pointwise part; a balancer that acts needs all hidden values at once."""
        one, other = self.pointwise_conv1, self.pointwise_conv2
        assert one.bias is not None
        assert other.bias is not None
        if self.hidden_balancer.acts():
            return _convolved(SWOOSH_L, edited(one(mixed), self.hidden_balancer.edit), other)
        if not torch.is_grad_enabled() or mixed.nbytes * CONVNEXT_EXPANSION < KEPT_BYTES:
            return _convolved(SWOOSH_L, one(mixed), other)
        pixels = mixed.permute(0, 2, 3, 1)
        matrices = one.weight.flatten(1), one.bias, other.weight.flatten(1), other.bias
        return pointwise(pixels.flatten(1, 2), None, *matrices).view(pixels.shape).permute(0, 3, 1, 2)


def _convolved(swoosh: Swoosh, x: Tensor, conv: nn.Module) -> Tensor:
    """``swoosh`` of x (N, C, T, F) through an unpadded convolution."""
    assert isinstance(conv, nn.Conv2d)
    return recomputed(swoosh, Convolution(conv.stride), x, conv.weight, conv.bias)
