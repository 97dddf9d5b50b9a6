"""Memory and time of the validate step: ``python -m tests.data_quality.bench CAPTIONS`` prints one JSON line.

With ``counts`` after it only what grows with the rows is measured: the counts of hashes, over keys drawn at random.

Three captions a segment, each with a verdict, seven in eight accepted; texts as long as real ones, of words drawn by
number. Rows are written as shards before the clock starts, in a process of its own, so that the peak is the step's.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from clsp.records import Caption, Segment, Verdict
from clsp.storage import ObjectStore, open_store
from clsp.storage.manifest import Counts, Manifest, load_manifest, save_manifest, save_rows
from clsp.storage.rows import in_chunks
from clsp.storage.steps import make_recipe
from components.validate.main import run
from data_quality.evidence import BATCH_ROWS
from data_quality.keys import Counted, Gathering, Pairs
from tests.judged_rows import COURSES, LEVELS, caption, segment, verdict

_SHARD_SEGMENTS = 20_000
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd: makes numbers into what look like hashes
_WORDS = [
    f"{start}{middle}{end}" for start in "bdfgklmnprst" for middle in "aeiou" for end in ("ned", "st", "mly", "rk")
]


def main() -> None:
    """Write the rows, or judge them and print what it took."""
    if sys.argv[2:] == ["counts"]:
        print(json.dumps(measure_counts(int(float(sys.argv[1])))))
        return
    if len(sys.argv) > 2:
        print(json.dumps(write(open_store(sys.argv[2]), int(float(sys.argv[1])))))
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.data_quality.bench", sys.argv[1], folder]
        parents = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        rows = parents.pop("rows")
        started, spent = time.monotonic(), time.process_time()
        name = run(store=folder, run_id="bench", settings="{}", **parents)
        found = {
            **rows, "examples": load_manifest(open_store(folder), name).counts.accepted,
            "seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(time.process_time() - spent, 1),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }  # fmt: skip
    print(json.dumps(found))


def measure_counts(captions: int) -> dict[str, Any]:
    """Count as a validate step does over so many captions, each judged, accepted and of a third of a segment."""
    drawn, started, segments = np.random.default_rng(0), time.monotonic(), captions // 3

    def keys(rows: int) -> Iterator[Any]:
        for start in range(0, rows, BATCH_ROWS):
            yield drawn.integers(2**64, size=min(BATCH_ROWS, rows - start), dtype=np.uint64)

    def counted(rows: int) -> Counted:
        gathering = Gathering()
        for batch in keys(rows):
            gathering.add(batch)
        return gathering.total()

    def paired() -> Counted:
        pairs = Pairs()
        for batch in keys(captions):
            pairs.add(batch % np.uint64(segments) * _SPREAD, batch >> np.uint64(60))
        return pairs.total()

    kept = [counted(segments)]
    kept += [counted(captions) for _ in ("ids", "contents")]
    kept += [counted(captions).repeated() for _ in ("texts", "sets of words")]
    kept += [counted(segments) for _ in ("fine", "generated")]
    kept += [paired() for _ in ("views", "seeds")]
    kept += [counted(captions) for _ in ("judged", "passed", "accepted texts")]
    return {
        "captions": captions, "segments": segments, "counts_kept": sum(map(len, kept)),
        "seconds": round(time.monotonic() - started, 1),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }  # fmt: skip


def write(store: ObjectStore, captions: int) -> dict[str, Any]:
    """Parents of a validate step with so many captions, and how many rows they have."""
    shards: dict[str, list[Any]] = {"segments": [], "captions": [], "verdicts": [], "accepted": []}
    for numbers in in_chunks(range(captions // 3), _SHARD_SEGMENTS):
        segments = [_segment(number) for number in numbers]
        written = [*chain.from_iterable(map(_captions, numbers))]
        verdicts = [verdict(one, "" if one.seed % 8 else "tags") for one in written]
        accepted = [one for one, judged in zip(written, verdicts, strict=True) if judged.passed]
        shards["segments"].append(save_rows(store, "segments", Segment, segments))
        shards["captions"].append(save_rows(store, "captions", Caption, written))
        shards["verdicts"].append(save_rows(store, "verdicts", Verdict, verdicts))
        shards["accepted"].append(save_rows(store, "captions", Caption, accepted))
    rows = {name: sum(shard.rows for shard in held) for name, held in shards.items()}
    return {
        "rows": rows,
        "segments": _keep(store, "segments", shards["segments"]),
        "captions": _keep(store, "captions", shards["captions"]),
        "verified": _keep(store, "captions", [*shards["accepted"], *shards["verdicts"]]),
    }


def _segment(number: int) -> Segment:
    like = segment(number % 16)
    said = " ".join(_drawn(number, 20))
    return replace(
        like, id=f"{number:064x}", speaker=f"{like.split}-{number // 50}", transcript=said, audio_offset=512 * number
    )


def _captions(number: int) -> Iterator[Caption]:
    for view in range(3):
        like = caption(number % 16, view)
        pace, colour, *words = _drawn(3 * number + view, 12)
        text = (
            f"A {LEVELS[number % 8]} and {pace} voice speaks with {colour} weight, {' '.join(words)}, while its pitch"
        )
        yield replace(
            like, id=f"{3 * number + view:064x}", segment_id=f"{number:064x}", seed=3 * number + view,
            text=f"{text} {COURSES[number % 4]}; the loudness is moderate and syllables follow one another evenly",
        )  # fmt: skip


def _drawn(number: int, words: int) -> list[str]:
    return random.Random(number).choices(_WORDS, k=words)


def _keep(store: ObjectStore, record: str, shards: list[Any]) -> str:
    rows = sum(shard.rows for shard in shards if shard.kind == record)
    counts = Counts(unit=record, rows_in=rows, accepted=rows)
    recipe = make_recipe("bench", {})
    return save_manifest(store, Manifest(record=record, recipe=recipe, parents=(), shards=tuple(shards), counts=counts))


if __name__ == "__main__":
    main()
