"""Which container some bytes are in, told from their first bytes alone.

A file's name may lie, and a demuxer that guesses may be talked into playlists that open other files or addresses;
so only the containers named here are ever handed to a decoder, each by its name.
"""

from typing import Literal

Container = Literal["wav", "flac", "ogg", "mp3", "mp4", "aac", "matroska"]
HEAD_BYTES = 16

_MAGIC: tuple[tuple[bytes, Container], ...] = (
    (b"RIFF", "wav"),
    (b"RIFX", "wav"),
    (b"RF64", "wav"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\x1a\x45\xdf\xa3", "matroska"),
)


def name_container(head: bytes) -> Container | None:
    """The container that starts with ``head`` (its first ``HEAD_BYTES`` bytes), or None when it is no known sound."""
    for magic, container in _MAGIC:
        if head.startswith(magic):
            return container
    if head[4:8] == b"ftyp":
        return "mp4"
    return _name_elementary(head)


def _name_elementary(head: bytes) -> Container | None:
    """MPEG audio without a container: 11 or 12 bits of sync, then the layer (0 is ADTS, i.e. AAC)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0x06:
        return "mp3"
    return "aac" if head[1] & 0xF0 == 0xF0 else None


def declares_more(head: bytes, size: int) -> bool:
    """Whether a RIFF header (its first 8 bytes) promises more than the ``size`` bytes there are.

    A recorder that cannot go back writes 0 or the largest number, which promises nothing.
    """
    if head[:4] != b"RIFF" or len(head) < 8:
        return False
    promised = int.from_bytes(head[4:8], "little")
    return promised < 0x7FFF_0000 and promised + 8 > size
