"""Memory and time of the features step: ``python -m tests.components.bench_features EXAMPLES`` prints one JSON line.

What a run has measured is in the ledger for all clips but the last 256, so the clock tells what joining, selecting
and saving take; rows are written before it starts, in a process of its own, so that the peak is the step's. All
shards hold the same texts, each with speakers of its own.
"""

import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from clsp.config import FeatureSettings
from clsp.records import Example
from clsp.storage import ObjectStore, open_store
from clsp.storage.audio_shards import ByteRange, Sound, save_audio
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Counts, Manifest, Shard, load_manifest, save_manifest, save_rows, save_shard
from clsp.storage.rows import arrow_schema, decode_table, encode_rows
from clsp.storage.steps import make_recipe, step_key
from components.features.main import run
from components.features.measuring import measure_clip
from components.features.rows import SegmentFeatures, describe
from tests.judged_rows import caption, segment

_UNIT = FeatureSettings().examples_per_unit
_SHARD = 800 * _UNIT
_MEASURED_UNITS = 4


def main() -> None:
    """Write the rows, or run the step and print what it took."""
    if len(sys.argv) > 2:
        print(write(open_store(sys.argv[2]), max(1, round(float(sys.argv[1]) / _SHARD))))
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.components.bench_features", sys.argv[1], folder]
        examples = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        started, spent = time.monotonic(), time.process_time()
        name = run(store=folder, run_id="bench", settings="{}", examples=examples)
        counts = load_manifest(open_store(folder), name).counts
        found = {
            "examples": counts.rows_in, "accepted": counts.accepted, "measured_now": _MEASURED_UNITS * _UNIT,
            "seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(time.process_time() - spent, 1),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }  # fmt: skip
    print(json.dumps(found))


def write(store: ObjectStore, shards: int) -> str:
    """The manifest of so many shards of examples, all but the last few of which the step has measured."""
    audio, (place,) = save_audio(store, [Sound("tone", _tone(), {})])
    rows = [_example(number, place) for number in range(_SHARD)]
    table = decode_table(Example, encode_rows(Example, rows))
    examples = [_save(store, table, number) for number in range(shards)]
    counts = Counts(unit="segments", rows_in=_SHARD * shards, accepted=_SHARD * shards)
    manifest = Manifest(
        record="examples", recipe=make_recipe("bench", {}), parents=(), shards=(*examples, audio), counts=counts
    )
    name = save_manifest(store, manifest)
    recipe = make_recipe("features", FeatureSettings().model_dump(mode="json", exclude={"workers"}))
    ledger = Ledger(store, "features", step_key(recipe, (name,)))
    measures = measure_clip(store.uri, place)
    assert measures is not None
    features = [
        save_rows(store, "features", SegmentFeatures, [describe(row, measures) for row in rows[start : start + _UNIT]])
        for start in range(0, _SHARD, _UNIT)
    ]
    for number in range(shards * len(features) - _MEASURED_UNITS):
        ledger.record(f"{number:06d}", {"shard": features[number % len(features)].model_dump(mode="json")})
    return name


def _save(store: ObjectStore, table: Any, number: int) -> Shard:
    speakers = pa.array([f"speaker-{number}-{row // 50}" for row in range(len(table))])
    place, sink = arrow_schema(Example).get_field_index("speaker"), io.BytesIO()
    pq.write_table(table.set_column(place, "speaker", speakers), sink, compression="zstd")
    return save_shard(store, "examples", sink.getvalue(), len(table), "parquet")


def _example(number: int, place: ByteRange) -> Example:
    like, texts = segment(number % 16), [f"{caption(number % 16, view).text}, {number}" for view in (0, 1)]
    return Example(
        segment_id=f"{number:064x}", split=like.split, speaker="", duration_s=like.duration_s, licence=like.licence,
        language="en", fine=tuple(texts), overall=(), audio_key=place.key, audio_offset=place.offset,
        audio_length=place.length, measures={},
    )  # fmt: skip


def _tone() -> bytes:
    buffer, when = io.BytesIO(), np.arange(32_000) / 16_000
    soundfile.write(buffer, (0.2 * np.sin(2 * np.pi * 150 * when)).astype(np.float32), 16_000, format="FLAC")
    return buffer.getvalue()


if __name__ == "__main__":
    main()
