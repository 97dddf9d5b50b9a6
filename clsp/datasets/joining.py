"""The join of captions with clips by id: in a temporary SQLite file, so that 10^7 of them need no memory.

Both sides are remembered: captions that no clip took, clips that came twice, clips that had no caption.
"""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import orjson
import pyarrow.parquet

from clsp.datasets.cuts import parse_cut, read_lines
from clsp.datasets.offers import Captions
from clsp.errors import DataError
from clsp.records import Caption

_SCHEMA = """
create table captions (id text primary key, body blob, taken integer default 0) without rowid;
create table clips (id text primary key, captioned integer) without rowid;
"""
_FINE = ("fine", "finegrained_captions", "long_captions", "captions", "caption")
_OVERALL = ("global", "global_captions", "short_captions", "text_description")


class Join:
    """What has been seen on both sides so far."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add_captions(self, rows: Iterable[tuple[str, Captions]]) -> None:
        """Take in captions by id; ``DataError`` when an id comes twice."""
        for clip, captions in rows:
            try:
                self._db.execute("insert into captions (id, body) values (?, ?)", (clip, _dump(captions)))
            except sqlite3.IntegrityError as error:
                raise DataError(f"captions of {clip!r} come twice", hint="leave one row an id") from error

    def is_new(self, clip: str, *, has_sound: bool) -> bool:
        """Whether this clip comes for the first time; one without sound waits for no caption."""
        return self._db.execute("insert or ignore into clips values (?, ?)", (clip, not has_sound)).rowcount > 0

    def captions_of(self, clip: str, own: Captions) -> Captions:
        """The clip's own captions, or those given beside; remembers that they found each other."""
        row = self._db.execute("select body from captions where id = ?", (clip,)).fetchone()
        if row:
            self._db.execute("update captions set taken = 1 where id = ?", (clip,))
        found = _load(row[0]) if row else own
        if found:
            self._db.execute("update clips set captioned = 1 where id = ?", (clip,))
        return found

    def unmatched_captions(self) -> list[str]:
        """Ids of captions that no clip took."""
        return self._ids("select id from captions where not taken order by id")

    def unmatched_audio(self) -> list[str]:
        """Ids of clips without any caption."""
        return self._ids("select id from clips where not captioned order by id")

    def _ids(self, query: str) -> list[str]:
        return [row[0] for row in self._db.execute(query)]


@contextmanager
def open_join() -> Iterator[Join]:
    """An empty join that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="clsp-join-") as folder:
        connection = sqlite3.connect(Path(folder) / "join.sqlite", isolation_level=None)
        try:
            connection.executescript(f"pragma journal_mode = off; pragma synchronous = off; {_SCHEMA}")
            yield Join(connection)
        finally:
            connection.close()


def read_captions(path: Path) -> Iterator[tuple[str, Captions]]:
    """Captions by id: of an FCaps manifest, of jsonl with ``id`` and lists, or of Parquet with the same names."""
    if path.suffix == ".parquet":
        values: Iterable[dict[str, object]] = pyarrow.parquet.read_table(path).to_pylist()
    else:
        values = (orjson.loads(line) for line in read_lines(path))
    try:
        for value in values:
            yield _captions(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path} holds a row that is no caption ({type(error).__name__}: {error})",
            hint="give 'id' with 'fine' and 'global' lists, or lhotse cuts",
        ) from error


def _captions(value: dict[str, object]) -> tuple[str, Captions]:
    if "recording" in value:
        cut = parse_cut(value)
        return cut.id, cut.captions
    return str(value["id"]), Captions(_texts(value, _FINE), _texts(value, _OVERALL))


def _texts(value: dict[str, object], names: tuple[str, ...]) -> tuple[str, ...]:
    found = next((value[name] for name in names if value.get(name)), ())
    texts = found if isinstance(found, list | tuple) else [found]
    return tuple(str(text) for text in texts)


def _dump(captions: Captions) -> bytes:
    return orjson.dumps(asdict(captions))


def _load(body: bytes) -> Captions:
    value = orjson.loads(body)
    rows = tuple(Caption(**row) for row in value["rows"])
    return Captions(tuple(value["fine"]), tuple(value["overall"]), rows)
