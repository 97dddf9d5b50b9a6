"""Heads: from a tower's vector to the space that speech and text share."""

from torch import Tensor, nn


def projection(inputs: int, embedding_dim: int) -> nn.Sequential:
    """Linear, ReLU, Linear; names `0` and `2` (reference 1.3)."""
    return nn.Sequential(nn.Linear(inputs, embedding_dim), nn.ReLU(), nn.Linear(embedding_dim, embedding_dim))


class Transform(nn.Module):
    """Linear, ReLU, dropout, Linear; names `sequential.0` and `sequential.3` (reference 1.3)."""

    def __init__(self, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.sequential = nn.Sequential(
            nn.Linear(embedding_dim, embedding_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(embedding_dim, embedding_dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, D) to (N, D)."""
        out: Tensor = self.sequential(x)
        return out
