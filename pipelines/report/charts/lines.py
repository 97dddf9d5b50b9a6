"""Line charts of training: values over steps, with a faint raw line behind a smoothed one where noise would hide it."""

from collections.abc import Sequence

import numpy as np
import orjson
from markupsafe import Markup

from pipelines.report.charts.scale import Scale, rounded_out, tick_label
from pipelines.report.charts.svg import chart, element, line, text
from pipelines.report.views import Series

_HEIGHT, _WIDTH, _WIDE = 210, 360, 745
_LEFT, _RIGHT, _TOP, _BASE = 46, 10, 24, 176


def line_chart(
    title: str,
    unit: str,
    series: Sequence[Series],
    *,
    smooth: bool = False,
    wide: bool = False,
    bounds: tuple[float, float] | None = None,
) -> Markup:
    """One chart of ``series`` over the optimiser step; ``bounds`` fixes the y axis, ``wide`` spans two columns."""
    width, css = (_WIDE, "plot wide") if wide else (_WIDTH, "plot")
    drawable = [one for one in series if one.x]
    if not drawable:
        note = text(width / 2, _HEIGHT / 2, "no finite values", "note", "middle")
        return chart(title, "no finite values", width, _HEIGHT, [note], class_=css)
    x, y = _scales(drawable, width, bounds)
    curves = [_curve(one, index, x, y, smooth) for index, one in enumerate(drawable, start=1)]
    axes = [*_axis_y(x, y), *_axis_x(x), text(0, 9, unit, "unit")]
    legend = _legend(drawable, x.end) if len(drawable) > 1 else []
    content, hover = [*axes, *curves, *legend], _hover(drawable, x, width)
    return chart(title, _describe(unit, drawable), width, _HEIGHT, content, class_=css, data_plot=hover)


def _scales(series: Sequence[Series], width: float, bounds: tuple[float, float] | None) -> tuple[Scale, Scale]:
    values = [value for one in series for value in one.y]
    low, high = bounds or rounded_out(min(values), max(values))
    last = max(step for one in series for step in one.x)
    return Scale(0.0, max(last, 1.0), _LEFT, width - _RIGHT), Scale(low, high, _BASE, _TOP)


def _axis_y(x: Scale, y: Scale) -> list[Markup]:
    marks: list[Markup] = []
    for tick in y.ticks():
        marks.append(line(x.start, y(tick), x.end, y(tick), "grid"))
        marks.append(text(_LEFT - 6, y(tick) + 3.5, tick_label(tick), "tick", "end"))
    return marks


def _axis_x(x: Scale) -> list[Markup]:
    marks = [line(x.start, _BASE, x.end, _BASE, "axis")]
    marks += [text(x(tick), _BASE + 15, tick_label(tick), "tick", "middle") for tick in x.ticks()]
    return [*marks, text(x.end, _BASE + 30, "step", "unit", "end")]


def _curve(series: Series, index: int, x: Scale, y: Scale, smooth: bool) -> Markup:
    if not smooth or len(series.y) < 12:
        return _path(series.x, series.y, x, y, f"line s{index}")
    raw = _path(series.x, series.y, x, y, f"raw s{index}")
    return element("g", [raw, _path(series.x, smoothed(series.y), x, y, f"line s{index}")])


def _path(xs: Sequence[float], ys: Sequence[float], x: Scale, y: Scale, css: str) -> Markup:
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, ys, strict=True))
    return element("polyline", points=points, class_=css)


def smoothed(values: Sequence[float]) -> tuple[float, ...]:
    """A centred mean over a twelfth of the curve, over as many neighbours as there are at its ends."""
    half = max(1, len(values) // 24)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    spans = [(max(0, index - half), min(len(values), index + half + 1)) for index in range(len(values))]
    return tuple(float((sums[end] - sums[start]) / (end - start)) for start, end in spans)


def _legend(series: Sequence[Series], right: float) -> list[Markup]:
    marks = []
    for index, one in reversed(list(enumerate(series, start=1))):
        right -= 6.2 * len(one.name) + 30
        marks.append(line(right, 5, right + 16, 5, f"line s{index}"))
        marks.append(text(right + 21, 9, one.name, "legend"))
    return marks


def _hover(series: Sequence[Series], x: Scale, width: float) -> str:
    shown = [{"name": one.name, "x": one.x, "y": [float(f"{value:.4g}") for value in one.y]} for one in series]
    frame = {"low": x.low, "high": x.high, "left": x.start, "right": x.end, "top": _TOP, "bottom": _BASE}
    return orjson.dumps({**frame, "width": width, "series": shown}).decode()


def _describe(unit: str, series: Sequence[Series]) -> str:
    courses = (f"{one.name} from {one.y[0]:.3g} to {one.y[-1]:.3g}" for one in series)
    return f"{unit} over {max(len(one.x) for one in series)} points: {'; '.join(courses)}"
