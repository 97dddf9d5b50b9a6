"""One Zipformer2 layer: the order in which its modules change the frames (reference 3.13)."""

import torch
from torch import Tensor, nn

from clsp.model.attention import AttentionWeights, NonlinAttention, SelfAttention
from clsp.model.bypass import Bypass
from clsp.model.config import StackConfig
from clsp.model.convolution import ConvolutionModule
from clsp.model.feedforward import FeedForward
from clsp.model.norm import BiasNorm


class ZipformerLayer(nn.Module):
    """(N, T, C) to (N, T, C); attention weights are computed once, from what entered."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        channels, hidden = config.encoder_dim, config.feedforward_dim
        # Left over in published checkpoints, whose strict loading it serves; it takes no part in anything.
        self.bypass_scale = nn.Parameter(torch.full((channels,), 0.5), requires_grad=False)
        self.self_attn_weights = AttentionWeights(config)
        self.self_attn1 = SelfAttention(config)
        self.self_attn2 = SelfAttention(config)
        self.feed_forward1 = FeedForward(channels, hidden * 3 // 4, config.dropout)
        self.feed_forward2 = FeedForward(channels, hidden, config.dropout)
        self.feed_forward3 = FeedForward(channels, hidden * 5 // 4, config.dropout)
        self.nonlin_attention = NonlinAttention(config)
        self.conv_module1 = ConvolutionModule(config)
        self.conv_module2 = ConvolutionModule(config)
        self.norm = BiasNorm(channels)
        self.bypass = Bypass(channels, config.layer_skip)
        self.bypass_mid = Bypass(channels)

    def forward(self, entered: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """`positions` (2T − 1, pos_dim), `mask` (N, T) True at padding."""
        weights = self.self_attn_weights(entered, positions, mask)
        x = entered + self.feed_forward1(entered)
        x = x + self.nonlin_attention(x, weights)
        x = x + self.self_attn1(x, weights)
        x = x + self.conv_module1(x, mask)
        x = x + self.feed_forward2(x)
        x = self.bypass_mid(entered, x)
        x = x + self.self_attn2(x, weights)
        x = x + self.conv_module2(x, mask)
        x = x + self.feed_forward3(x)
        out: Tensor = self.bypass(entered, self.norm(x))
        return out
