"""What the report shows, as plain frozen rows: everything is read and computed before anything is drawn."""

from dataclasses import dataclass

from components.runner import StepReport

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class CaptionView:
    """One caption of an example clip and what became of it (``passed`` is None when nobody judged it).

    ``folded``: not shown at first, because one like it is.
    """

    kind: str
    text: str
    passed: bool | None
    item: str
    reason: str
    folded: bool = False


@dataclass(frozen=True)
class ClipView:
    """One example clip: its sound as FLAC bytes, its waveform as peaks in 0 … 1, its facts, its captions."""

    segment_id: str
    split: str
    speaker: str
    duration_s: float
    transcript: str
    flac: bytes
    peaks: Numbers
    facts: tuple[tuple[str, str], ...]
    captions: tuple[CaptionView, ...]


@dataclass(frozen=True)
class Series:
    """A named line; x grows."""

    name: str
    x: Numbers
    y: Numbers


@dataclass(frozen=True)
class StageView:
    """What one stage of training recorded, a point a step (thinned)."""

    stage: str
    steps: int
    skipped: int
    losses: tuple[Series, ...]
    temperature: Series
    task_probability: Series | None
    learning_rate: Series
    gradient_norm: Series


@dataclass(frozen=True)
class ScoreView:
    """Retrieval of one kind of caption in one direction, beside its shuffled control; shares in 0 … 1."""

    kind: str
    direction: str
    n: int
    r1: float
    r1_low: float
    r1_high: float
    r5: float
    r10: float
    map10: float
    median_rank: float
    chance: float
    ceiling: float
    control: float
    control_low: float
    control_high: float


@dataclass(frozen=True)
class SimilarityView:
    """Cosines of clips (rows) and their fine captions (columns), and what all pairs of the split look like."""

    speakers: tuple[str, ...]
    captions: tuple[str, ...]
    cosines: tuple[Numbers, ...]
    matched: Numbers
    mismatched: Numbers


@dataclass(frozen=True)
class DistributionView:
    """Values of one acoustic measure by split."""

    title: str
    unit: str
    by_split: tuple[tuple[str, Numbers], ...]


@dataclass(frozen=True)
class ModelView:
    """The registered version; '' where nothing was registered."""

    name: str
    version: str
    uri: str
    sha256: str


@dataclass(frozen=True)
class OriginView:
    """Where one step's output came from."""

    step: str
    manifest: str
    recipe: str
    code: str
    shards: int
    bytes: int


@dataclass(frozen=True)
class ReportView:
    """The whole report. ``work`` tells what each of ``steps`` cost the run that did it, which may be an earlier one.

    ``quality`` says how the data was judged, '' where it was not.
    """

    run_id: str
    steps: tuple[StepReport, ...]
    work: tuple[StepReport, ...]
    quality: str
    clips: tuple[ClipView, ...]
    stages: tuple[StageView, ...]
    scores: tuple[ScoreView, ...]
    held_out: str
    confidence: float
    similarity: SimilarityView | None
    distributions: tuple[DistributionView, ...]
    model: ModelView
    origins: tuple[OriginView, ...]
