"""The optimiser and learning-rate schedule that Zipformers are trained with."""

from clsp.optim.eden import Eden
from clsp.optim.scaled_adam import ScaledAdam

__all__ = ["Eden", "ScaledAdam"]
