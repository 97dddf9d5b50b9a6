"""Our client beside ``vllm run-batch``: ``python -m tests.vllm.bench [CLIPS] [ROUNDS]`` prints JSON.

The same tiny engine with the same options, the same requests (three views of each clip), in turns. Ours is the whole
annotate step, from reading the sound to the manifest, against a server that is up; run-batch is timed from reading its
file to its last answer, so that the start of an engine is in neither. Each round has clips of its own, so that no
prefix cache knows them. Then a client is killed at half time, and what the engine answered in all is counted.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import orjson

from clsp.captions.captioners import captioner_of
from clsp.captions.views import plan_views
from clsp.config import AnnotateSettings, parse_settings
from clsp.records import Segment
from clsp.storage import ObjectStore, open_store
from clsp.storage.manifest import load_manifest, read_rows
from components.annotate.main import run as annotate
from tests.captioning import flac, save_clips, voice
from tests.vllm.server import SMALL, Server, environment, servers

DONE, VIEWS = "vllm:request_success_total", 3
_AUDIO = '--limit-mm-per-prompt={"image": 0, "video": 0, "audio": 1}'
_ENGINE_ONLY = [option for option in SMALL if not option.startswith("--host")]
_ANNOTATE = """
import sys
from components.annotate.main import run
run(store=sys.argv[1], run_id='a', settings=sys.argv[2], segments=sys.argv[3])
"""
_RUN_BATCH = """
import asyncio, time
import vllm.entrypoints.openai.run_batch as module
whole = module.run_batch
async def timed(*arguments):
    started = time.monotonic()
    await whole(*arguments)
    print(f"run-batch took {time.monotonic() - started}", flush=True)
module.run_batch = timed
asyncio.run(module.main(module.parse_args()))
"""


def main() -> None:
    """Run all and print what was found."""
    clips, rounds = (int(value) for value in [*sys.argv[1:], "200", "3"][:2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "tests.vllm.tiny_models", name], check=True, env=environment())
        with servers(Server(folder / "omni", folder / "log", _AUDIO)) as (server,):
            turns = [
                (_ours(server, folder / f"o{turn}", clips, turn), _theirs(folder, clips, turn))
                for turn in range(rounds)
            ]
            again = _killed(server, folder / "killed", clips, rounds)
    print(json.dumps({
        "requests": clips * VIEWS, "ours_seconds": [ours for ours, _ in turns],
        "run_batch_seconds": [theirs for _, theirs in turns],
        "ours_as_share_of_run_batch": round(statistics.median(ours / theirs for ours, theirs in turns), 3), **again,
    }))  # fmt: skip


def _ours(server: Server, folder: Path, clips: int, turn: int) -> float:
    store = open_store(str(folder))
    segments = _save(store, clips, turn)
    started = time.monotonic()
    name = annotate(store=store.uri, run_id="a", settings=_settings(server.url), segments=segments)
    took = time.monotonic() - started
    assert load_manifest(store, name).counts.accepted == clips * VIEWS
    return round(took, 2)


def _theirs(folder: Path, clips: int, turn: int) -> float:
    asked, answered = folder / f"{turn}.jsonl", folder / f"{turn}.answers"
    store = open_store(str(folder / f"b{turn}"))
    asked.write_bytes(b"\n".join(_lines(store, _save(store, clips, turn))))
    command = [sys.executable, "-c", _RUN_BATCH, "-i", str(asked), "-o", str(answered), f"--model={folder / 'omni'}"]
    command += ["--served-model-name=omni", _AUDIO, *_ENGINE_ONLY]
    batch = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), text=True, check=False
    )
    replies = [orjson.loads(line) for line in answered.read_bytes().splitlines()] if answered.exists() else []
    good = [reply for reply in replies if not reply["error"]]
    assert len(good) == clips * VIEWS, f"{len(good)} answers; {batch.stdout[-3000:]} {replies[:1]}"
    return round(float(re.search(r"run-batch took (\S+)", batch.stdout)[1]), 2)


def _killed(server: Server, folder: Path, clips: int, turn: int) -> dict:
    """Kill the step when half of its requests are answered, and let another end it."""
    store, rows = open_store(str(folder)), clips * VIEWS
    settings, segments = _settings(server.url), _save(store, clips, turn)
    before = server.metric(DONE, without="abort")
    child = subprocess.Popen([sys.executable, "-c", _ANNOTATE, store.uri, settings, segments])
    while server.metric(DONE, without="abort") - before < rows / 2 and child.poll() is None:
        threading.Event().wait(0.02)
    child.kill()
    child.wait()
    name = annotate(store=store.uri, run_id="b", settings=settings, segments=segments)
    assert load_manifest(store, name).counts.accepted == rows
    answered = server.metric(DONE, without="abort") - before
    return {"answered_after_a_kill": answered, "work_after_a_kill": round(answered / rows, 3)}


def _save(store: ObjectStore, clips: int, turn: int) -> str:
    return save_clips(store, [flac(voice(90 + turn + 8 * number, seconds=1.0)) for number in range(clips)])


def _settings(url: str) -> str:
    captioner = {"url": url, "model": "omni", "timeout_seconds": 600}
    values = {"captioner": captioner, "views": VIEWS, "overall_from_measures": False, "sampling": {"max_tokens": 128}}
    return orjson.dumps(values).decode()


def _lines(store: ObjectStore, segments: str) -> list[bytes]:
    settings = parse_settings(AnnotateSettings, _settings("http://127.0.0.1:1/v1"))
    bodies = [
        (view, captioner.body(view))
        for segment in read_rows(store, load_manifest(store, segments), "segments", Segment)
        for captioner in [captioner_of(store, segment, VIEWS, settings)]
        for view in plan_views(segment, settings)
    ]
    return [
        orjson.dumps({
            "custom_id": f"{view.segment.id}-{view.number}", "method": "POST", "url": "/v1/chat/completions",
            "body": orjson.loads(body),
        })
        for view, body in bodies
    ]  # fmt: skip


if __name__ == "__main__":
    main()
