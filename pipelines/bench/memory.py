"""Peak memory of a training step, and of its loss, beside plain eager mathematics, each in a process of its own."""

import ctypes
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clsp.losses import info_nce
from pipelines.bench.training import Load, make_inputs, make_model, our_step, plain_step

Side = Literal["plain", "ours", "checkpoints"]
# glibc's M_MMAP_THRESHOLD: tensors are mapped one by one and given back when freed, so that what is counted is what is
# in use and not what the allocator keeps.
_MAP_FROM, _MAPPED_BYTES = -3, 2**16
_STATUS, _CLEAR, _PEAK_ONLY = "/proc/self/status", "/proc/self/clear_refs", "5"
CLIPS, SECONDS = 16, 10.0  # so that activations, and not what the optimiser remembers, are most of it
LAYERS = 1, 2  # of each of two stacks: how the ratio goes with depth
WARM_SECONDS = 0.5


@dataclass(frozen=True)
class Peaks:
    """MiB that a step takes at most, weights, gradients and optimiser included; ratios to the plain side.

    ``before`` is what each side holds before the step: weights, what the optimiser remembers, and the libraries.
    ``checkpoints`` is ours with activation checkpoints.
    """

    load: Load
    before: dict[Side, float]
    peak: dict[Side, float]
    ratio: float
    checkpoints_ratio: float


def compare_memory(load: Load) -> Peaks:
    """A step of each side after a small one that fills the optimiser, on Linux.

    BrokenProcessPool when a side's process was killed.
    """
    sides: tuple[Side, ...] = ("plain", "ours", "checkpoints")
    found = {side: _in_a_process(_measure, side, load) for side in sides}
    before, peak = ({side: found[side][index] for side in sides} for index in (0, 1))
    return Peaks(load, before, peak, peak["ours"] / peak["plain"], peak["checkpoints"] / peak["plain"])


@dataclass(frozen=True)
class LossPeaks:
    """MiB that loss and gradients of ``clips`` take above their inputs, and seconds; ``matrix`` is N × N in float32."""

    clips: int
    dimension: int
    matrix: float
    whole: float
    tiled: float
    whole_seconds: float
    tiled_seconds: float


def compare_loss(clips: int, dimension: int, threads: int) -> LossPeaks:
    """The stage-1 loss in tiles, as training computes it, beside the whole matrix as the published code holds it."""
    whole, tiled = (_in_a_process(_loss, loss, clips, dimension, threads) for loss in (_whole_matrix, info_nce))
    return LossPeaks(clips, dimension, clips * clips * 4 / 2**20, whole[0], tiled[0], whole[1], tiled[1])


def _in_a_process(measure: Callable[..., tuple[float, float]], *arguments: object) -> tuple[float, float]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def _loss(loss: Callable[..., Tensor], clips: int, dimension: int, threads: int) -> tuple[float, float]:
    """MiB by which the peak rises, and seconds."""
    ctypes.CDLL(None).mallopt(_MAP_FROM, _MAPPED_BYTES)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    audio, text = (normalize(torch.randn(clips, dimension), dim=-1).requires_grad_() for _ in range(2))
    scale = torch.tensor(14.0, requires_grad=True)
    loss(audio[:8], text[:8], scale).backward()
    Path(_CLEAR).write_text(_PEAK_ONLY)
    before, start = _memory("VmRSS"), time.perf_counter()
    loss(audio, text, scale).backward()
    return _memory("VmHWM") - before, time.perf_counter() - start


def _whole_matrix(audio: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    logits, targets = scale * audio @ text.T, torch.arange(len(audio))
    return (cross_entropy(logits, targets) + cross_entropy(logits.T, targets)) / 2


def _measure(side: Side, load: Load) -> tuple[float, float]:
    """MiB before and at the peak of the step."""
    ctypes.CDLL(None).mallopt(_MAP_FROM, _MAPPED_BYTES)
    torch.set_num_threads(load.threads)
    model = make_model(load)
    model.checkpoint_activations(on=side == "checkpoints")
    step = plain_step(model) if side == "plain" else our_step(model)
    step(make_inputs(replace(load, seconds=WARM_SECONDS)))
    inputs = make_inputs(load)
    model.zero_grad()
    Path(_CLEAR).write_text(_PEAK_ONLY)
    before = _memory("VmRSS")
    step(inputs)
    return before, _memory("VmHWM")


def _memory(name: str) -> float:
    lines = dict(line.split(":", 1) for line in Path(_STATUS).read_text().splitlines())
    return int(lines[name].split()[0]) / 2**10
