"""The three protocols of reference 1.11 on recordings in files: retrieval, zero-shot classes, human ratings.

Each takes an encoder and gives plain nested numbers, every one with its bootstrap interval, that ``written`` renders.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clsp.config.evaluation import EvaluationSettings
from clsp.errors import DataError
from clsp.evaluation.embeddings import Encoder, embed_texts
from clsp.evaluation.files import embed_files
from clsp.evaluation.scores import score_pairs
from clsp.evaluation.statistics import estimate, kendall, pearson, spearman, unweighted_recall, weighted_accuracy
from clsp.evaluation.tables import Pair, Rated
from clsp.evaluation.zero_shot import Benchmark

Result = dict[str, Any]
_CORRELATIONS = {"pearson": pearson, "spearman": spearman, "kendall": kendall}
_FEWEST_RATED = 3


def evaluate_retrieval(encoder: Encoder, pairs: Sequence[Pair], settings: EvaluationSettings) -> Result:
    """``{"clips", "retrieval": {kind: scores}, "control": {kind: scores}}`` over the pairs that have each caption."""
    result: Result = {"clips": len(pairs), "retrieval": {}, "control": {}}
    speech = embed_files(encoder, [pair.path for pair in pairs], settings.batch_size)
    for kind, captions in (("fine", [pair.fine for pair in pairs]), ("global", [pair.overall for pair in pairs])):
        present = [index for index, text in enumerate(captions) if text]
        if present:
            texts = [captions[index] for index in present]
            scores = score_pairs(speech[present], embed_texts(encoder, texts, settings.batch_size), texts, settings)
            result["retrieval"][kind], result["control"][kind] = scores
    return result


def evaluate_zero_shot(encoder: Encoder, benchmark: Benchmark, folder: Path, settings: EvaluationSettings) -> Result:
    """``{"benchmark", "clips", "speakers", "wa", "uar", "confusion": {truth: {answer: clips}}}`` of a corpus folder."""
    clips = [clip for clip in benchmark.read(folder) if clip.label in benchmark.classes]
    if not clips:
        raise DataError(f"no clip of {benchmark.name} has one of its classes", hint="look at the corpus's folder")
    speech = embed_files(encoder, [clip.path for clip in clips], settings.batch_size)
    prompts = embed_texts(encoder, list(benchmark.prompts), settings.batch_size)
    truth, answers = [clip.label for clip in clips], benchmark.classify(speech, prompts)
    a, b = np.array(truth), np.array(answers)
    return {
        "benchmark": benchmark.name,
        "clips": len(clips),
        "speakers": len({clip.speaker for clip in clips}),
        "chance": 1 / len(benchmark.classes),
        "wa": asdict(estimate(weighted_accuracy, a, b, settings)),
        "uar": asdict(estimate(unweighted_recall, a, b, settings)),
        "confusion": _confusion(benchmark.classes, truth, answers),
    }


def evaluate_similarity(encoder: Encoder, rated: Sequence[Rated], settings: EvaluationSettings) -> Result:
    """``{"pairs", "categories": {category: {pearson, spearman, kendall}}}`` of cosines with people's mean ratings."""
    paths = list(dict.fromkeys(row.path for row in rated))
    place = {path: index for index, path in enumerate(paths)}
    speech = embed_files(encoder, paths, settings.batch_size)[[place[row.path] for row in rated]]
    texts = embed_texts(encoder, [row.caption for row in rated], settings.batch_size)
    cosines, ratings = (speech * texts).sum(axis=1), np.array([row.rating for row in rated])
    categories = np.array([row.category for row in rated])
    result: Result = {"pairs": len(rated), "categories": {}}
    for category in dict.fromkeys(categories.tolist()):
        chosen = categories == category
        if chosen.sum() < _FEWEST_RATED:
            raise DataError(
                f"category {category!r} has fewer than {_FEWEST_RATED} rated pairs", hint="merge categories"
            )
        result["categories"][category] = {
            "pairs": int(chosen.sum()),
            **{
                name: asdict(estimate(measure, cosines[chosen], ratings[chosen], settings))
                for name, measure in _CORRELATIONS.items()
            },
        }
    return result


def _confusion(classes: Sequence[str], truth: Sequence[str], answers: Sequence[str]) -> dict[str, dict[str, int]]:
    pairs = Counter(zip(truth, answers, strict=True))
    return {row: {column: pairs[(row, column)] for column in classes} for row in classes}
