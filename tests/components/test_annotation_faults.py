"""What goes wrong around annotation, one thing at a time: rows always add up, and finished work is never done twice."""

import errno
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import orjson
import pytest

from clsp.errors import ClspError, EndpointError, StorageError
from clsp.storage import ObjectStore, open_store
from clsp.storage import open as opening
from clsp.storage.ledger import Ledger, Share
from clsp.storage.s3 import S3Store
from clsp.storage.steps import step_key
from components.annotate.main import make_work
from components.captioning.work import add_up, do_here
from components.describer.embedded import start_describer
from tests.captioning import QUICK, describer, describing, save_voices
from tests.components.test_annotate import annotate, checked
from tests.cutting_proxy import Cuts, cutting_proxy

SECRET = "sk-very-secret-9876"
PATIENT = {"first_answer_seconds": 60, "outage_seconds": 60, "backoff_seconds": 0.05, "attempts": 50}


def work_of(url: str, segments: str, **settings):
    values = {"captioner": {**QUICK, "url": url}, "views": 1, "segments_per_unit": 2, **settings}
    return make_work(orjson.dumps(values).decode(), (segments,))


def test_an_engine_that_is_killed_and_started_again_costs_only_a_wait(store):
    segments = save_voices(store, 6)
    with start_describer(60) as url:
        port = url.rsplit(":", 1)[1].removesuffix("/v1")
    with ThreadPoolExecutor(1) as pool, start_describer(60, "--port", port, "--fault", "die=7") as url:
        asked = pool.submit(annotate, store, segments, url, endpoint=PATIENT)
        with ExitStack() as stack:
            start_when_free(stack, port)
            manifest = checked(store, asked.result(120), 18)
    assert manifest.counts.accepted == 18


def start_when_free(stack: ExitStack, port: str) -> None:
    """Another describer on that port, as soon as the one there is dead."""
    for _ in range(600):
        try:
            stack.enter_context(start_describer(60, "--port", port))
        except ClspError:
            threading.Event().wait(0.1)
        else:
            return
    raise AssertionError("the port was never free")


def test_two_workers_at_the_same_shard_end_with_one_manifest(store, tmp_path):
    other = open_store(str(tmp_path / "other"))
    with describer("delay=0.02@0.5") as url:
        alone = annotate(other, save_voices(other, 6), url)
        segments = save_voices(store, 6)
        with ThreadPoolExecutor(3) as pool:
            names = list(pool.map(lambda _: annotate(store, segments, url), range(3)))
    assert names == [alone] * 3


def test_workers_that_share_ask_for_each_row_once(store):
    segments = save_voices(store, 12)
    quick = {"beat_seconds": 0.05, "silent_seconds": 60}
    with describing("delay=0.05") as server, ThreadPoolExecutor(3) as pool:
        work = work_of(server.url, segments, workers=quick)
        ledger = Ledger(store, "annotate", step_key(work.recipe, work.parents))
        list(pool.map(lambda rank: do_here(work, store, ledger, Share(rank, 3)), range(3)))
        assert server.trouble.requests == 24
    assert add_up(work, store, ledger).counts.accepted == 24


def test_a_slow_worker_is_helped_by_a_quick_one(store):
    segments = save_voices(store, 16)
    quick = {"beat_seconds": 0.05, "silent_seconds": 60}
    slow_endpoint = {**QUICK, "concurrency": 1, "first_concurrency": 1}
    with describing("delay=0.5") as slow, describing() as fast, ThreadPoolExecutor(2) as pool:
        works = [
            work_of(slow.url, segments, workers=quick, captioner={**slow_endpoint, "url": slow.url}),
            work_of(fast.url, segments, workers=quick),
        ]
        ledger = Ledger(store, "annotate", step_key(works[0].recipe, works[0].parents))
        list(pool.map(lambda rank: do_here(works[rank], store, ledger, Share(rank, 2)), range(2)))
        assert fast.trouble.requests > slow.trouble.requests
        assert fast.trouble.requests + slow.trouble.requests == 32


def test_a_full_disk_stops_with_a_hint_and_goes_on_when_there_is_room(store, monkeypatch):
    segments = save_voices(store, 4)
    link, links = os.link, []

    def full(source, target):
        links.append(target)
        if len(links) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        link(source, target)

    with describing() as server:
        monkeypatch.setattr(os, "link", full)
        with pytest.raises(StorageError, match="free space"):
            annotate(store, segments, server.url)
        monkeypatch.setattr(os, "link", link)
        assert checked(store, annotate(store, segments, server.url), 12).counts.accepted == 12


def test_a_clock_that_jumps_changes_nothing(store, monkeypatch):
    now, jumps = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: now() + (-1) ** next(jumps) * 86_400)
    with describer("429=1@0.3", "500@0.2") as url:
        name = annotate(store, save_voices(store, 4), url, endpoint={"attempts": 30})
    assert checked(store, name, 12).counts.accepted == 12


@pytest.mark.parametrize("fault", ["refuses", "slow"])
def test_a_store_that_fails_now_and_then_ends_the_step_or_not_but_loses_nothing(s3_store, monkeypatch, fault):
    segments = save_voices(s3_store, 4)
    put, hits = S3Store.put_if_absent, iter([fault])

    def faulty(self, key, data):
        if fault == "slow":
            threading.Event().wait(0.05)
        hit = next(hits, "") if key.startswith("ledger/") else ""
        if hit == "refuses":
            raise StorageError("the store refuses", hint="try again")
        return put(self, key, data)

    with describing() as server:
        monkeypatch.setattr(S3Store, "put_if_absent", faulty)
        if fault != "slow":
            with pytest.raises(StorageError, match="try again"):
                annotate(s3_store, segments, server.url)
        assert checked(s3_store, annotate(s3_store, segments, server.url), 12).counts.accepted == 12


@pytest.fixture
def through(s3_environment, monkeypatch):
    """A store behind a proxy that makes the given cuts; it tries again as often as ever, only sooner."""

    @contextmanager
    def opened(cuts: Cuts, uri: str):
        server = urlsplit(s3_environment.endpoint)
        with cutting_proxy(server.hostname, server.port, cuts) as port, monkeypatch.context() as changed:
            changed.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            changed.setattr(opening, "_RETRIES", opening._RETRIES.new(backoff_factor=0.01))
            yield open_store(uri)

    return opened


@pytest.mark.parametrize("cut", ["body", "answer"])
def test_connections_lost_in_mid_put_leave_the_same_manifest(s3_store, store, through, cut):
    with describer() as url:
        undisturbed = annotate(store, save_voices(store, 4), url)
        segments = save_voices(s3_store, 4)
        tried: Counter[str] = Counter()
        cuts = Cuts(lambda path: cut if tried.update([path]) or tried[path] == 1 else "")  # each the first time
        with through(cuts, s3_store.uri) as shaky:
            assert annotate(shaky, segments, url) == undisturbed
    assert {path.split("/")[3] for path in cuts.made} >= {"shards", "ledger", "manifests", "steps"}
    checked(s3_store, undisturbed, 12)


@pytest.mark.parametrize("cut", ["body", "answer"])
@pytest.mark.parametrize("what", ["/shards/", "/ledger/", "/manifests/", "/steps/"])
def test_a_put_that_is_cut_every_time_ends_the_step_and_costs_nothing_when_it_runs_again(s3_store, through, cut, what):
    segments = save_voices(s3_store, 4)
    with describing() as server:
        with (
            through(Cuts(lambda path: cut if what in path else ""), s3_store.uri) as shaky,
            pytest.raises(StorageError, match="cannot reach"),
        ):
            annotate(shaky, segments, server.url)
        asked = server.trouble.requests
        name = annotate(s3_store, segments, server.url)
        assert server.trouble.requests == asked
    assert checked(s3_store, name, 12).counts.accepted == 12


def test_a_network_that_is_cut_is_outlasted_or_named(store):
    segments = save_voices(store, 4)
    with describer("drop@0.3") as url:
        assert checked(store, annotate(store, segments, url, endpoint=PATIENT), 12).counts.accepted == 12
    other = annotate_error(store, segments)
    assert "cannot be reached" in str(other)


def annotate_error(store: ObjectStore, segments: str) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        annotate(store, segments, "http://127.0.0.1:1/v1", seed=7)
    return caught.value


@pytest.mark.parametrize("fault", ["500", "drop", "garbage", "401", "unreachable"])
def test_credentials_are_in_no_log_error_or_object(store, monkeypatch, capfd, fault):
    monkeypatch.setenv("CLSP_CAPTIONER_API_KEY", SECRET)
    segments = save_voices(store, 2)
    key = "another" if fault == "401" else SECRET
    faults = () if fault in {"401", "unreachable"} else (fault,)
    with describer(*faults, key=key) as url, pytest.raises(EndpointError) as caught:
        annotate(store, segments, "http://127.0.0.1:1/v1" if fault == "unreachable" else url)
    assert SECRET not in f"{caught.value!r} {caught.value}"
    written = capfd.readouterr()
    assert "step_failed" in written.err
    assert SECRET not in written.out + written.err
    assert SECRET.encode() not in b"".join(store.get(key) for key in store.list(""))
