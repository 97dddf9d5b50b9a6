"""Feed-forward module: what a frame makes of itself."""

from torch import Tensor, nn

from clsp.model.activations import SWOOSH_L, Dropped
from clsp.model.initialisation import scaled_linear
from clsp.model.machinery import Balancer, SharedDropout, Whiten, edited, falling
from clsp.model.pointwise import pointwise
from clsp.model.recomputed import Linear, recomputed


class FeedForward(nn.Module):
    """Linear, SwooshL, dropout shared over time, linear, on (N, T, C) (reference 3.15)."""

    def __init__(self, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.in_proj = nn.Linear(channels, hidden)
        self.hidden_balancer = Balancer((0.3, 1.0), (0.75, 5.0))
        self.dropout = SharedDropout(dropout)
        self.checkpoints = False  # while training, only what enters is kept
        self.out_proj = scaled_linear(hidden, channels, 0.1)
        self.out_whiten = Whiten(falling(7.5, 15.0, 20_000))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) to (N, T, C)."""
        acts, weights = self.hidden_balancer.acts(), (self.out_proj.weight, self.out_proj.bias)
        if self.checkpoints and self.training and not acts:
            factors = self.dropout.factors(x, self.in_proj.out_features)
            left = pointwise(x, factors, self.in_proj.weight, self.in_proj.bias, *weights)
        else:
            left = self._kept(edited(self.in_proj(x), self.hidden_balancer.edit) if acts else self.in_proj(x), weights)
        out: Tensor = self.out_whiten(left)
        return out

    def _kept(self, hidden: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
        factors = self.dropout.factors(hidden, hidden.shape[-1])
        if factors is None:
            return recomputed(SWOOSH_L, Linear(), hidden, *weights)
        return recomputed(Dropped(SWOOSH_L), Linear(), hidden, factors, *weights)
