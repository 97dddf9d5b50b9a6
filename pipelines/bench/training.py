"""Speed of training steps beside plain eager mathematics, which lives in tests/eager.

Both sides take turns, step by step, on the same weights and inputs, so that a busy machine slows them alike; the
ratio is the median over the turns.
"""

import copy
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import clsp
from clsp.errors import ConfigError
from clsp.losses import info_nce
from clsp.model import DualEncoder, ModelConfig, parameter_groups, preset
from clsp.optim import ScaledAdam

LR, CLIPPING = 0.001, 2.0
# Two of a preset's stacks at full width: a machine without a GPU can hold both sides' activations.
REDUCED = {"downsampling_factor": (1, 2), "cnn_module_kernel": (31,)}
BY_STACK = ("encoder_dim", "encoder_unmasked_dim", "num_heads", "feedforward_dim", "query_head_dim", "pos_head_dim",
            "value_head_dim")  # fmt: skip
REDUCED_VOCABULARY = 2000
TOKENS = 40

Inputs = tuple[torch.Tensor, ...]
Step = Callable[[Inputs], float]


@dataclass(frozen=True)
class Load:
    """One training step's input: ``clips`` of ``seconds``, each with a caption; ``threads`` compute it.

    ``layers``, unless 0: of each of the preset's first two stacks; its other stacks are left out, and the text tower
    has twice as many.
    """

    preset: str
    clips: int
    seconds: float
    threads: int
    layers: int = 0

    @property
    def config(self) -> ModelConfig:
        """The shape of the model that takes the step."""
        config = preset(self.preset)
        if not self.layers:
            return config
        shape = config.model_dump() | REDUCED | {"num_encoder_layers": (self.layers,)}
        shape |= {name: shape[name][:1] for name in BY_STACK}
        return ModelConfig.model_validate(shape).with_text(
            num_hidden_layers=2 * self.layers, vocab_size=REDUCED_VOCABULARY
        )


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
    model = make_model(load)
    sides, inputs = (plain_step(model), our_step(model)), make_inputs(load)
    turns = [tuple(_seconds(step, inputs) for step in sides) for _ in range(steps + 1)][1:]
    plain, ours = (statistics.median(wall for wall, _ in each) for each in zip(*turns, strict=True))
    ratios = sorted(slow[0] / fast[0] for slow, fast in turns)
    return Comparison(
        load, steps, load.clips / ours, load.clips / plain, statistics.median(ratios),
        ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4],
        statistics.median(slow[1] / fast[1] for slow, fast in turns),
    )  # fmt: skip


def make_model(load: Load) -> DualEncoder:
    """The model of a load with weights that depend on nothing else."""
    torch.manual_seed(0)
    return DualEncoder(load.config).train()


def our_step(model: DualEncoder) -> Step:
    """A step of ``model`` as training takes it."""
    optimiser = ScaledAdam(parameter_groups(model, LR, {}), lr=LR, clipping_scale=CLIPPING)
    return _step(model, info_nce, optimiser)


def plain_step(model: DualEncoder) -> Step:
    """A step of the same weights in plain mathematics."""
    sys.path.append(str(Path(clsp.__file__).parents[1]))  # an editable install finds our packages, not their tests
    try:
        towers, optimisers = (importlib.import_module(f"tests.eager.{name}") for name in ("towers", "optimiser"))
    except ModuleNotFoundError as error:
        raise ConfigError(
            "the plain mathematics to compare with is in tests/eager", hint="run clsp bench train in a checkout"
        ) from error
    finally:
        sys.path.pop()
    shared = {id(parameter): parameter for parameter in model.parameters()}
    plain = towers.make_eager(copy.deepcopy(model, shared))
    optimiser = optimisers.PerTensorScaledAdam(plain.parameters(), LR, CLIPPING)
    return _step(plain, towers.eager_info_nce, optimiser)


def _step(model: DualEncoder, loss: Callable[..., torch.Tensor], optimiser: Any) -> Step:
    def step(inputs: Inputs) -> float:
        for parameter in model.parameters():
            parameter.grad = None
        torch.manual_seed(1)
        value = loss(*model(*inputs))
        torch.autograd.backward(value)
        optimiser.step()
        return float(value.detach())

    return step


def make_inputs(load: Load) -> Inputs:
    """Features and their lengths, token ids and their mask: noise, without padding."""
    generator = torch.Generator().manual_seed(2)
    frames = round(load.seconds * 100)
    features = torch.randn(load.clips, frames, load.config.num_mel_bins, generator=generator) - 6
    lengths = torch.full((load.clips,), frames)
    ids = torch.randint(4, 1000, (load.clips, TOKENS), generator=generator)
    return features, lengths, ids, torch.ones_like(ids)


def _seconds(step: Step, inputs: Inputs) -> tuple[float, float]:
    """Of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    step(inputs)
    return time.perf_counter() - wall, time.process_time() - cpu
