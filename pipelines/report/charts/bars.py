"""Retrieval as bars: R@1 with its interval, the shuffled control beneath it, and a line at chance."""

from collections.abc import Sequence

from markupsafe import Markup

from pipelines.report.charts.scale import Scale, rounded_out
from pipelines.report.charts.svg import chart, element, line, text
from pipelines.report.numbers import percent
from pipelines.report.views import ScoreView

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 560, 58, 118, 64, 18, 36
DIRECTIONS = {"speech_to_text": "speech → text", "text_to_speech": "text → speech"}


def retrieval_chart(title: str, scores: Sequence[ScoreView], highest: float) -> Markup:
    """Bars of one kind of caption; ``highest`` is the largest share any panel shows, so that panels compare."""
    height = _TOP + _ROW * len(scores) + _BOTTOM
    x = Scale(0.0, rounded_out(0.0, min(1.0, highest))[1], _LEFT, _WIDTH - _RIGHT)
    rows = [mark for index, score in enumerate(scores) for mark in _row(score, _TOP + index * _ROW, x)]
    base = height - _BOTTOM
    return chart(
        title, _describe(scores), _WIDTH, height, [*_axis(x, base), *rows, *_chance(scores[0], x, base)], class_="bars"
    )


def _axis(x: Scale, base: float) -> list[Markup]:
    marks = [line(_LEFT, _TOP, _LEFT, base, "axis")]
    for tick in x.ticks():
        marks.append(line(x(tick), _TOP, x(tick), base, "grid"))
        marks.append(text(x(tick), base + 15, f"{100 * tick:g}", "tick", "middle"))
    return [*marks, text(x.end, base + 31, "R@1, % of queries", "unit", "end")]


def _row(score: ScoreView, top: float, x: Scale) -> list[Markup]:
    name = DIRECTIONS.get(score.direction, score.direction)
    interval = f"{percent(score.r1)}, interval {percent(score.r1_low)} to {percent(score.r1_high)}"
    control = f"{percent(score.control)}, {percent(score.control_low)} to {percent(score.control_high)}"
    return [
        text(_LEFT - 8, top + 22, name, "label", "end"),
        text(_LEFT - 8, top + 44, "shuffled", "tick", "end"),
        _bar(f"{name}: {interval}", score.r1, score.r1_low, score.r1_high, top + 8, 20, x, "model"),
        text(x(score.r1_high) + 8, top + 22, percent(score.r1), "value"),
        _bar(f"shuffled: {control}", score.control, score.control_low, score.control_high, top + 35, 11, x, "control"),
    ]


def _bar(title: str, value: float, low: float, high: float, top: float, height: float, x: Scale, css: str) -> Markup:
    middle, cap = top + height / 2, height / 4
    return element("g", [
        element("title", title),
        element("rect", x=x.start, y=top, width=max(0.0, x(value) - x.start), height=height, class_=f"bar {css}"),
        line(x(low), middle, x(high), middle, "whisker"),
        line(x(low), middle - cap, x(low), middle + cap, "whisker"),
        line(x(high), middle - cap, x(high), middle + cap, "whisker"),
    ])  # fmt: skip


def _chance(score: ScoreView, x: Scale, base: float) -> list[Markup]:
    place = x(score.chance)
    return [
        line(place, _TOP - 4, place, base, "chance"),
        text(place + 4, _TOP - 6, f"chance {percent(score.chance, 2)}", "note"),
    ]


def _describe(scores: Sequence[ScoreView]) -> str:
    return "; ".join(
        f"{DIRECTIONS.get(score.direction, score.direction)} {percent(score.r1)} "
        f"({percent(score.r1_low)} to {percent(score.r1_high)}), "
        f"shuffled {percent(score.control)}, chance {percent(score.chance, 2)}"
        for score in scores
    )
