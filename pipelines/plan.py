"""What a corpus will take before anything is started: clips, captions, GPU-days, days, storage, money.

Every line is hours times a rate from the configuration, so that a measured rate replaces an estimate in one place.
"""

from dataclasses import dataclass

from clsp.config import PlanSettings

DAY_SECONDS = 86_400.0
_GIB = 2.0**30


@dataclass(frozen=True)
class Stage:
    """One part of the work: GPU-days in all, days on the GPUs at hand, money."""

    name: str
    gpu_days: float
    days: float
    cost: float


@dataclass(frozen=True)
class Plan:
    """The whole: how much there is, what each part takes, what has to be stored."""

    hours: float
    clips: int
    captions: int
    gpu_days_per_million_captions: float
    stages: tuple[Stage, ...]
    audio_gib: float
    captions_gib: float
    vectors_gib: float
    storage_cost_per_month: float

    @property
    def gpu_days(self) -> float:
        """GPU-days of all parts."""
        return sum(stage.gpu_days for stage in self.stages)

    @property
    def cost(self) -> float:
        """Money for all GPU hours."""
        return sum(stage.cost for stage in self.stages)


def make_plan(hours: float, views: int, settings: PlanSettings) -> Plan:
    """The plan for ``hours`` of speech described in ``views`` captions a clip."""
    seconds = hours * 3600
    clips = round(seconds / settings.clip_seconds)
    captions = clips * views
    captioning = captions * settings.caption_tokens / settings.captioner_tokens_per_second
    verifying = captions * settings.verdict_tokens / settings.verifier_tokens_per_second
    training = seconds * settings.epochs * settings.flops_per_audio_second / settings.gpu_flops
    sizes = (
        seconds * settings.flac_bytes_per_second,
        captions * settings.kept_share * settings.caption_bytes,
        clips * settings.vector_bytes,
    )
    per_caption = settings.caption_tokens / settings.captioner_tokens_per_second
    parts = {"annotate": captioning, "verify": verifying, "train stage 1": training}
    return Plan(
        hours=hours,
        clips=clips,
        captions=captions,
        gpu_days_per_million_captions=1e6 * per_caption / DAY_SECONDS,
        stages=tuple(_stage(name, gpu_seconds, settings) for name, gpu_seconds in parts.items()),
        audio_gib=sizes[0] / _GIB,
        captions_gib=sizes[1] / _GIB,
        vectors_gib=sizes[2] / _GIB,
        storage_cost_per_month=sum(sizes) / _GIB * settings.gib_month_price,
    )


def _stage(name: str, gpu_seconds: float, settings: PlanSettings) -> Stage:
    gpu_days = gpu_seconds / DAY_SECONDS
    return Stage(name, gpu_days, gpu_days / settings.gpus, gpu_days * 24 * settings.gpu_hour_price)
