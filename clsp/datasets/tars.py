"""WebDataset tars: consecutive members of one key are one sample, e.g. ``KEY.json`` and ``KEY.mp3``.

Members are found by their headers and read by their offsets, never unpacked to disk and never unpickled.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from clsp.datasets.guards import PICKLED, UNSAFE_NAME, is_pickle, is_safe_name
from clsp.datasets.offers import Sound
from clsp.errors import DataError

AUDIO = ("mp3", "flac", "wav", "opus", "m4a", "ogg")
_LARGEST_MEMBER = 1 << 28


@dataclass
class Sample:
    """The members of one key, by extension; ``problem`` refuses them all."""

    key: str
    members: dict[str, Sound] = field(default_factory=dict)
    problem: str = ""

    @property
    def sound(self) -> Sound | None:
        """The member that is audio, if any."""
        return next((self.members[name] for name in AUDIO if name in self.members), None)

    @property
    def facts(self) -> bytes:
        """The ``.json`` member (``b"{}"`` without one)."""
        return self.members["json"]() if "json" in self.members else b"{}"


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of a tar in order; ``DataError`` when it is no tar or breaks off."""
    sample: Sample | None = None
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isdir():
                    continue
                key, extension = _split(member.name)
                if sample is None or sample.key != key:
                    if sample:
                        yield sample
                    sample = Sample(key)
                _add(sample, member, extension, path)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(
            f"cannot read the tar {path}: {error}", hint="copy it again; it must be uncompressed"
        ) from error
    if sample:
        yield sample


def _split(name: str) -> tuple[str, str]:
    """Key and extension: everything before and after the first point of the file's own name."""
    pure = PurePosixPath(name)
    stem, _, extension = pure.name.partition(".")
    folder = "" if str(pure.parent) == "." else f"{pure.parent}/"
    return f"{folder}{stem}", extension.lower()


def _add(sample: Sample, member: tarfile.TarInfo, extension: str, path: Path) -> None:
    if not member.isfile() or not is_safe_name(member.name) or member.size > _LARGEST_MEMBER:
        sample.problem = UNSAFE_NAME
    elif is_pickle(extension):
        sample.problem = sample.problem or PICKLED
    else:
        sample.members[extension] = partial(read_range, path, member.offset_data, member.size)


def read_range(path: Path, offset: int, size: int) -> bytes:
    """``size`` bytes of a file from ``offset``."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
