"""Scores of paired speech and caption vectors, both directions, in the shape of design section 4.

One item is relevant to a query (reference 1.11), so mAP@10 is 1/rank within the first ten. Ties share credit: a model
that gives everything the same vector scores chance, and a caption that m clips have is worth 1/m at best. ``ceiling``
is therefore the R@1 of a perfect model, distinct captions over clips.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from clsp.config.evaluation import EvaluationSettings
from clsp.evaluation.control import inverse, shuffles
from clsp.evaluation.intervals import bootstrap, central
from clsp.evaluation.ranks import Ranks, rank

Scores = dict[str, JsonValue]
_DIGITS = 6
_CONTROL_CELLS = 1 << 24  # pairings of the control in all: with many clips a few shuffles say as much as hundreds
_FEWEST_SHUFFLES = 8


def score_pairs(
    speech: NDArray[Any], texts: NDArray[Any], captions: Sequence[str], settings: EvaluationSettings
) -> tuple[Scores, Scores]:
    """Scores and control of clip i with caption i: ``{"speech_to_text": {...}, "text_to_speech": {...}}`` each.

    ``speech`` and ``texts`` are (N, D) of unit norm; equal ``captions`` are expected to have equal vectors.
    """
    own = np.arange(len(captions))
    given = shuffles(len(captions), _affordable(settings.control_shuffles, len(captions)), settings.seed)
    common: Scores = {
        "chance": _rounded(1 / len(captions)),
        "ceiling": _rounded(len(set(captions)) / len(captions)),
        "n": len(captions),
    }
    forward, backward = (
        rank(speech, texts, np.vstack([own, given])),
        rank(texts, speech, np.vstack([own, inverse(given)])),
    )
    scores: Scores = {
        "speech_to_text": {**_measured(_first(forward), settings), **common},
        "text_to_speech": {**_measured(_first(backward), settings), **common},
    }
    control: Scores = {
        "speech_to_text": {**_control(_rest(forward), settings), **common},
        "text_to_speech": {**_control(_rest(backward), settings), **common},
    }
    return scores, control


def _affordable(shuffles: int, clips: int) -> int:
    return min(shuffles, max(_FEWEST_SHUFFLES, _CONTROL_CELLS // clips))


def _measured(ranks: Ranks, settings: EvaluationSettings) -> Scores:
    low, high = bootstrap(ranks.recall_at(1), settings.resamples, settings.confidence, settings.seed)
    return {**_means(ranks), "r1_low": _rounded(low), "r1_high": _rounded(high)}


def _control(ranks: Ranks, settings: EvaluationSettings) -> Scores:
    """Means over all shuffles; the interval is where R@1 of one shuffle falls."""
    low, high = central(ranks.recall_at(1).mean(axis=1), settings.confidence)
    return {**_means(ranks), "r1_low": _rounded(low), "r1_high": _rounded(high)}


def _means(ranks: Ranks) -> Scores:
    recalls = {f"r{k}": _rounded(ranks.recall_at(k).mean()) for k in (1, 5, 10)}
    median = _rounded(np.median(ranks.expected()))
    return {**recalls, "map10": _rounded(ranks.precision_at(10).mean()), "median_rank": median}


def _first(ranks: Ranks) -> Ranks:
    return Ranks(ranks.above[0], ranks.tied[0])


def _rest(ranks: Ranks) -> Ranks:
    return Ranks(ranks.above[1:], ranks.tied[1:])


def _rounded(value: Any) -> float:
    return round(float(value), _DIGITS)
