"""Speed and memory of training steps beside plain eager mathematics, which lives in tests/eager.

Both sides take turns, step by step, on the same weights and inputs, so that a busy machine slows them alike; the
ratio is the median over the turns. Peak memory is that of a process of its own for each side.
"""

import importlib
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from clsp.errors import ConfigError
from clsp.losses import info_nce
from clsp.model import DualEncoder, ModelConfig, parameter_groups, preset
from clsp.optim import ScaledAdam

LR, CLIPPING = 0.001, 2.0
# Two of the thirteen layers of clsp-xlarge at full width: a machine without a GPU can hold both sides' activations.
REDUCED = {"downsampling_factor": (1, 2), "num_encoder_layers": (1,), "cnn_module_kernel": (31,)}
TOKENS = 40

Step = Callable[[], float]


@dataclass(frozen=True)
class Load:
    """One training step's input: ``clips`` of ``seconds``, each with a caption; ``threads`` compute it."""

    preset: str
    clips: int
    seconds: float
    threads: int


@dataclass(frozen=True)
class Comparison:
    """Medians over interleaved steps; ``ratio`` is how many times faster ours is, its spread the middle half.

    ``cpu_ratio`` is that of CPU seconds, which other work on the machine changes least.
    """

    load: Load
    steps: int
    samples_per_second: float
    plain_samples_per_second: float
    ratio: float
    ratio_low: float
    ratio_high: float
    cpu_ratio: float


def compare_speed(load: Load, steps: int) -> Comparison:
    """Interleaved steps of ours and of the plain mathematics, after one of each that warms up."""
    torch.set_num_threads(load.threads)
    model = _model(preset(load.preset))
    sides = _plain_step(model, load), _our_step(model, load)
    turns = [tuple(_seconds(step) for step in sides) for _ in range(steps + 1)][1:]
    plain, ours = (statistics.median(wall for wall, _ in each) for each in zip(*turns, strict=True))
    ratios = sorted(slow[0] / fast[0] for slow, fast in turns)
    return Comparison(
        load, steps, load.clips / ours, load.clips / plain, statistics.median(ratios),
        ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4],
        statistics.median(slow[1] / fast[1] for slow, fast in turns),
    )  # fmt: skip


def compare_memory(load: Load) -> dict[str, Any]:
    """Growth of the peak in MiB that two steps of each side cause, and how ours relate to the plain ones."""
    kinds = ("plain", "ours", "checkpoints")
    growth = {kind: _in_a_process(kind, load) for kind in kinds}
    ratios = {f"{kind}_ratio": growth[kind] / growth["plain"] for kind in kinds[1:]}
    return {"load": asdict(load), "model": REDUCED, **{f"{kind}_mib": growth[kind] for kind in kinds}, **ratios}


def _in_a_process(kind: str, load: Load) -> float:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak_growth, (kind, load))


def _peak_growth(kind: str, load: Load) -> float:
    """Over the weights alone, which every side holds."""
    torch.set_num_threads(load.threads)
    model = _model(preset(load.preset).model_copy(update=_reduced()))
    model.checkpoint_activations(on=kind == "checkpoints")
    before = _peak()
    step = _plain_step(model, load, copies=False) if kind == "plain" else _our_step(model, load)
    for _ in range(2):
        step()
    return (_peak() - before) / 2**10


def _reduced() -> dict[str, Any]:
    config = preset("clsp-xlarge")
    shape = config.model_dump() | REDUCED
    for name in ("encoder_dim", "encoder_unmasked_dim", "num_heads", "feedforward_dim"):
        shape[name] = shape[name][:1]
    for name in ("query_head_dim", "pos_head_dim", "value_head_dim"):
        shape[name] = shape[name][:1]
    shape["text"] = {**shape["text"], "num_hidden_layers": 2, "vocab_size": 2000}
    reduced = ModelConfig.model_validate(shape)
    return {name: getattr(reduced, name) for name in ModelConfig.model_fields}


def _model(config: ModelConfig) -> DualEncoder:
    torch.manual_seed(0)
    return DualEncoder(config).train()


def _our_step(model: DualEncoder, load: Load) -> Step:
    optimiser = ScaledAdam(parameter_groups(model, LR, {}), lr=LR, clipping_scale=CLIPPING)
    return _step(model, info_nce, optimiser, load)


def _plain_step(model: DualEncoder, load: Load, *, copies: bool = True) -> Step:
    try:
        towers, optimisers = (importlib.import_module(f"tests.eager.{name}") for name in ("towers", "optimiser"))
    except ModuleNotFoundError as error:
        raise ConfigError(
            "the plain mathematics to compare with is in tests/eager", hint="run clsp bench train in a checkout"
        ) from error
    plain = towers.eager_towers(model) if copies else towers.make_eager(model)
    optimiser = optimisers.PerTensorScaledAdam(plain.parameters(), LR, CLIPPING)
    return _step(plain, towers.eager_info_nce, optimiser, load)


def _step(model: DualEncoder, loss: Callable[..., torch.Tensor], optimiser: Any, load: Load) -> Step:
    inputs = _inputs(load, model.config)

    def step() -> float:
        for parameter in model.parameters():
            parameter.grad = None
        torch.manual_seed(1)
        value = loss(*model(*inputs))
        torch.autograd.backward(value)
        optimiser.step()
        return float(value.detach())

    return step


def _inputs(load: Load, config: ModelConfig) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    frames = round(load.seconds * 100)
    features = torch.randn(load.clips, frames, config.num_mel_bins, generator=generator) - 6
    lengths = torch.full((load.clips,), frames)
    ids = torch.randint(4, 1000, (load.clips, TOKENS), generator=generator)
    return features, lengths, ids, torch.ones_like(ids)


def _seconds(step: Step) -> tuple[float, float]:
    """Of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall, time.process_time() - cpu


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
