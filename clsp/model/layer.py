"""One Zipformer2 layer: the order in which its modules change the frames (reference 3.13)."""

import torch
from torch import Tensor, nn

from clsp.model.attention import AttentionWeights, NonlinAttention, SelfAttention
from clsp.model.bypass import Bypass
from clsp.model.config import StackConfig
from clsp.model.convolution import ConvolutionModule
from clsp.model.feedforward import FeedForward
from clsp.model.machinery import Balancer, Points, SequenceSkip, Whiten, falling
from clsp.model.norm import BiasNorm


class ZipformerLayer(nn.Module):
    """(N, T, C) to (N, T, C); attention weights are computed once, from what entered.

    ``skip`` is the share of training clips that pass the layer by (reference 3.17, as all that acts in training).
    """

    def __init__(self, config: StackConfig, skip: float | Points = 0.0) -> None:
        super().__init__()
        channels, hidden, random = config.encoder_dim, config.feedforward_dim, config.regularisation
        # Left over in published checkpoints, whose strict loading it serves; it takes no part in anything.
        self.bypass_scale = nn.Parameter(torch.full((channels,), 0.5), requires_grad=False)
        self.self_attn_weights = AttentionWeights(config)
        self.self_attn1 = SelfAttention(config)
        self.self_attn2 = SelfAttention(config)
        self.feed_forward1 = FeedForward(channels, hidden * 3 // 4, random.dropout)
        self.feed_forward2 = FeedForward(channels, hidden, random.dropout)
        self.feed_forward3 = FeedForward(channels, hidden * 5 // 4, random.dropout)
        self.nonlin_attention = NonlinAttention(config)
        self.conv_module1 = ConvolutionModule(config)
        self.conv_module2 = ConvolutionModule(config)
        self.norm = BiasNorm(channels)
        self.bypass = Bypass(channels, skip)
        self.bypass_mid = Bypass(channels)
        branch = ((0.0, random.branch_skip), (4000.0, random.branch_skip / 4), (16_000.0, 0.0))
        forward = ((0.0, random.feedforward_skip), (4000.0, random.feedforward_skip / 10), (50_000.0, 0.0))
        self.attention_skip, self.conv_skip = SequenceSkip(branch), SequenceSkip(branch)
        self.forward_skip = SequenceSkip(forward)
        self.nonlin_balancer = Balancer((0.3, 0.7), (falling(0.004, 0.02, 20_000), 1000.0), p=0.05)
        self.forward2_balancer = Balancer((0.3, 0.7), (falling(0.0, 0.1, 20_000), 2.0), p=0.05)
        self.forward3_balancer = Balancer((0.3, 0.7), (falling(0.0, 0.2, 20_000), 4.0), p=0.05)
        self.sum_balancer = Balancer((0.45, 0.55), (0.2, 4.0))
        self.out_balancer = Balancer((0.45, 0.55), (0.1, 4.0))
        self.out_whiten = Whiten(falling(4.0, 12.0, 20_000))

    def forward(self, entered: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """`positions` (2T − 1, pos_dim), `mask` (N, T) True at padding."""
        weights = self.self_attn_weights(entered, positions, mask)
        attends = self.attention_skip.mask(entered)
        x = entered + self.feed_forward1(entered)
        x = x + _kept(self.nonlin_balancer(self.nonlin_attention(x, weights)), attends)
        x = x + _kept(self.self_attn1(x, weights), attends)
        x = x + self.conv_skip(self.conv_module1(x, mask))
        x = x + self.forward_skip(self.forward2_balancer(self.feed_forward2(x)))
        x = self.bypass_mid(entered, x)
        x = x + _kept(self.self_attn2(x, weights), attends)
        x = x + self.conv_skip(self.conv_module2(x, mask))
        x = x + self.forward_skip(self.forward3_balancer(self.feed_forward3(x)))
        x = self.bypass(entered, self.norm(self.sum_balancer(x)))
        out: Tensor = self.out_whiten(self.out_balancer(x))
        return out


def _kept(branch: Tensor, kept: Tensor | None) -> Tensor:
    return branch if kept is None else branch * kept
