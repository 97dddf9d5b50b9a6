"""Settings of ingest: what becomes a segment, how long recordings are cut, how speakers are split."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from clsp.config.base import Section

# They change how fast a step is, never what it gives, so they are no part of its recipe.
_OPERATIONAL = {"threads"}


class CuttingSettings(Section):
    """Where a recording longer than ``max_seconds`` is cut."""

    earliest_seconds: float = Field(10.0, ge=0, description="No cut before this much of a segment, where one can wait")
    pause_seconds: float = Field(0.15, gt=0, description="Shortest quiet stretch that counts as a pause")
    pause_below_db: float = Field(20.0, gt=0, description="Quiet is this far below the loud parts around it")
    keep_seconds: float = Field(0.25, ge=0, description="Quiet kept on each side of a cut; the rest of it is trimmed")


class IngestSettings(Section):
    """How recordings become segments (reference 1.5, 4.4)."""

    extensions: tuple[str, ...] = Field(
        ("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "aac"),
        description="Names that end like this are recordings; other files are left alone",
    )
    sampling_rate: int = Field(16_000, description="Samples a second of every segment")
    min_source_rate: int = Field(4_000, ge=1, description="Recordings at a lower sampling rate are refused")
    max_source_rate: int = Field(768_000, ge=1, description="Recordings at a higher sampling rate are refused")
    min_seconds: float = Field(1.0, gt=0, description="Shorter recordings are rejected")
    max_seconds: float = Field(30.0, gt=0, description="Longer recordings are cut at pauses")
    cutting: CuttingSettings = CuttingSettings()
    max_file_hours: float = Field(6.0, gt=0, description="Longer files are rejected before decoding ends")
    silence_dbfs: float = Field(-60.0, description="A segment whose loudest 25 ms frame is below this is silence")
    full_scale: float = Field(0.99, gt=0, le=1, description="Samples of this size and more count as clipped")
    clipped_share: float = Field(0.1, ge=0, le=1, description="Segments with more samples at full scale are rejected")
    dev_share: float = Field(0.1, ge=0, lt=1, description="Share of segments whose speakers go to dev")
    test_share: float = Field(0.15, ge=0, lt=1, description="Share of segments whose speakers go to test")
    seed: int = Field(0, description="Changes which speakers are held out")
    speaker_from: Literal["folder", "file"] = Field(
        "folder", description="Who speaks where the metadata does not say: one speaker a folder, or one a file"
    )
    speaker_depth: int = Field(
        0, ge=0, description="Folder levels that name a speaker; 0 takes the fewest that tell three speakers apart"
    )
    licence: str = Field("unknown", description="Licence of recordings whose metadata names none")
    files_per_unit: int = Field(32, ge=1, description="Files that are decoded and committed together")
    bytes_per_unit: int = Field(2**28, ge=1, description="A unit of work takes no further file beyond this size")
    shard_bytes: int = Field(2**26, ge=1, description="An audio shard takes no further sound beyond this size")
    threads: int = Field(2, ge=1, description="Units decoded at once")

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max_seconds < 2 * self.min_seconds + 0.1:
            raise ValueError("max_seconds must be over twice min_seconds, or some lengths cannot be cut")
        if self.dev_share + self.test_share >= 1:
            raise ValueError("dev_share and test_share leave nothing to train on")
        return self

    def decisive(self) -> dict[str, Any]:
        """The settings that decide what ingest gives: those of its recipe."""
        return self.model_dump(mode="json", exclude=_OPERATIONAL)
