"""The page: views and charts laid out by one template, style and script inlined, everything from outside escaped.

A content security policy lets nothing but the page's own script run and nothing be fetched, because captions and
transcripts are other people's text.
"""

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from components.runner import StepReport
from pipelines.report import numbers
from pipelines.report.charts.bars import DIRECTIONS, retrieval_chart
from pipelines.report.charts.heatmap import heat_map
from pipelines.report.charts.histograms import histogram
from pipelines.report.charts.lines import line_chart
from pipelines.report.charts.waveform import waveform
from pipelines.report.headlines import headlines
from pipelines.report.views import ReportView, ScoreView, StageView

_KINDS = {"fine": "Fine captions", "global": "Global captions"}
_STAGES = {"stage1": "Stage 1", "stage2": "Stage 2"}


def render(report: ReportView) -> str:
    """The report as one HTML document."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        percent=numbers.percent, count=numbers.count, seconds=numbers.seconds, size=numbers.size, rank=numbers.rank
    )
    script = _asset("report.js")
    return environment.from_string(_asset("report.html.j2")).render(
        report=report,
        headlines=headlines(report),
        longest=max((step.seconds for step in report.work), default=0.0),
        total_seconds=sum(step.seconds for step in report.work),
        outcomes=_outcomes,
        clips=[(clip, waveform(clip), _audio_uri(clip.flac)) for clip in report.clips],
        retrieval=_retrieval(report.scores),
        directions=DIRECTIONS,
        stages=[(stage, _STAGES.get(stage.stage, stage.stage), _curves(stage)) for stage in report.stages],
        heat=heat_map(report.similarity) if report.similarity else None,
        pairs=_pairs(report),
        distributions=[histogram(one.title, one.unit, one.by_split) for one in report.distributions],
        style=Markup(_asset("report.css")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _asset(name: str) -> str:
    return files("pipelines.report").joinpath(name).read_text(encoding="utf-8")


def _audio_uri(flac: bytes) -> str:
    return f"data:audio/flac;base64,{base64.b64encode(flac).decode()}"


def _outcomes(step: StepReport) -> list[tuple[str, int]]:
    """What became of the rows, as parts of a bar."""
    parts = [
        ("accepted", step.accepted),
        ("rejected", sum(step.rejected.values())),
        ("failed", sum(step.failed.values())),
    ]
    return [(name, rows) for name, rows in parts if rows]


def _retrieval(scores: tuple[ScoreView, ...]) -> list[tuple[str, Markup, list[ScoreView]]]:
    highest = max((max(score.r1_high, score.control_high) for score in scores), default=0.0)
    kinds = dict.fromkeys(score.kind for score in scores)
    of_kind = {kind: [score for score in scores if score.kind == kind] for kind in kinds}
    return [
        (_KINDS.get(kind, kind), retrieval_chart(_KINDS.get(kind, kind), found, highest), found)
        for kind, found in of_kind.items()
    ]


def _curves(stage: StageView) -> list[tuple[str, Markup]]:
    name = _STAGES.get(stage.stage, stage.stage)
    charts: list[tuple[str, Any]] = [
        ("Loss", line_chart(f"{name}: loss", "nats", stage.losses, smooth=True, wide=True)),
        ("Temperature", line_chart(f"{name}: temperature", "1 / scale", [stage.temperature])),
        ("Learning rate", line_chart(f"{name}: learning rate", "at each step", [stage.learning_rate])),
        ("Gradient norm", line_chart(f"{name}: gradient norm", "2-norm", [stage.gradient_norm], smooth=True)),
    ]
    if stage.task_probability:
        drawn = line_chart(f"{name}: task", "probability", [stage.task_probability], bounds=(0.0, 1.0))
        charts.insert(2, ("Probability of the global + fine task", drawn))
    return charts


def _pairs(report: ReportView) -> Markup | None:
    view = report.similarity
    if view is None or not view.mismatched:
        return None
    return histogram("Cosine of pairs", "cosine", [("own caption", view.matched), ("other captions", view.mismatched)])
