"""How much faster batches are made than the model takes them, and what saving a checkpoint costs the steps.

Both are measured beside steps of the same model in the same run, in wall time and in CPU seconds of this process; on
a machine that others keep busy only the latter is steady.
"""

import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch

from clsp.audio.fbank import SAMPLING_RATE
from clsp.audio.resample import resample
from clsp.audio.synthesis import SAMPLING_RATE as SPEECH_RATE
from clsp.audio.synthesis import ClipPlan, plan_corpus, synthesise
from clsp.config import BatchSettings, StageSettings
from clsp.data.clips import ClipFeatures
from clsp.data.loader import Loader, Parts
from clsp.data.order import make_order
from clsp.data.tokenizer import train_tokenizer, vocabulary_size
from clsp.model import DualEncoder, preset
from clsp.model.tokens import longest_text, read_tokenizer
from clsp.records import Example
from clsp.storage import ObjectStore, open_store
from clsp.storage.audio_shards import ByteRange, Sound, save_audio
from clsp.training.checkpoints import Checkpoints
from clsp.training.objectives import Objective
from clsp.training.saver import Saver
from clsp.training.trainer import Trainer, make_optimiser
from clsp.training.world import World

INTERVAL = 100  # steps between checkpoints
_EPOCHS = 2  # batches of clips on disk
_KEPT = 2**29  # bytes of features that a process keeps by default


@dataclass(frozen=True)
class Spent:
    """Seconds of wall and of CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Feeding:
    """Medians over turns of a batch made from its bytes and a step that takes it; ``ratio`` of step to batch.

    ``kept_ratio`` is that to a batch of clips whose features were kept in memory, as a later epoch finds them.
    """

    preset: str
    clips: int
    seconds: float
    steps: int
    batch: Spent
    step: Spent
    ratio: float
    cpu_ratio: float
    kept_ratio: float


@dataclass(frozen=True)
class Saving:
    """One checkpoint beside ``interval`` steps: what the loop waits, and all the CPU that it costs, as shares."""

    preset: str
    interval: int
    bytes: int
    waited_seconds: float
    cpu_seconds: float
    waited_share: float
    cpu_share: float


def compare_feeding(name: str, clips: int, seconds: float, steps: int) -> Feeding:
    """Make batches of clips that nothing keeps in memory, and train on each, in turns, on one thread."""
    with _bench(name, clips, seconds, steps + 1) as (trainer, loader, store):
        turns = [_turn(trainer, loader, step) for step in range(steps + 1)][1:]
        warm = replace(loader, features=ClipFeatures(store, loader.examples, _KEPT))
        for step in range(_EPOCHS):
            warm.parts(step)
        kept = _median([_spent(partial(warm.parts, number % _EPOCHS)) for number in range(steps)])
    batch, step = (_median([turn[side] for turn in turns]) for side in (0, 1))
    ratio, cpu_ratio = (
        statistics.median(getattr(step, kind) / getattr(batch, kind) for batch, step in turns)
        for kind in ("wall", "cpu")
    )
    return Feeding(name, clips, seconds, steps, batch, step, ratio, cpu_ratio, step.cpu / kept.cpu)


def measure_saving(name: str, clips: int, seconds: float, steps: int) -> Saving:
    """Save the whole state in the background as training does, after ``steps`` steps that were timed."""
    with _bench(name, clips, seconds, steps) as (trainer, loader, store):
        step = _median([_turn(trainer, loader, number)[1] for number in range(steps)])
        checkpoint = trainer.checkpoint(steps)
        started = time.process_time()
        with Saver(Checkpoints(store, "checkpoints/bench"), World()) as saver:
            saver.save(checkpoint)
        cpu = time.process_time() - started
    size = sum(tensor.nbytes for tensor in checkpoint.tensors.values())
    waited = saver.blocked_seconds
    return Saving(
        name, INTERVAL, size, waited, cpu, waited / (INTERVAL * step.wall), cpu / (INTERVAL * step.cpu)
    )  # fmt: skip


def _turn(trainer: Trainer, loader: Loader, step: int) -> tuple[Spent, Spent]:
    made: list[Parts] = []
    batch = _spent(lambda: made.append(loader.parts(step)))
    return batch, _spent(lambda: trainer.step(made[0], 0))


def _spent(work: Callable[[], object]) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def _median(spent: list[Spent]) -> Spent:
    return Spent(statistics.median(each.wall for each in spent), statistics.median(each.cpu for each in spent))


@contextmanager
def _bench(name: str, clips: int, seconds: float, steps: int) -> Iterator[tuple[Trainer, Loader, ObjectStore]]:
    """A stage 1 over clips of equal length with a caption each, in a folder that is removed afterwards."""
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # as in every training process
    with tempfile.TemporaryDirectory(prefix="clsp-bench-") as scratch:
        store, tokenizer = open_store(f"{scratch}/store"), Path(scratch, "tokenizer")
        examples = _examples(store, clips * _EPOCHS, seconds)
        tokenizer.mkdir()
        config = preset(name)
        train_tokenizer((text for example in examples for text in example.fine), 320, tokenizer, longest_text(config))
        settings = StageSettings(steps=steps, batch=BatchSettings(global_clips=clips, buckets=1, micro_batches=1))
        model = DualEncoder(config.with_text(vocab_size=vocabulary_size(tokenizer)))
        trainer = Trainer(model, *make_optimiser(model, settings.optimiser), Objective("stage1", settings), World())
        ids = read_tokenizer(tokenizer, longest_text(model.config), vocabulary_size(tokenizer))
        assert ids is not None  # it was just written
        loader = Loader(
            examples=examples,
            features=ClipFeatures(store, examples, cache_bytes=0),
            order=make_order([example.duration_s for example in examples], settings.batch, settings.seed),
            tokenizer=ids,
            task_of=trainer.objective.task,
        )
        yield trainer, loader, store


def _examples(store: ObjectStore, count: int, seconds: float) -> list[Example]:
    plans = plan_corpus(seed=0, speakers=8, clips_per_speaker=-(-count // 8))[:count]
    sounds = [Sound(plan.name, _flac(plan, seconds), {}) for plan in plans]
    _, places = save_audio(store, sounds)
    return [_example(sound.id, place, seconds) for sound, place in zip(sounds, places, strict=True)]


def _flac(plan: ClipPlan, seconds: float) -> bytes:
    """Synthetic speech, said again until it is long enough: noise would take longer to decode than voices do."""
    speech = resample(synthesise(plan), SPEECH_RATE, SAMPLING_RATE)
    samples = np.resize(speech, round(seconds * SAMPLING_RATE))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _example(name: str, place: ByteRange, seconds: float) -> Example:
    text = f"A calm voice of {name}, neither high nor low, that keeps one even pace for all of its {seconds:g} seconds."
    return Example(
        segment_id=name, split="train", speaker=name, duration_s=seconds, licence="", language="en", fine=(text,),
        overall=(), audio_key=place.key, audio_offset=place.offset, audio_length=place.length, measures={},
    )  # fmt: skip
