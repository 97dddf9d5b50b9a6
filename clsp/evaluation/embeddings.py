"""The vectors of a split: every clip and its two reported captions, a batch at a time.

Rows are what search, the report and the scores read. Clips of similar length share a batch, which changes the cost
and not the vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from clsp.data.clips import decode_flac
from clsp.records import Example
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.objects import ObjectStore

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Embedding:
    """One clip and its fine and global caption with their unit vectors; () where it has no such caption."""

    segment_id: str
    speaker: str
    fine_text: str
    overall_text: str
    speech: Vector
    fine: Vector
    overall: Vector


class Encoder(Protocol):
    """What ``clsp.load_model`` gives: unit-norm rows (N, D) for waveforms at 16 kHz and for texts."""

    def encode_speech(self, waveforms: list[torch.Tensor]) -> torch.Tensor:
        """One row a clip."""

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        """One row a text."""


def reported_fine(example: Example) -> str:
    """The last fine caption (reference 1.11), '' when there is none."""
    return example.fine[-1] if example.fine else ""


def reported_overall(example: Example) -> str:
    """The first global caption (reference 1.11), '' when there is none."""
    return example.overall[0] if example.overall else ""


def embed(store: ObjectStore, encoder: Encoder, examples: Sequence[Example], batch_size: int) -> list[Embedding]:
    """Embeddings of ``examples``, in their order."""
    by_length = sorted(range(len(examples)), key=lambda index: (examples[index].duration_s, index))
    speech: dict[int, Vector] = {}
    for start in range(0, len(by_length), batch_size):
        batch = by_length[start : start + batch_size]
        rows = _plain(encoder.encode_speech([read_waveform(store, examples[index]) for index in batch]))
        speech.update(zip(batch, rows, strict=True))
    texts = sorted({text for row in examples for text in (reported_fine(row), reported_overall(row)) if text})
    known: dict[str, Vector] = {"": ()}
    if texts:
        known |= zip(texts, map(tuple, embed_texts(encoder, texts, batch_size).tolist()), strict=True)
    return [_row(example, speech[index], known) for index, example in enumerate(examples)]


def _row(example: Example, speech: Vector, known: dict[str, Vector]) -> Embedding:
    fine, overall = reported_fine(example), reported_overall(example)
    return Embedding(example.segment_id, example.speaker, fine, overall, speech, known[fine], known[overall])


def embed_texts(encoder: Encoder, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
    """Unit vectors (N, D) of texts; equal texts are encoded once and share one vector."""
    distinct = sorted(set(texts))
    batches = (distinct[start : start + batch_size] for start in range(0, len(distinct), batch_size))
    rows = np.concatenate([encoder.encode_text(batch).to("cpu", torch.float32).numpy() for batch in batches])
    place = {text: index for index, text in enumerate(distinct)}
    found: NDArray[np.float32] = rows[[place[text] for text in texts]]
    return found


def read_waveform(store: ObjectStore, example: Example) -> torch.Tensor:
    """The samples of a clip, (T,) float32 at 16 kHz: one ranged read."""
    flac = read_sound(store, ByteRange(example.audio_key, example.audio_offset, example.audio_length))
    return decode_flac(flac, example.segment_id)


def one_vector_a_text(texts: Sequence[str], vectors: Sequence[Vector]) -> NDArray[Any]:
    """Matrix (N, D) in which equal texts share the first one's vector, whatever batch each was encoded in."""
    first: dict[str, Vector] = {}
    return np.array([first.setdefault(text, vector) for text, vector in zip(texts, vectors, strict=True)])


def _plain(rows: torch.Tensor) -> list[Vector]:
    return [tuple(row) for row in rows.detach().to("cpu", torch.float32).tolist()]
