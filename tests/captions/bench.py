"""Measures what annotation promises about itself, without a GPU: ``python -m tests.captions.bench NAME [ROWS]``.

``load``: share of a fixed engine's capacity that is used, and CPU a caption. ``memory``: resident size while captioning
the first units of many segments. ``resume``: a restart when nearly all of many rows are done.
"""

import json
import resource
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace

from clsp.captions.budget import FailureBudget
from clsp.captions.client import Answered, ChatClient, ChatRequest
from clsp.captions.connection import Connection
from clsp.captions.units import Workplace
from clsp.config import EndpointSettings
from clsp.hashing import canonical_json, digest
from clsp.records import Segment
from clsp.storage import ObjectStore, open_store
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.ledger import Ledger, Share
from clsp.storage.manifest import Counts, Manifest, Shard, save_manifest, save_rows
from clsp.storage.steps import make_recipe, step_key
from components.annotate.main import make_work
from components.captioning.work import add_up
from tests.captioning import flac, make_segment, voice
from tests.fixed_engine import fixed_engine

_SHARD_ROWS = 50_000
_TODO = 4  # units that a resumed job still has to do


def main() -> None:
    """Run one measurement and print it as JSON."""
    name, rows = sys.argv[1], int(float(sys.argv[2])) if len(sys.argv) > 2 else 0
    found = {"load": measure_load, "memory": measure_memory, "resume": measure_resume}[name](rows)
    found["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(found))


def measure_load(slots: int, rounds: int = 60) -> dict:
    """Ask an engine of ``slots`` for ``rounds`` times as many captions of 5 s of sound, at 128 a second or fewer."""
    body, asked, seconds = b"x" * 213_000, slots * rounds, max(1.0, slots / 128)
    with fixed_engine(slots, seconds) as url:
        settings = EndpointSettings(url=url, concurrency=2048)
        started, spent = time.monotonic(), time.process_time()
        with ChatClient([Connection(url)], settings, FailureBudget(url, asked, 0.0, 1)) as client:
            replies = client.ask([ChatRequest(str(n), lambda: body, str(n // 5)) for n in range(asked)])
        spent, took = time.process_time() - spent, time.monotonic() - started
        used = json.load(urllib.request.urlopen(f"{url.removesuffix('/v1')}/seen"))["used"]
    assert all(isinstance(reply, Answered) for reply in replies)
    return {
        "slots": slots, "service_seconds": seconds, "captions": asked, "seconds": round(took, 1),
        "share_of_capacity_from_start_to_end": round(rounds * seconds / took, 3), "share_of_slot_time": round(used, 3),
        "cpu_ms_a_caption": round(1000 * spent / asked, 3),
    }  # fmt: skip


def measure_memory(rows: int) -> dict:
    """Caption until about 20,000 answers of ``rows`` segments are there, at 512 requests in flight."""
    with tempfile.TemporaryDirectory() as folder, fixed_engine(512, 0.5) as url:
        store = open_store(folder)
        segments = _many_segments(store, rows, real=rows)
        work = make_work(_settings(url), (segments,))
        ledger = Ledger(store, "annotate", step_key(work.recipe, work.parents))
        names = [name for name, _ in work.plan(store)]
        for name in names[20:]:
            ledger.record(name, _result(0))
        started, spent = time.monotonic(), time.process_time()
        work.complete(Workplace(store, ledger, (Connection(url),), Share()))
        answers = sum(result["accepted"] for result in ledger.done(names[:20]).values())
        spent = time.process_time() - spent
        return {
            "segments": rows, "units": len(names), "captions_made": answers,
            "seconds": round(time.monotonic() - started, 1), "cpu_ms_a_caption": round(1000 * spent / answers, 3),
        }  # fmt: skip


def measure_resume(rows: int) -> dict:
    """Restart a job of ``rows`` segments of which all but four units are done."""
    with tempfile.TemporaryDirectory() as folder, fixed_engine(512, 0.1) as url:
        store = open_store(folder)
        segments = _many_segments(store, rows, real=_SHARD_ROWS)
        work = make_work(_settings(url), (segments,))
        ledger = Ledger(store, "annotate", step_key(work.recipe, work.parents))
        units = work.plan(store)
        for name, (start, stop) in units[_TODO:]:
            ledger.record(name, _result(stop - start))
        started = time.monotonic()
        work.plan(store)
        planned = time.monotonic()
        ledger.done(name for name, _ in units)
        read = time.monotonic()
        work.complete(Workplace(store, ledger, (Connection(url),), Share()))
        ended = time.monotonic()
        assert add_up(work, store, ledger).counts.accepted == rows
        return {
            "segments": rows, "units": len(units), "planned_seconds": round(planned - started, 2),
            "ledger_read_seconds": round(read - planned, 2), "rest_done_seconds": round(ended - read, 2),
            "added_up_seconds": round(time.monotonic() - ended, 2),
        }  # fmt: skip


def _settings(url: str) -> str:
    captioner = {"url": url, "model": "m"}
    values = {"views": 1, "overall_from_measures": False, "captioner": captioner}
    return canonical_json(values).decode()


def _many_segments(store: ObjectStore, rows: int, real: int) -> str:
    """A manifest of ``rows`` segments, all with the same sound; only the first ``real`` are written."""
    data = flac(voice(150, seconds=5.0))
    audio, (place,) = save_audio(store, [Sound(digest(data), data, {})])
    plain = make_segment(
        duration_s=5.0, audio_key=place.key, audio_offset=place.offset, audio_length=place.length, speaker="s" * 20
    )
    shards: list[Shard] = [audio]
    for start in range(0, rows, _SHARD_ROWS):
        size = min(_SHARD_ROWS, rows - start)
        if start < real:
            named = [replace(plain, id=digest(str(number).encode())) for number in range(start, start + size)]
            shards.append(save_rows(store, "segments", Segment, named))
        else:
            shards.append(Shard(key=f"shards/segments/{start}", kind="segments", sha256="", rows=size, bytes=0))
    counts = Counts(unit="segments", rows_in=rows, accepted=rows)
    recipe = make_recipe("ingest", {})
    manifest = Manifest(record="segments", recipe=recipe, parents=(), shards=tuple(shards), counts=counts)
    return save_manifest(store, manifest)


def _result(rows: int) -> dict:
    shard = Shard(key=f"shards/captions/{'0' * 64}.parquet", kind="captions", sha256="0" * 64, rows=rows, bytes=9)
    return {"shards": [shard.model_dump(mode="json")], "accepted": rows, "rejected": {}, "failed": {}}


if __name__ == "__main__":
    main()
