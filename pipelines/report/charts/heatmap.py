"""The similarity matrix: clips down, captions across, each clip's own caption on the diagonal."""

from collections.abc import Sequence

from markupsafe import Markup

from pipelines.report.charts.scale import tick_label
from pipelines.report.charts.svg import chart, element, line, text
from pipelines.report.views import SimilarityView

_CELL, _LEFT, _TOP, _BOTTOM = 20, 58, 24, 46
_RAMP = 40
_KEY = 370  # width of the legend


def heat_map(view: SimilarityView) -> Markup:
    """Cosines as strength of colour; a ring marks a clip's own caption, a dot the caption that the model puts first."""
    items, cells = len(view.captions), [value for row in view.cosines for value in row]
    low, high = min(cells), max(cells)
    side = items * _CELL
    width, height = _LEFT + max(side, _KEY) + 8, _TOP + side + _BOTTOM
    drawn = [_cell(view, row, column, low, high) for row in range(items) for column in range(items)]
    rings = [_ring(index) for index in range(items)]
    dots = [_dot(row, _best(values), values) for row, values in enumerate(view.cosines)]
    labels = [mark for index, speaker in enumerate(view.speakers) for mark in _labels(index, speaker)]
    content = [*drawn, *rings, *dots, *labels, *_legend(low, high, side)]
    title, style = "Similarity of clips and captions", f"max-width:{width}px"
    return chart(title, _describe(view, low, high), width, height, content, class_="heat", style=style)


def _describe(view: SimilarityView, low: float, high: float) -> str:
    items, found = len(view.captions), sum(_best(values) == row for row, values in enumerate(view.cosines))
    size = f"{items} clips by {items} captions, cosines {low:.2f} to {high:.2f}"
    return f"{size}; {found} clips find their own caption first"


def _cell(view: SimilarityView, row: int, column: int, low: float, high: float) -> Markup:
    value = view.cosines[row][column]
    label = element("title", f"clip {row + 1} ({view.speakers[row]}) × caption {column + 1}: {value:.3f}")
    strength = f"{_strength(value, low, high):.3f}"
    x, y = _LEFT + column * _CELL, _TOP + row * _CELL
    return element("rect", [label], x=x, y=y, width=_CELL, height=_CELL, class_="cell", fill_opacity=strength)


def _strength(value: float, low: float, high: float) -> float:
    """Squared, so that the few high cosines stand out from the many middling ones."""
    return ((value - low) / (high - low or 1.0)) ** 2


def _ring(index: int) -> Markup:
    x, y = _LEFT + index * _CELL + 1, _TOP + index * _CELL + 1
    return element("rect", x=x, y=y, width=_CELL - 2, height=_CELL - 2, class_="ring")


def _dot(row: int, column: int, values: Sequence[float]) -> Markup:
    x, y = _LEFT + (column + 0.5) * _CELL, _TOP + (row + 0.5) * _CELL
    return element(
        "circle", [element("title", f"first for clip {row + 1}: {values[column]:.3f}")], cx=x, cy=y, r=3, class_="dot"
    )


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _labels(index: int, speaker: str) -> list[Markup]:
    middle = (index + 0.5) * _CELL
    name = speaker if len(speaker) <= 7 else f"{speaker[:6]}…"
    return [
        text(_LEFT - 5, _TOP + middle + 3.5, f"{name} {index + 1}" if len(name) < 5 else name, "tick", "end"),
        text(_LEFT + middle, _TOP - 6, str(index + 1), "tick", "middle"),
    ]


def _legend(low: float, high: float, side: float) -> list[Markup]:
    top, width = _TOP + side + 14, 4.0
    ramp = [_ramp_step(_LEFT + index * width, top, width, (index + 0.5) / _RAMP) for index in range(_RAMP)]
    end = _LEFT + _RAMP * width
    ends = [
        text(_LEFT, top + 22, tick_label(round(low, 2)), "tick"),
        text(end, top + 22, tick_label(round(high, 2)), "tick", "end"),
    ]
    names = [text(_LEFT + (end - _LEFT) / 2, top + 22, "cosine", "unit", "middle")]
    keys = [
        element("rect", x=end + 24, y=top - 2, width=13, height=13, class_="ring"),
        text(end + 43, top + 8.5, "own caption", "legend"),
        element("circle", cx=end + 126, cy=top + 4.5, r=3, class_="dot"),
        text(end + 134, top + 8.5, "ranked first", "legend"),
    ]
    return [*ramp, line(_LEFT, top + 9, end, top + 9, "grid"), *ends, *names, *keys]


def _ramp_step(x: float, y: float, width: float, share: float) -> Markup:
    strength = f"{_strength(share, 0.0, 1.0):.3f}"
    return element("rect", x=x, y=y, width=width + 0.2, height=9, class_="cell ramp", fill_opacity=strength)
