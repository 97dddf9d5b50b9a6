"""Audio shards: WebDataset-style tars of ``ID.json`` + ``ID.flac``, with the byte range of every sound.

Any sample is one ranged read; any tar tool can open the shard. Headers carry no times or owners, so equal sounds
give equal bytes.
"""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clsp.hashing import canonical_json
from clsp.storage.manifest import Shard, save_shard
from clsp.storage.objects import ObjectStore


@dataclass(frozen=True)
class Sound:
    """One encoded sound and the facts that travel with it inside the tar."""

    id: str
    flac: bytes
    facts: dict[str, Any]


@dataclass(frozen=True)
class ByteRange:
    """Where a sound's FLAC bytes are."""

    key: str
    offset: int
    length: int


def save_audio(store: ObjectStore, sounds: Sequence[Sound]) -> tuple[Shard, list[ByteRange]]:
    """Write one tar of sounds; the ranges are in the order of ``sounds``."""
    data, places = write_tar(sounds)
    shard = save_shard(store, "audio", data, len(sounds), "tar")
    return shard, [ByteRange(shard.key, start, length) for start, length in places]


def write_tar(sounds: Sequence[Sound]) -> tuple[bytes, list[tuple[int, int]]]:
    """The tar's bytes, and for each sound the offset and length of its FLAC."""
    buffer = io.BytesIO()
    places: list[tuple[int, int]] = []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sound in sounds:
            _add(tar, f"{sound.id}.json", canonical_json(sound.facts))
            start = tar.offset + tarfile.BLOCKSIZE
            _add(tar, f"{sound.id}.flac", sound.flac)
            places.append((start, len(sound.flac)))
    return buffer.getvalue(), places


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def read_sound(store: ObjectStore, place: ByteRange) -> bytes:
    """The FLAC bytes of one sound: one ranged read."""
    return store.get_range(place.key, place.offset, place.length)
