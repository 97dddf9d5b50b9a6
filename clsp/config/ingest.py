"""Settings of ingest: what becomes a segment, how long recordings are cut, how speakers are split."""

from typing import Literal

from pydantic import Field

from clsp.config.base import Section


class IngestSettings(Section):
    """How recordings become segments (reference 1.5, 4.4)."""

    sampling_rate: int = Field(16_000, description="Samples a second of every segment")
    min_seconds: float = Field(1.0, gt=0, description="Shorter recordings are rejected")
    max_seconds: float = Field(30.0, gt=0, description="Longer recordings are cut at pauses")
    max_file_hours: float = Field(6.0, gt=0, description="Longer files are rejected before decoding ends")
    silence_dbfs: float = Field(-60.0, description="A segment whose loudest 25 ms frame is below this is silence")
    clipped_share: float = Field(0.1, ge=0, le=1, description="Segments with more samples at full scale are rejected")
    dev_share: float = Field(0.1, ge=0, lt=1, description="Share of segments whose speakers go to dev")
    test_share: float = Field(0.15, ge=0, lt=1, description="Share of segments whose speakers go to test")
    seed: int = Field(0, description="Changes which speakers are held out")
    speaker_from: Literal["folder", "file"] = Field(
        "folder", description="Who speaks where the metadata does not say: one speaker a folder, or one a file"
    )
    licence: str = Field("unknown", description="Licence of recordings whose metadata names none")
    files_per_unit: int = Field(32, ge=1, description="Files that are decoded and committed together")
