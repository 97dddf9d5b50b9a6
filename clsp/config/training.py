"""Settings of training: the model's size, the two stages, the optimiser, the loader."""

from typing import Literal

from pydantic import Field

from clsp.config.base import Section


class OptimiserSettings(Section):
    """ScaledAdam and Eden (reference 1.5, 3.1, 3.8)."""

    base_lr: float = Field(0.045, gt=0)
    encoder_lr_scale: float = Field(1.0, gt=0, description="Factor on the learning rate of both encoders")
    clipping_scale: float = Field(2.0, gt=0)
    lr_batches: float = Field(100_000, gt=0)
    lr_epochs: float = Field(100, gt=0)
    warmup_batches: float = Field(500, ge=0)
    warmup_start: float = Field(0.5, gt=0, le=1)


class BatchSettings(Section):
    """How clips are grouped: duration buckets, a fixed number of clips a global batch."""

    global_clips: int = Field(64, ge=2, description="Clips of one global batch, the same at any world size")
    buckets: int = Field(4, ge=1, description="Duration buckets of equal size")
    loader_workers: int = Field(1, ge=0)


class StageSettings(Section):
    """One stage of training."""

    steps: int = Field(ge=1, description="Optimiser steps")
    optimiser: OptimiserSettings = OptimiserSettings()
    batch: BatchSettings = BatchSettings()
    weight: float = Field(0.5, ge=0, le=1, description="Share of the first caption in the soft target (stage 2)")
    task_start: float = Field(0.95, description="Probability of global + fine at step 0 (stage 2)")
    task_end: float = Field(0.50, description="Its floor (stage 2)")
    task_steps: int = Field(10_000, ge=1, description="Steps from start to floor (stage 2)")
    checkpoint_every: int = Field(50, ge=1)
    keep_checkpoints: int = Field(2, ge=1)
    seed: int = 42


class TrainSettings(Section):
    """Both stages and how they are launched."""

    preset: str = Field("tiny", description="Model preset (clsp.model.presets)")
    vocabulary: int = Field(1024, ge=300, description="Size of the tokenizer trained on the captions (tiny preset)")
    tokenizer: str = Field("", description="Folder of a RoBERTa tokenizer; empty trains one on the captions")
    processes: int = Field(2, ge=1, description="torchrun workers on this machine")
    threads: int = Field(1, ge=1, description="CPU threads a worker")
    backend: Literal["gloo", "nccl"] = "gloo"
    stage1: StageSettings = StageSettings(steps=1_200_000)
    stage2: StageSettings = StageSettings(steps=4_000, optimiser=OptimiserSettings(base_lr=0.001))
