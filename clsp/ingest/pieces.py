"""One recording to its pieces: decoded, resampled, cut, judged, encoded. Nothing here knows of stores or speakers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clsp.audio.decode import DecodeError, DecodeLimits, open_sound
from clsp.audio.encode import encode_flac, sound_id, to_pcm16
from clsp.audio.resample import resample_blocks
from clsp.audio.segmentation import Cutting, cut_blocks, frame_levels
from clsp.config import IngestSettings
from clsp.records import Failure

STEP = "ingest"
_SILENCE_FRAME_SECONDS = 0.025
_RULES = {"too_long", "too_short", "link_outside", "folder_link_outside"}


@dataclass(frozen=True)
class EncodedPiece:
    """A piece that may become a segment: its id, where in the recording it lies (seconds), its FLAC."""

    id: str
    start_s: float
    duration_s: float
    flac: bytes


@dataclass(frozen=True)
class Cuttings:
    """What one recording gave: pieces to keep, a failure for every row that ends here, its own sampling rate."""

    pieces: tuple[EncodedPiece, ...] = ()
    failures: tuple[Failure, ...] = ()
    sampling_rate: int = 0


def cut_recording(path: Path, name: str, settings: IngestSettings) -> Cuttings:
    """Pieces of the recording at ``path``; one that cannot be decoded to its end gives a single failed row."""
    limits = DecodeLimits(settings.max_file_hours * 3600, settings.min_source_rate, settings.max_source_rate)
    try:
        with open_sound(path, limits=limits) as sound:
            mono = resample_blocks(sound.blocks, sound.sampling_rate, settings.sampling_rate)
            results = list(_judged(mono, name, settings))
            rate = sound.sampling_rate
    except DecodeError as error:
        return refuse(name, error.reason, error.detail)
    if not results:
        return refuse(name, "too_short", "no samples")
    return Cuttings(
        tuple(result for result in results if isinstance(result, EncodedPiece)),
        tuple(result for result in results if isinstance(result, Failure)),
        rate,
    )


def refuse(name: str, reason: str, detail: str = "") -> Cuttings:
    """What a recording gives that is refused as a whole: one row, rejected when a rule says so, failed otherwise."""
    outcome: Literal["rejected", "failed"] = "rejected" if reason in _RULES else "failed"
    return Cuttings(failures=(Failure(name, STEP, outcome, reason, detail, 1),))


def _judged(
    blocks: Iterator[NDArray[np.float32]], name: str, settings: IngestSettings
) -> Iterator[EncodedPiece | Failure]:
    rate = settings.sampling_rate
    for piece in cut_blocks(blocks, cutting_of(settings)):
        start = piece.start / rate
        if reason := find_fault(piece.samples, settings):
            detail = f"{len(piece.samples) / rate:.3f} s from {start:.3f} s"
            yield Failure(f"{name}#{start:.3f}", STEP, "rejected", reason, detail, 1)
        else:
            pcm = to_pcm16(piece.samples)
            yield EncodedPiece(sound_id(pcm), start, len(pcm) / rate, encode_flac(pcm, rate))


def cutting_of(settings: IngestSettings) -> Cutting:
    """The bounds that the segmentation works with."""
    return Cutting(settings.sampling_rate, settings.min_seconds, settings.max_seconds, **settings.cutting.model_dump())


def find_fault(samples: NDArray[np.float32], settings: IngestSettings) -> str:
    """Why (n,) samples at the segments' rate are not worth keeping; '' when they are."""
    if len(samples) < settings.min_seconds * settings.sampling_rate:
        return "too_short"
    levels = frame_levels(samples, round(_SILENCE_FRAME_SECONDS * settings.sampling_rate))
    if not len(levels) or levels.max() < settings.silence_dbfs:
        return "silence"
    if np.mean(np.abs(samples) >= settings.full_scale) > settings.clipped_share:
        return "clipped"
    return ""
