"""Scales, numbers and drawings of the report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report import numbers
from pipelines.report.charts.lines import line_chart, smoothed
from pipelines.report.charts.scale import Scale, round_step, rounded_out, tick_label
from pipelines.report.charts.svg import element
from pipelines.report.views import Series

REASONABLE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.percent(0.21345), "21.3\u202f%"),
        (numbers.percent(1 / 96, 2), "1.04\u202f%"),
        (numbers.count(12345), "12,345"),
        (numbers.seconds(0.417), "0.42\u202fs"),
        (numbers.seconds(9.96), "10\u202fs"),
        (numbers.seconds(75), "1\u202fmin 15\u202fs"),
        (numbers.seconds(7505), "2\u202fh 05\u202fmin"),
        (numbers.size(512), "512\u202fB"),
        (numbers.size(1536), "1.50\u202fKiB"),
        (numbers.size(700 * 2**20), "700\u202fMiB"),
        (numbers.size(1.5 * 2**30), "1.50\u202fGiB"),
        (numbers.times(17.04), "17\u202f×"),
        (numbers.times(2.51), "2.5\u202f×"),
        (numbers.rank(3.0), "3"),
        (numbers.rank(45.5), "45.5"),
        (tick_label(-0.25), "−0.25"),
        (tick_label(0.00002), "2e−5"),
        (tick_label(25_000), "25,000"),
    ],
)
def test_spelling_of_numbers(shown, expected):
    assert shown == expected


def test_round_steps():
    assert [round_step(raw) for raw in (0.8, 1.1, 2.2, 3, 7)] == [1, 2, 2.5, 5, 10]
    assert Scale(0, 1, 0, 100).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


@given(REASONABLE, REASONABLE)
def test_axes_hold_their_values(a, b):
    low, high = rounded_out(min(a, b), max(a, b))
    assert low < high
    unseen = (high - low) * 1e-6  # far less than a pixel
    assert low <= min(a, b) + unseen
    assert high >= max(a, b) - unseen
    assert len(Scale(low, high, 0, 100).ticks()) < 30


def test_smoothing_keeps_a_straight_level():
    assert smoothed([2.0] * 50) == pytest.approx([2.0] * 50)


def test_line_chart_says_what_it_shows():
    drawn = line_chart("Loss", "nats", [Series("fine", (0.0, 1.0, 2.0), (3.0, 2.0, 1.5))])
    assert "<desc>nats over 3 points: fine from 3 to 1.5</desc>" in drawn


def test_line_chart_of_a_diverged_run():
    assert "no finite values" in line_chart("Loss", "nats", [Series("fine", (), ())])


def test_text_and_attributes_are_escaped():
    assert element("text", '<b>"&', data_x='"><script>') == (
        '<text data-x="&#34;&gt;&lt;script&gt;">&lt;b&gt;&#34;&amp;</text>'
    )
