"""Attention of a Zipformer layer: weights are computed once and used three times.

Scores are not divided by √d; the projections start small instead (reference 3.14, 3.16).
"""

import torch
from torch import Tensor, nn

from clsp.model.config import StackConfig
from clsp.model.initialisation import scaled_linear
from clsp.model.machinery import Balancer, ScheduledFloat, ScorePenalty, Whiten, falling
from clsp.model.recomputed import Linear, Mixed, Product, TanhGate, recomputed
from clsp.model.scores import attention_scores

MASKED_SCORE = -1000.0


class AttentionWeights(nn.Module):
    """Softmax weights (N, H, T, T) of frames (N, T, C) for each other; rows are targets."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.heads = config.num_heads
        self.sizes = (config.query_head_dim, config.query_head_dim, config.pos_head_dim)
        scale = config.query_head_dim**-0.25
        self.in_proj = scaled_linear(config.encoder_dim, self.heads * sum(self.sizes), scale)
        self.key_balancer = Balancer((0.4, 0.6), (0.0, 100.0), p=0.025)
        self.key_whiten = Whiten(falling(3.0, 6.0, 20_000), share=0.025, groups=self.heads)
        self.score_penalty = ScorePenalty()
        self.position_skip = ScheduledFloat(*falling(config.regularisation.position_skip, 0.0, 4000))
        self.linear_pos = scaled_linear(config.pos_dim, self.heads * config.pos_head_dim, 0.05, bias=False)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """`positions` (2T − 1, pos_dim); `mask` (N, T), True at padding, to which nothing attends."""
        query, key, position_query = self.in_proj(x).split([self.heads * size for size in self.sizes], dim=-1)
        key = split_heads(self.key_whiten(self.key_balancer(key)), self.heads)
        if self._skips_positions():
            scores = split_heads(query, self.heads) @ key.transpose(-2, -1)
        else:
            codes = self.linear_pos(positions).view(len(positions), self.heads, -1).permute(1, 2, 0)
            scores = attention_scores(
                split_heads(query, self.heads), key, split_heads(position_query, self.heads), codes
            )
        penalised: Tensor = self.score_penalty(scores)
        return penalised.masked_fill(mask[:, None, None, :], MASKED_SCORE).softmax(dim=-1)

    def _skips_positions(self) -> bool:
        share = self.position_skip.value if self.training else 0.0
        return share > 0.0 and float(torch.rand(())) < share


class SelfAttention(nn.Module):
    """Frames (N, T, C) mixed by given weights, each head with its own small value vectors."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.heads = config.num_heads
        values = config.num_heads * config.value_head_dim
        self.in_proj = nn.Linear(config.encoder_dim, values)
        self.out_proj = scaled_linear(values, config.encoder_dim, 0.05)
        self.out_whiten = Whiten(falling(7.5, 22.5, 20_000))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """`weights` (N, H, T, T)."""
        mixed = weights @ split_heads(self.in_proj(x), self.heads)
        out: Tensor = self.out_whiten(self.out_proj(mixed.transpose(1, 2).flatten(2)))
        return out


class NonlinAttention(nn.Module):
    """Gated mixing of many channels by the weights of the first head alone."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        hidden = 3 * config.encoder_dim // 4
        self.in_proj = nn.Linear(config.encoder_dim, 3 * hidden)
        self.gate_balancer = Balancer((falling(0.25, 0.05, 20_000), falling(0.75, 0.95, 20_000)), (0.5, 5.0))
        self.value_whiten = Whiten(falling(5.0, 10.0, 20_000))
        self.out_proj = scaled_linear(hidden, config.encoder_dim, 0.05)
        self.out_whiten = Whiten(falling(5.0, 15.0, 20_000))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """`weights` (N, H, T, T), of which the first head is used."""
        gate, values, out_gate = self.in_proj(x).chunk(3, dim=-1)
        values, gate = self.value_whiten(values), self.gate_balancer(gate)
        mixed = recomputed(TanhGate(), Mixed(), values, gate, weights[:, 0])
        left = recomputed(Product(), Linear(), mixed, out_gate, self.out_proj.weight, self.out_proj.bias)
        out: Tensor = self.out_whiten(left)
        return out


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(N, T, H·d) to (N, H, T, d)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)
