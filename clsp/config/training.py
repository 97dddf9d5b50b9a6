"""Settings of training: the model's size, the stages, the optimiser, the loader."""

from typing import Annotated, Literal

from pydantic import Field

from clsp.config.base import Section


class OptimiserSettings(Section):
    """ScaledAdam and Eden (reference 1.5, 3.1, 3.8)."""

    base_lr: float = Field(0.045, gt=0)
    encoder_lr_scale: float = Field(1.0, gt=0, description="Factor on the learning rate of both encoders")
    lr_scales: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="Further factors by module path, as encoder.encoders.0; those on a weight's path multiply"
    )
    clipping_scale: float = Field(2.0, gt=0)
    lr_batches: float = Field(100_000, gt=0)
    lr_epochs: float = Field(100, gt=0)
    warmup_batches: float = Field(500, ge=0)
    warmup_start: float = Field(0.5, gt=0, le=1)

    @property
    def module_scales(self) -> dict[str, float]:
        """Learning-rate factors by module path."""
        encoders = dict.fromkeys(("encoder_embed", "encoder", "text_encoder"), self.encoder_lr_scale)
        return encoders | {path: encoders.get(path, 1.0) * scale for path, scale in self.lr_scales.items()}


class BatchSettings(Section):
    """How clips are grouped: duration buckets, and a fixed number of clips or of seconds a global batch."""

    global_clips: int = Field(64, ge=2, description="Clips of one global batch, the same at any world size")
    global_seconds: float = Field(
        0,
        ge=0,
        description="Seconds of speech a global batch, in place of global_clips; published: 6400. 0: clips count",
    )
    micro_batches: int = Field(
        2,
        ge=1,
        description="Parts of a global batch, each with its own padding and dropout; no more processes than these",
    )
    buckets: int = Field(4, ge=1, description="Duration buckets, each with about the same seconds of speech")
    min_seconds: float = Field(0.0, ge=0, description="Shorter clips sit this stage out")
    max_seconds: float = Field(3600.0, gt=0, description="Longer clips sit this stage out")


class StageSettings(Section):
    """One stage of training."""

    steps: int = Field(ge=1, description="Optimiser steps")
    optimiser: OptimiserSettings = OptimiserSettings()
    batch: BatchSettings = BatchSettings()
    weight: float = Field(0.5, ge=0, le=1, description="Share of the first caption in the soft target (stage 2)")
    task_start: float = Field(0.95, ge=0, le=1, description="Probability of global + fine at step 0 (stage 2)")
    task_end: float = Field(0.50, ge=0, le=1, description="Its floor (stage 2)")
    task_steps: int = Field(10_000, ge=1, description="Steps from start to floor (stage 2)")
    max_skipped: int = Field(20, ge=0, description="More steps without a finite loss and gradient end the run")
    log_every: int = Field(1, ge=1, description="Steps between rows of the progress table")
    seed: int = 42
    machinery: Literal["published", "plain"] = Field(
        "plain", description="published adds Balancer, Whiten, parameter limits and score penalty to the gradients"
    )
    counter_start: float = Field(
        0, ge=0, description="Where the schedules of dropout and skips begin; 100000 when the encoder is pre-trained"
    )
    counter_per_step: float = Field(
        1.0, gt=0, description="What a step adds to it; published: audio seconds of a global batch / 600"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="Of the towers; losses stay in float32")
    swapped_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of telling a global caption from its copy with one attribute swapped: 0.2 in stage 2 makes "
        "it the stage 3 that the published code has; 0: no such copies",
    )
    freeze: tuple[Literal["speech", "text"], ...] = Field((), description="Encoders that keep their weights")
    spare_duplicates: bool = Field(
        False, description="Clips that share a caption are no negatives of each other; published: they are"
    )


class LoaderSettings(Section):
    """How batches are prepared; none of it changes what a batch holds."""

    workers: int = Field(1, ge=0, description="Threads a process that prepare batches ahead; 0 prepares on demand")
    readers: int = Field(8, ge=1, description="Clips a process reads and decodes at once")
    cache_mib: int = Field(512, ge=0, description="Features that each process keeps in memory, in MiB")


class MemorySettings(Section):
    """What is held while training; none of it changes the result."""

    two_passes: bool = Field(
        False, description="Hold the graph of one micro-batch at a time; costs a second forward pass"
    )
    checkpoint_activations: bool = Field(False, description="Keep layers' inputs only and compute the rest again")
    similarity_tile: int = Field(4096, ge=1, description="Rows and columns of the similarity matrix held at once")


class CheckpointSettings(Section):
    """How often training can be resumed from; none of it changes the result."""

    every: int = Field(4000, ge=1, description="Steps between checkpoints")
    keep: int = Field(2, ge=1, description="Checkpoints kept; two outlive one that was torn")
    average_every: int = Field(200, ge=0, description="Steps between updates of the running average; 0 keeps none")


class InitialSettings(Section):
    """What stage 1 starts from: a local path, STORE/models/NAME@ALIAS, an s3:// folder or .pt; empty: fresh weights."""

    model: str = Field("", description="CLSP or SPEAR directory, icefall .pt or version; SPEAR is a speech tower")
    text: str = Field("", description="RoBERTa or CLSP directory whose text tower is taken")


class TrainSettings(Section):
    """The stages and how they are launched."""

    preset: str = Field("tiny", description="Model preset (clsp.model.presets)")
    vocabulary: int = Field(1024, ge=300, description="Size of the tokenizer trained on the captions")
    initial: InitialSettings = InitialSettings()
    tokenizer: str = Field(
        "", description="Folder of a RoBERTa tokenizer; empty takes that of initial, or trains one on the captions"
    )
    processes: int = Field(2, ge=1, description="torchrun workers on this machine")
    threads: int = Field(1, ge=1, description="CPU threads a worker")
    backend: Literal["gloo", "nccl"] = "gloo"
    timeout_seconds: float = Field(600.0, gt=0, description="A worker silent for longer is taken for lost")
    start_seconds: float = Field(
        1800.0, gt=0, description="A worker that needs longer from its start to its first step is started again"
    )
    restarts: int = Field(3, ge=0, description="How often workers start again after one was lost, before the run ends")
    grace_seconds: int = Field(30, ge=1, description="Time to save and leave after SIGTERM, before SIGKILL")
    journal: str = Field("", description="File that takes a JSON line of progress every log_every steps; empty: none")
    minutes: float = Field(0.0, ge=0, description="What both stages are expected to take; 0 where nobody measured")
    loader: LoaderSettings = LoaderSettings()
    memory: MemorySettings = MemorySettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    stage1: StageSettings = StageSettings(steps=1_200_000)
    stage2: StageSettings = StageSettings(steps=4_000, optimiser=OptimiserSettings(base_lr=0.001))
