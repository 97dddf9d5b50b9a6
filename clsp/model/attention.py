"""Attention of a Zipformer layer: weights are computed once and used three times.

Scores are not divided by √d; the projections start small instead (reference 3.14, 3.16).
"""

from torch import Tensor, nn

from clsp.model.config import StackConfig
from clsp.model.initialisation import scaled_linear

MASKED_SCORE = -1000.0


class AttentionWeights(nn.Module):
    """Softmax weights (N, H, T, T) of frames (N, T, C) for each other; rows are targets."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.heads = config.num_heads
        self.sizes = (config.query_head_dim, config.query_head_dim, config.pos_head_dim)
        scale = config.query_head_dim**-0.25
        self.in_proj = scaled_linear(config.encoder_dim, self.heads * sum(self.sizes), scale)
        self.linear_pos = scaled_linear(config.pos_dim, self.heads * config.pos_head_dim, 0.05, bias=False)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """`positions` (2T − 1, pos_dim); `mask` (N, T), True at padding, to which nothing attends."""
        parts = self.in_proj(x).split([self.heads * size for size in self.sizes], dim=-1)
        query, key, position_query = (split_heads(part, self.heads) for part in parts)
        codes = self.linear_pos(positions).view(len(positions), self.heads, -1)
        by_offset = position_query @ codes.permute(1, 2, 0)
        scores = query @ key.transpose(-2, -1) + by_pair(by_offset)
        return scores.masked_fill(mask[:, None, None, :], MASKED_SCORE).softmax(dim=-1)


class SelfAttention(nn.Module):
    """Frames (N, T, C) mixed by given weights, each head with its own small value vectors."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.heads = config.num_heads
        values = config.num_heads * config.value_head_dim
        self.in_proj = nn.Linear(config.encoder_dim, values)
        self.out_proj = scaled_linear(values, config.encoder_dim, 0.05)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """`weights` (N, H, T, T)."""
        mixed = weights @ split_heads(self.in_proj(x), self.heads)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class NonlinAttention(nn.Module):
    """Gated mixing of many channels by the weights of the first head alone."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        hidden = 3 * config.encoder_dim // 4
        self.in_proj = nn.Linear(config.encoder_dim, 3 * hidden)
        self.out_proj = scaled_linear(hidden, config.encoder_dim, 0.05)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """`weights` (N, H, T, T), of which the first head is used."""
        gate, values, out_gate = self.in_proj(x).chunk(3, dim=-1)
        mixed = weights[:, 0] @ (values * gate.tanh())
        out: Tensor = self.out_proj(mixed * out_gate)
        return out


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(N, T, H·d) to (N, H, T, d)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def by_pair(by_offset: Tensor) -> Tensor:
    """Scores (…, T, 2T − 1) by offset source − target to scores (…, T, T) by target and source.

    Row i needs columns T − 1 − i onwards: a view of the same numbers with rows one shorter.
    """
    frames = by_offset.shape[-2]
    if frames == 1:
        return by_offset
    shorter = 2 * frames - 2
    flat = by_offset.flatten(-2).narrow(-1, frames - 1, frames * shorter)
    return flat.view(*flat.shape[:-1], frames, shorter)[..., :frames]
