"""Feed-forward module: what a frame makes of itself."""

from torch import Tensor, nn

from clsp.model.activations import swoosh_l
from clsp.model.initialisation import scaled_linear
from clsp.model.masking import SharedDropout


class FeedForward(nn.Module):
    """Linear, SwooshL, dropout shared over time, linear, on (N, T, C) (reference 3.15)."""

    def __init__(self, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.in_proj = nn.Linear(channels, hidden)
        self.dropout = SharedDropout(dropout)
        self.out_proj = scaled_linear(hidden, channels, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) to (N, T, C)."""
        out: Tensor = self.out_proj(self.dropout(swoosh_l(self.in_proj(x))))
        return out
