"""``clsp average``: the mean of the weights over an interval of a run, out of two running averages (reference 1.8).

A running average at batch n stands for the sum of the weights up to n; the difference of two such sums is that of
the interval between them. Two checkpoints thus give an exact mean of thousands of weights that nobody kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from clsp.errors import ModelError
from clsp.model.config import ModelConfig
from clsp.model.icefall import read_icefall
from clsp.model.importing import ImportedModel, write_source
from clsp.model.sources import Source
from clsp.model.weights import Weights
from clsp.storage import open_store
from clsp.training.average import PREFIX
from clsp.training.checkpoints import Checkpoints

PERIOD = 200  # batches between updates of icefall's average, where a checkpoint does not say


@dataclass(frozen=True)
class RunningMean:
    """The mean of the weights over the first ``batches`` batches of a run, float64 by name."""

    name: str
    batches: int
    weights: Weights


def read_running_mean(place: str, period: int = PERIOD) -> RunningMean:
    """The running average in an icefall ``.pt``, or in ``STORE/PREFIX@STEP`` of a run of ours (newest without @STEP).

    ``ModelError`` when there is none.
    """
    mean = _of_icefall(Path(place), period) if place.endswith(".pt") else _of_run(place)
    if mean.batches < 1:
        raise ModelError(f"{place}: its average stands for no batch yet", hint="take a later checkpoint")
    return mean


def interval_mean(means: Sequence[RunningMean]) -> RunningMean:
    """The mean over the batches after the earliest of ``means`` up to the latest; of one alone, over all its batches.

    (avg_e·n_e - avg_s·n_s) / (n_e - n_s) in float64. ``ModelError`` when the ends coincide or are of other models.
    """
    ordered = sorted(means, key=lambda mean: mean.batches)
    start, end = ordered[0], ordered[-1]
    if len(ordered) == 1:
        return end
    if start.batches == end.batches:
        raise ModelError(
            f"{start.name} and {end.name} both stand for {end.batches} batches",
            hint="take checkpoints further apart than the average's period",
        )
    if _shapes(start.weights) != _shapes(end.weights):
        raise ModelError(f"{start.name} and {end.name} are of other models", hint="take two checkpoints of one run")
    between = end.batches - start.batches
    weights = {
        name: value.double()
        .mul(end.batches / between)
        .sub_(start.weights[name].double(), alpha=start.batches / between)
        if value.is_floating_point()
        else value
        for name, value in end.weights.items()
    }
    return RunningMean(f"{start.name} … {end.name}", between, weights)


def with_vocabulary(config: ModelConfig, mean: RunningMean) -> ModelConfig:
    """A preset with as many words as the weights have: a run trains its own tokenizer."""
    words = mean.weights.get("text_encoder.embeddings.word_embeddings.weight")
    return config if words is None else config.with_text(vocab_size=len(words))


def write_mean(mean: RunningMean, config: ModelConfig, out: Path, tokenizer: Path | None) -> ImportedModel:
    """Write a mean as a model directory in float32, with the tokenizer of a folder if there is one."""
    source = Source("icefall", out.parent, out, config, mean.weights)
    return write_source(source, out, tokenizer)


def _of_icefall(path: Path, period: int) -> RunningMean:
    checkpoint = read_icefall(path)
    if checkpoint.average is None or checkpoint.batches is None:
        raise ModelError(f"{path.name} holds no running average", hint="train with --average-period, or import it")
    every = checkpoint.period or period
    return RunningMean(path.name, checkpoint.batches // every * every, checkpoint.average)


def _of_run(place: str) -> RunningMean:
    prefix, _, step = place.partition("@")
    root, _, key = prefix.partition("/checkpoints/")
    if not key or (step and not step.isdigit()):
        raise ModelError(f"{place!r} names no checkpoint", hint="give a .pt, or STORE/checkpoints/RUN@STEP")
    checkpoints = Checkpoints(open_store(root), f"checkpoints/{key.strip('/')}")
    checkpoint = checkpoints.load(int(step)) if step else checkpoints.latest()
    if checkpoint is None:
        raise ModelError(f"no checkpoint in {place!r}", hint="list them: their names end in steps/STEP.json")
    named = checkpoint.tensors.items()
    weights = {name.removeprefix(PREFIX): value for name, value in named if name.startswith(PREFIX)}
    return RunningMean(place, int(checkpoint.facts.get("averaged_steps", 0)), weights)


def _shapes(weights: Weights) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in weights.items()}
