"""Scales: from values to pixels, and the round numbers an axis is marked with."""

import math
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)
_NARROWEST = 1e-6  # of the values themselves
_NOTHING = 1e-30


@dataclass(frozen=True)
class Scale:
    """Maps ``low … high`` to ``start … end`` pixels, in a straight line."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the scale, roughly ``about`` of them."""
        step = round_step((self.high - self.low) / about)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def round_step(raw: float) -> float:
    """The smallest of 1, 2, 2.5, 5 × 10ⁿ that is not below ``raw``."""
    if raw <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in _STEPS if factor * power >= raw * (1 - 1e-9))


def rounded_out(low: float, high: float, about: int = 5) -> tuple[float, float]:
    """The interval grown to round ends; one too narrow for its ticks to be told apart is widened first."""
    size = max(abs(low), abs(high))
    size = size if size > _NOTHING else 1.0
    if high - low <= max(size * _NARROWEST, _NOTHING):
        low, high = low - size / 2, high + size / 2
    step = round_step((high - low) / about)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def tick_label(value: float) -> str:
    """A tick's number: short, without an exponent where it can be helped."""
    if value and abs(value) < 0.001:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "−")
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")
