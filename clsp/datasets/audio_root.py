"""The folder that a manifest's recordings lie in, which people lay out in their own way."""

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from clsp.datasets.guards import inside
from clsp.datasets.offers import Sound
from clsp.datasets.tars import AUDIO


class AudioRoot:
    """Finds recordings by the names a manifest gives, or by the name of the file alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, names: Iterable[str]) -> Sound | None:
        """The first of ``names`` that is a file inside the folder."""
        found = (inside(self._folder, name) for name in names)
        return next((path.read_bytes for path in found if path), None)

    def find_by_stem(self, stem: str) -> Sound | None:
        """The recording whose file is called ``stem``, wherever below the folder."""
        return self.find([self._by_stem[stem]]) if stem in self._by_stem else None

    @cached_property
    def _by_stem(self) -> dict[str, str]:
        walk = ((parent, name) for parent, _, names in os.walk(self._folder) for name in sorted(names))
        paths = (Path(parent, name).relative_to(self._folder) for parent, name in walk)
        return {path.stem: path.as_posix() for path in paths if path.suffix[1:].lower() in AUDIO}
