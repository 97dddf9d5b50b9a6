"""Score penalty: keeps attention from becoming so sure of itself that nothing can change its mind."""

from torch import Tensor

from clsp.model.machinery.edits import GradientEdit

LIMIT = 25.0
PENALTY = 1e-4
SHARE = 0.1


class ScorePenalty(GradientEdit):
    """In a tenth of the calls, the gradient of 1e-4 · Σ max(0, |score| − 25) (reference 3.17)."""

    def __init__(self) -> None:
        super().__init__(SHARE)

    def edit(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Push scores beyond the limit back."""
        return gradient + PENALTY * x.sign() * (x.abs() > LIMIT)
