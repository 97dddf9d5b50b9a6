"""The few numbers a reader sees first, each with what it must be compared with."""

from dataclasses import dataclass

from pipelines.report.numbers import count, percent, seconds, size, times
from pipelines.report.views import ReportView, ScoreView

_DIRECTIONS = {"speech_to_text": "a clip finds its caption", "text_to_speech": "a caption finds its clip"}


@dataclass(frozen=True)
class Headline:
    """One number, what it is, and what it is worth."""

    value: str
    name: str
    note: str


def headlines(report: ReportView) -> list[Headline]:
    """Retrieval of fine captions both ways, captions kept, time and memory, as far as the run has them."""
    fine = [score for score in report.scores if score.kind == "fine"] or list(report.scores)
    return [*(_retrieval(score) for score in fine[:2]), *_captions(report), *_cost(report)]


def _retrieval(score: ScoreView) -> Headline:
    interval = f"{percent(score.r1_low)} – {percent(score.r1_high)}"
    note = f"{interval} · {times(score.r1 / score.chance)} chance"
    return Headline(percent(score.r1), f"R@1, {_DIRECTIONS.get(score.direction, score.direction)}", note)


def _captions(report: ReportView) -> list[Headline]:
    judged = [step for step in report.steps if step.name == "verify" and step.rows_in]
    return [
        Headline(
            percent(step.accepted / step.rows_in),
            "captions pass verification",
            f"{count(step.accepted)} of {count(step.rows_in)}",
        )
        for step in judged
    ]


def _cost(report: ReportView) -> list[Headline]:
    if not report.steps:
        return []
    reused = sum(step.reused for step in report.steps)
    slowest = max(report.work, key=lambda step: step.seconds)
    hungriest = max(report.work, key=lambda step: step.max_rss_bytes)
    done = f"{len(report.steps)} steps, {reused} done before" if reused else f"{len(report.steps)} steps"
    return [
        Headline(
            seconds(sum(step.seconds for step in report.work)), "in all steps", f"{done} · {slowest.name} longest"
        ),
        Headline(size(hungriest.max_rss_bytes), "memory at most", f"in {hungriest.name}"),
    ]
