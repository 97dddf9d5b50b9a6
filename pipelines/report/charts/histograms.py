"""Distributions as stepped outlines, so that several can lie over each other and still be told apart."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from pipelines.report.charts.scale import Scale, rounded_out, tick_label
from pipelines.report.charts.svg import chart, element, line, text
from pipelines.report.views import Numbers

WIDTH, HEIGHT = 270, 168
_LEFT, _RIGHT, _TOP, _BOTTOM = 12, 12, 26, 36
_BINS = 18


def histogram(title: str, unit: str, groups: Sequence[tuple[str, Numbers]]) -> Markup:
    """Share of each group's values by bin; every outline has the same area, so sizes do not matter."""
    values = np.concatenate([np.asarray(group) for _, group in groups])
    low, high = rounded_out(float(values.min()), float(values.max()))
    shares = [np.histogram(group, bins=_BINS, range=(low, high))[0] / len(group) for _, group in groups]
    x = Scale(low, high, _LEFT, WIDTH - _RIGHT)
    y = Scale(0.0, max(float(share.max()) for share in shares), HEIGHT - _BOTTOM, _TOP)
    drawn = [_outline(share, index, x, y) for index, share in reversed(list(enumerate(shares, start=1)))]
    described = "; ".join(
        f"{name}: {len(group)} values, median {np.median(group):.3g} {unit}" for name, group in groups
    )
    return chart(title, described, WIDTH, HEIGHT, [*_axis(x, unit), *drawn, *_legend(groups)], class_="plot small")


def _axis(x: Scale, unit: str) -> list[Markup]:
    base = HEIGHT - _BOTTOM
    ticks = [text(x(tick), base + 15, tick_label(tick), "tick", "middle") for tick in x.ticks(4)]
    return [
        line(_LEFT, base, WIDTH - _RIGHT, base, "axis"),
        *ticks,
        text(WIDTH - _RIGHT, HEIGHT - 5, unit, "unit", "end"),
    ]


def _outline(shares: np.ndarray, index: int, x: Scale, y: Scale) -> Markup:
    edges = np.linspace(x.low, x.high, len(shares) + 1)
    steps = [
        (x(edge), y(share))
        for share, left, right in zip(shares, edges, edges[1:], strict=False)
        for edge in (left, right)
    ]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in [(x.start, y.start), *steps, (x.end, y.start)])
    return element("polyline", points=points, class_=f"area s{index}")


def _legend(groups: Sequence[tuple[str, Numbers]]) -> list[Markup]:
    marks, left = [], float(_LEFT)
    for index, (name, group) in enumerate(groups, start=1):
        label = f"{name} ({len(group):,})"
        marks += [
            line(left, _TOP - 14, left + 10, _TOP - 14, f"swatch s{index}"),
            text(left + 14, _TOP - 10, label, "legend"),
        ]
        left += 5.6 * len(label) + 26
    return marks
