"""Swoosh activations, in the form that neither overflows in half precision nor spends memory on its gradient.

Their elementwise work dominates the cost of a small front end on a CPU, so forward and backward are written in
place on one temporary each. Each leads into linear work, which ``recomputed`` runs without keeping it.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from clsp.model.recomputed import Gradients, Itself, recomputed

SLOPE = 0.08


@dataclass(frozen=True)
class Swoosh:
    """softplus(x − shift) − 0.08·x − offset."""

    shift: float
    offset: float
    inputs = 1

    def value(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return softplus(x - self.shift).sub_(x, alpha=SLOPE).sub_(self.offset)

    def gradient(self, gradient: Tensor, x: Tensor) -> Tensor:
        """That of x."""
        return (x - self.shift).sigmoid_().sub_(SLOPE).mul_(gradient)

    def gradients(self, gradient: Tensor, x: Tensor) -> Gradients:
        """That of x alone."""
        return (self.gradient(gradient, x),)


# softplus(x − 4) − 0.08·x − 0.035, and the same with a shift of 1, zero at zero (reference 3.11).
SWOOSH_L, SWOOSH_R = Swoosh(4.0, 0.035), Swoosh(1.0, 0.313261687)


def swoosh_l(x: Tensor) -> Tensor:
    """softplus(x − 4) − 0.08·x − 0.035."""
    return recomputed(SWOOSH_L, Itself(), x)


def swoosh_r(x: Tensor) -> Tensor:
    """softplus(x − 1) − 0.08·x − 0.313261687."""
    return recomputed(SWOOSH_R, Itself(), x)


@dataclass(frozen=True)
class Dropped:
    """``swoosh`` of x, times factors (0 where dropped) that have no gradient."""

    swoosh: Swoosh
    inputs = 2

    def value(self, x: Tensor, factors: Tensor) -> Tensor:
        """x (N, T, C) by factors that broadcast to it."""
        return self.swoosh.value(x).mul_(factors)

    def gradients(self, gradient: Tensor, x: Tensor, factors: Tensor) -> Gradients:
        """That of x, and none of the factors."""
        return *self.swoosh.gradients(gradient.mul_(factors), x), None
