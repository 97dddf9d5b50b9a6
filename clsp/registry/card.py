"""The model card: what a version was made of, how well it does, and what it must not be used for.

Written from counts and measured scores alone, so that a card never says more than its version can show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_DIRECTIONS = {"speech_to_text": "speech → text", "text_to_speech": "text → speech"}

LIMITS = (
    "It embeds how something is said (age, sex, pitch, pace, loudness, emotion, accent), not the words.",
    "It was made for mono speech of 1 to 30 s. Shorter, noisy, overlapping or sung speech was not evaluated.",
    "A cosine is a rank, not a probability, and is comparable only within one version.",
    "It inherits what its captions say and leave out; it must not decide about a person, their health or origin.",
    "The licences of the training data below bind whoever uses or redistributes the weights.",
)


@dataclass(frozen=True)
class CardFacts:
    """What a card tells: clips, hours and speakers by split, clips by licence and language, scores by caption kind."""

    name: str
    parameters: int
    embedding_dim: int
    clips: Mapping[str, int]
    hours: Mapping[str, float]
    speakers: Mapping[str, int]
    licences: Mapping[str, int]
    languages: Mapping[str, int]
    retrieval: Mapping[str, Any] = field(default_factory=dict)
    control: Mapping[str, Any] = field(default_factory=dict)


def write_card(facts: CardFacts) -> str:
    """The card as Markdown; equal facts give equal text."""
    sections = (
        _summary(facts),
        ["## Training data", "", *_data_table(facts), "", *_shares("Licence", facts.licences)],
        [*_shares("Language", facts.languages)],
        ["## Retrieval on held-out speakers", "", *_score_table(facts)],
        ["## Limits", "", *(f"- {limit}" for limit in LIMITS)],
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _summary(facts: CardFacts) -> list[str]:
    return [
        f"# {facts.name}",
        "",
        f"A contrastive language-speech model (arXiv 2601.03065) of {facts.parameters:,} parameters.",
        f"Its Zipformer2 speech tower and RoBERTa text tower give unit vectors of {facts.embedding_dim} dimensions.",
        "",
        "Load it with `clsp.load_model(folder)`; serve it with `clsp serve`.",
    ]


def _data_table(facts: CardFacts) -> list[str]:
    rows = [
        f"| {split} | {facts.clips[split]:,} | {facts.hours[split]:.2f} | {facts.speakers[split]:,} |"
        for split in sorted(facts.clips)
    ]
    return ["| split | clips | hours | speakers |", "|---|---|---|---|", *rows]


def _shares(title: str, counts: Mapping[str, int]) -> list[str]:
    rows = [f"| {name or 'not stated'} | {count:,} |" for name, count in sorted(counts.items())]
    return [f"| {title.lower()} | clips |", "|---|---|", *rows]


def _score_table(facts: CardFacts) -> list[str]:
    if not facts.retrieval:
        return ["Not evaluated."]
    rows = [
        _score_row(kind, direction, scores, facts.control.get(kind, {}).get(direction, {}))
        for kind, directions in sorted(facts.retrieval.items())
        for direction, scores in sorted(directions.items())
    ]
    return [
        "| captions | direction | R@1 (95 % interval) | mAP@10 | chance | R@1, shuffled |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def _score_row(kind: str, direction: str, scores: Mapping[str, float], control: Mapping[str, float]) -> str:
    interval = f"{scores['r1']:.3f} ({scores['r1_low']:.3f}–{scores['r1_high']:.3f})"
    shuffled = f"{control['r1']:.3f}" if "r1" in control else "–"
    label = _DIRECTIONS.get(direction, direction)
    return f"| {kind} | {label} | {interval} | {scores['map10']:.3f} | {scores['chance']:.3f} | {shuffled} |"
