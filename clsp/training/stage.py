"""A stage as each of its processes runs it: build, resume, train, and leave the model where the launcher looks."""

import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from clsp.data.clips import ClipFeatures
from clsp.data.loader import Loader
from clsp.data.order import make_order
from clsp.data.table import ExampleTable, example_table
from clsp.data.tokenizer import vocabulary_size
from clsp.errors import ModelError
from clsp.hashing import canonical_json
from clsp.model import DualEncoder, ModelConfig, freeze, preset
from clsp.model.directory import load_weights, read_config, save_model
from clsp.model.tokens import TextTokenizer, longest_text, read_tokenizer
from clsp.storage import ObjectStore, open_store
from clsp.training.checkpoints import Checkpoints
from clsp.training.job import Job
from clsp.training.loop import run_steps
from clsp.training.objectives import Objective
from clsp.training.trainer import Trainer, make_optimiser
from clsp.training.world import World

PROGRESS_FILE = "progress.json"


def train_stage(job: Job, world: World) -> None:
    """Train a job's stage to its end; the leading process writes the model directory and the progress rows."""
    store = open_store(job.store)
    trainer = make_trainer(job, world)
    loader = make_loader(store, example_table(store, job.examples, "train", job.table), job, world)
    settings = job.train_settings.checkpoint
    journal = Path(job.train_settings.journal) if job.train_settings.journal else None
    run_steps(trainer, loader, Checkpoints(store, job.checkpoints, settings.keep), settings, journal=journal)
    if world.heartbeat:
        world.heartbeat.rest()
    if world.leads:
        _leave(trainer, job)


def make_trainer(job: Job, world: World) -> Trainer:
    """The model, fresh from the seed or from ``job.initial``, with its optimiser; alike on every process."""
    settings = job.stage_settings
    torch.manual_seed(settings.seed)
    model = DualEncoder(_model_config(job))
    if job.initial:
        load_weights(model, Path(job.initial))
    model.to(world.device)
    freeze(model, settings.freeze)
    optimiser, eden = make_optimiser(model, settings.optimiser)
    objective = Objective(job.stage, settings)
    if world.leads:
        objective.warn()
    return Trainer(model, optimiser, eden, objective, world, job.train_settings.memory)


def _model_config(job: Job) -> ModelConfig:
    if job.initial:
        return read_config(Path(job.initial))
    settings = job.train_settings
    return preset(settings.preset).with_text(vocab_size=vocabulary_size(job.tokenizer))


def make_loader(store: ObjectStore, examples: ExampleTable, job: Job, world: World) -> Loader:
    """The batches of this process."""
    settings, stage = job.train_settings, job.stage_settings
    return Loader(
        examples=examples,
        features=ClipFeatures(store, examples, settings.loader.cache_mib * 2**20, settings.loader.readers),
        order=make_order(examples.durations, stage.batch, stage.seed),
        tokenizer=_tokenizer(job),
        task_of=Objective(job.stage, stage).task,
        rank=world.rank,
        world=world.size,
        micro_batches=stage.batch.micro_batches,
        prefetch=settings.loader.workers,
        swaps=stage.swapped_weight > 0,
    )


def _tokenizer(job: Job) -> TextTokenizer:
    config = _model_config(job)
    tokenizer = read_tokenizer(job.tokenizer, longest_text(config), config.text["vocab_size"])
    if tokenizer is None:
        raise ModelError("the model has no tokenizer", hint="name a folder in train.tokenizer")
    return tokenizer


def _leave(trainer: Trainer, job: Job) -> None:
    shutil.copytree(job.tokenizer, job.model, dirs_exist_ok=True)
    save_model(job.model, trainer.model, trainer.model.config)
    rows = [asdict(row) for row in trainer.rows]
    Path(job.folder, PROGRESS_FILE).write_bytes(canonical_json(rows))
