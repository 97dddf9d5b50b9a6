"""The annotation clients against a real vLLM server: audio, guided JSON, aborted requests, metrics, run-batch."""

import base64
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import orjson
import pytest
from typer.testing import CliRunner

from clsp.captions.budget import FailureBudget
from clsp.captions.chat import caption_body, text_body, user_message
from clsp.captions.checklist import ask_about, parse_judgement, response_format
from clsp.captions.client import Answered, ChatClient, ChatRequest
from clsp.captions.connection import Connection
from clsp.captions.prompts import caption_prompt
from clsp.config import EndpointSettings, SamplingSettings
from clsp.evaluation.judging import judge_captions
from clsp.records import Caption, Failure, Verdict
from clsp.storage import ObjectStore
from clsp.storage.manifest import load_manifest, read_rows
from components.annotate.main import run as annotate
from components.verify.main import run as verify
from pipelines.cli import app
from tests.captioning import save_voices, voice, wav
from tests.vllm.packages import is_installed
from tests.vllm.server import Server, environment, servers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_installed(), reason="vLLM is not set up: make vllm-tools"),
]
DONE = "vllm:request_success_total"
SHORT = SamplingSettings(max_tokens=16)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-m", "tests.vllm.tiny_models", str(folder)], check=True, env=environment())
    return folder


@pytest.fixture(scope="module")
def engines(models, tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    omni = Server(models / "omni", logs / "omni", '--limit-mm-per-prompt={"image": 0, "video": 0, "audio": 1}')
    with servers(omni, Server(models / "qwen3", logs / "qwen3")) as started:
        yield started


@pytest.fixture
def omni(engines) -> Server:
    return engines[0]


@pytest.fixture
def qwen3(engines) -> Server:
    return engines[1]


def sound(number: int) -> str:
    return base64.b64encode(wav(voice(90 + number, seconds=1.0))).decode()


def questions(clips: Sequence[int], views: int, sampling: SamplingSettings = SHORT) -> list[ChatRequest]:
    prompt = caption_prompt("fine", {})
    return [
        ChatRequest(f"{clip}-{view}", partial(caption_body, "omni", prompt, heard, sampling, view), str(clip))
        for clip in clips
        for heard in [sound(clip)]
        for view in range(views)
    ]


def ask(url: str, requests: list[ChatRequest], **changes) -> list:
    budget = FailureBudget(url, len(requests), 1.0, 1000)
    with ChatClient([Connection(url)], EndpointSettings(url=url, **changes), budget) as client:
        return client.ask(requests)


def annotate_with(engine: Server, model: str, store: ObjectStore, clips: int, **changes) -> tuple[str, str]:
    captioner = {"url": engine.url, "model": model, "timeout_seconds": 300}
    values = {"captioner": captioner, "views": 2, "sampling": {"max_tokens": 16}, **changes}
    segments = save_voices(store, clips)
    return segments, annotate(store=store.uri, run_id="a", settings=orjson.dumps(values).decode(), segments=segments)


def test_it_captions_sound_and_the_same_seed_says_the_same(omni):
    one = ask(omni.url, questions((0, 1), 3))
    assert all(isinstance(reply, Answered) for reply in one)
    assert len({reply.text for reply in one}) >= 3  # another seed, another text
    assert [reply.text for reply in ask(omni.url, questions((0, 1), 3)[::-1])][::-1] == [reply.text for reply in one]


def test_views_of_a_clip_are_paid_for_once(omni):
    hits, asked = "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"
    before = omni.metric(hits), omni.metric(asked)
    ask(omni.url, questions((60, 61, 62), 4), concurrency=1)
    found, tokens = omni.metric(hits) - before[0], omni.metric(asked) - before[1]
    assert found > 0.6 * tokens  # three of four views hear nothing new


def test_both_steps_end_with_sums_that_add_up(omni, qwen3, store):
    segments, captions = annotate_with(omni, "omni", store, 6)
    assert load_manifest(store, captions).counts.rows_in == 18
    texts = [row.text for row in read_rows(store, load_manifest(store, captions), "captions", Caption)]
    assert all(texts)
    lenient = {"min_characters": 0, "max_characters": 10_000, "min_overall_characters": 0}
    verifier = {"url": qwen3.url, "model": "qwen3", "timeout_seconds": 300, "max_failed_share": 1.0}
    values = {"verifier": verifier, "sampling": {"max_tokens": 400}, **lenient}
    name = verify(
        store=store.uri, run_id="v", settings=orjson.dumps(values).decode(), segments=segments, captions=captions
    )
    manifest = load_manifest(store, name)
    verdicts = list(read_rows(store, manifest, "verdicts", Verdict))
    failures = list(read_rows(store, manifest, "failures", Failure))
    assert manifest.counts.rows_in == 18 == len(verdicts) + len(failures)


def test_a_judge_hears_and_scores_captions_of_two_captioners(omni, qwen3, store):
    segments, heard = annotate_with(omni, "omni", store, 3)
    _, read = annotate_with(qwen3, "qwen3", store, 3, captioner_hears="tags")
    found = judge_captions(store, (heard, read), segments, omni.url, "omni", 2, 3)
    assert (found.clips, found.unjudged, found.rounds) == (3, 0, 2)
    for criterion in found.criteria.values():
        assert all(1 <= mean.low <= mean.value <= mean.high <= 5 for mean in (criterion.a, criterion.b))


def test_bench_annotate_sweeps_the_engine_and_reads_its_metrics(omni):
    sweep = ["--concurrency", "1", "--concurrency", "4", "--views", "2", "--seconds", "1", "--max-tokens", "8"]
    ran = CliRunner().invoke(app, ["bench", "annotate", "--url", omni.url, "--model", "omni", *sweep])
    assert ran.exit_code == 0, ran.output
    found = {row["concurrency"]: row for row in orjson.loads(ran.stdout)["results"]}
    assert {concurrency: (row["captions"], row["failed"]) for concurrency, row in found.items()} == {
        1: (4, 0),
        4: (16, 0),
    }
    for row in found.values():
        assert row["output_tokens_per_second"] > row["captions_per_second"] > 0
        assert row["prefix_cache_hit_share"] > 0.2  # the second view of a clip hears nothing new


def test_guided_json_is_the_judgement_asked_for(qwen3):
    sampling = SamplingSettings(max_tokens=600)
    schema = orjson.loads(orjson.dumps(response_format()))
    schema["json_schema"]["schema"]["properties"]["reason"] = {"enum": ["", "a street"]}  # noise never ends a string
    asked = [user_message(ask_about("A calm voice.", "hello", {}))]
    body = text_body("qwen3", asked, sampling, 1, schema)
    (reply,) = ask(qwen3.url, [ChatRequest("r", lambda: body)], timeout_seconds=300)
    assert parse_judgement(reply.text)


def test_a_client_that_goes_away_frees_the_engine(omni):
    requests = questions(range(100), 3, SamplingSettings(max_tokens=1500))
    before = omni.metric(DONE, without="abort")
    settings = EndpointSettings(url=omni.url, grace_seconds=0.0)
    with (
        ThreadPoolExecutor(1) as pool,
        ChatClient([Connection(omni.url)], settings, FailureBudget("x", len(requests), 1.0, 9)) as client,
    ):
        asked = pool.submit(client.ask, requests)
        wait_until(lambda: omni.metric("vllm:num_requests_running") > 0)
    assert asked.exception()
    wait_until(lambda: omni.metric("vllm:num_requests_running") + omni.metric("vllm:num_requests_waiting") == 0)
    assert omni.metric(DONE, without="abort") - before < len(requests) / 2


def test_a_client_killed_at_half_time_has_the_engine_do_hardly_anything_twice(omni, store):
    rows = 180
    # Two at a time: on a busy disk it takes up to a second until an answer is noted, in which few may come.
    captioner = {"url": omni.url, "model": "omni", "timeout_seconds": 300, "concurrency": 2}
    values = {"captioner": captioner, "views": 2, "sampling": {"max_tokens": 512}, "segments_per_unit": 7, "seed": 5}
    settings, segments = orjson.dumps(values).decode(), save_voices(store, rows // 3)
    code = "import sys; from components.annotate.main import run; "
    code += "run(store=sys.argv[1], run_id='a', settings=sys.argv[2], segments=sys.argv[3])"
    before = omni.metric(DONE, without="abort")
    child = subprocess.Popen([sys.executable, "-c", code, store.uri, settings, segments])
    try:
        wait_until(lambda: omni.metric(DONE, without="abort") - before >= rows / 2 or child.poll() is not None)
    finally:
        child.kill()
        child.wait()
    name = annotate(store=store.uri, run_id="b", settings=settings, segments=segments)
    counts = load_manifest(store, name).counts
    assert (counts.rows_in, counts.accepted + counts.failed_total) == (rows, rows)
    assert (
        omni.metric(DONE, without="abort") - before <= 1.05 * rows + 2
    )  # and what was answered while the kill was on its way


def wait_until(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
