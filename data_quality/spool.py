"""Texts that are looked up later by key, kept in a file because all of them are too many for memory."""

import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from data_quality.keys import hashes


class TextSpool:
    """Texts by key, in a temporary file that ends with the context; 16 bytes of memory a text that is not empty."""

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile(prefix="clsp-quality-")
        self._parts: list[tuple[Any, Any]] = []
        self._keys = np.empty(0, np.uint64)
        self._places = np.empty(0, np.int64)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, keys: Sequence[str], texts: Sequence[str]) -> None:
        """Keep ``texts`` under ``keys``; of two under one key the last counts."""
        kept = [(key, text.encode()) for key, text in zip(keys, texts, strict=True) if text]
        ends = np.cumsum([len(text) + 1 for _, text in kept], dtype=np.int64)
        starts = self._file.tell() + np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(kept)]
        self._file.write(b"".join(text.replace(b"\n", b" ") + b"\n" for _, text in kept))
        self._parts.append((hashes(key for key, _ in kept), starts))

    def close_book(self) -> None:
        """Nothing is added any more; from now on texts can be looked up."""
        self._file.flush()
        keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in self._parts)])
        places = np.concatenate([np.empty(0, np.int64), *(places for _, places in self._parts)])
        self._parts = []
        order = np.argsort(keys, kind="stable")
        self._keys, self._places = keys[order], places[order]

    def of(self, keys: Any) -> list[str | None]:
        """The text under each of ``keys`` (uint64), None where there is none."""
        places = np.searchsorted(self._keys, keys, side="right") - 1
        return [
            self._read(self._places[place]) if place >= 0 and self._keys[place] == key else None
            for place, key in zip(places, keys, strict=True)
        ]

    def _read(self, place: int) -> str:
        self._file.seek(place)
        return self._file.readline()[:-1].decode()
