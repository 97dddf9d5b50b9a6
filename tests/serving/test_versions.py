"""Versions by name and hot swap: no request is dropped, each answer is of one version, and back is the same again."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferInput, InferRequest

import clsp
from clsp.errors import ConfigError
from clsp.registry import move_alias, publish
from clsp.storage import open_store
from serving.catalogue import Catalogue, Served
from serving.client import EmbeddingClient, audio_part
from serving.errors import RequestError
from serving.lanes import open_lane
from serving.launch import running_server
from serving.places import Place, read_place
from tests.serving.conftest import SETTINGS
from tests.tiny_model import TEXTS, encoded, tone, write_tiny_model

SOUND = encoded(tone(1.0))


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A store with two versions of ``clsp``; the alias ``live`` points to the first, ``next`` to the second."""
    root = tmp_path_factory.mktemp("registry")
    store = open_store(f"file://{root}/store")
    found = [
        publish(store, "clsp", write_tiny_model(root / str(seed), seed), licences={}, manifests={"model": f"m{seed}"})
        for seed in (1, 2)
    ]
    assert move_alias(store, "clsp", "live", found[0].version, None)
    assert move_alias(store, "clsp", "next", found[1].version, None)
    return store, found


@pytest.fixture(scope="module")
def pair(registry):
    store, _ = registry
    settings = SETTINGS.model_copy(update={"refresh_seconds": 0.1})
    models = f"{store.uri}/models"
    with running_server(f"{models}/clsp@live", settings, f"{models}/clsp@next") as place:
        yield place


def test_two_versions_answer_by_name_over_every_protocol(pair, registry):
    _, (first, second) = registry
    names = [row["id"] for row in httpx.get(f"{pair.url}/v1/models").json()["data"]]
    assert names == ["clsp", "clsp@next"]
    for name, version in (("clsp", first), ("", first), ("clsp@next", second), (f"clsp/{second.version}", second)):
        answer = httpx.post(f"{pair.url}/v1/embeddings", json={"model": name, "input": TEXTS}).json()
        assert answer["model_sha256"] == version.sha256
        expected = clsp.load_model(version.uri).encode_text(TEXTS).numpy()
        np.testing.assert_allclose([row["embedding"] for row in answer["data"]], expected, atol=1e-4)
    other = httpx.post(f"{pair.url}/v1/models/clsp@next:predict", json={"instances": TEXTS}).json()
    assert other["model_sha256"] == second.sha256
    assert httpx.post(f"{pair.url}/v1/embeddings", json={"model": "absent", "input": "x"}).status_code == 404


@pytest.mark.anyio
async def test_two_versions_answer_by_name_over_grpc(pair, registry):
    tensor = InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([TEXTS[0].encode()], object))
    async with InferenceGRPCClient(pair.grpc, timeout=60) as client:
        answer = await client.infer(InferRequest("clsp@next", [tensor]))
    assert answer.parameters["model_sha256"].string_param == registry[1][1].sha256


def served(place):
    with EmbeddingClient(place.url) as client:
        return client.describe()["sha256"]


def wait_for(place, sha256, seconds=60):
    deadline = time.monotonic() + seconds
    while served(place) != sha256:
        assert time.monotonic() < deadline, "the version was not swapped in"
        time.sleep(0.05)


def test_a_swap_drops_no_request_and_swapping_back_gives_the_same(pair, registry):
    store, (first, second) = registry
    before, stop = ask(pair), threading.Event()

    def keep_asking(_):
        seen = set()
        while not stop.is_set():
            answer = ask(pair)
            assert answer.status_code == 200, answer.text
            seen.add((answer.json()["model_sha256"], answer.headers["etag"]))
        return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking, number) for number in range(4)]
        try:
            assert move_alias(store, "clsp", "live", second.version, first.version)
            wait_for(pair, second.sha256)
            assert move_alias(store, "clsp", "live", first.version, second.version)
            wait_for(pair, first.sha256)
        finally:
            stop.set()
        seen = set().union(*(each.result() for each in asking))
    assert {sha256 for sha256, _ in seen} == {first.sha256, second.sha256}
    assert len(seen) == 2, "each version has one tag for one question"
    after = ask(pair)
    assert after.headers["etag"] == before.headers["etag"]
    np.testing.assert_allclose(vectors(after), vectors(before), atol=1e-4)
    metrics = httpx.get(f"{pair.url}/metrics").text
    assert 'clsp_serving_model_swaps_total{outcome="ok"} 2.0' in metrics
    assert f'model_info{{name="clsp",sha256="{second.sha256}"' not in metrics


def ask(place):
    return httpx.post(f"{place.url}/v1/embeddings", json={"input": [TEXTS[0], audio_part(SOUND)]}, timeout=60)


def vectors(answer):
    return [row["embedding"] for row in answer.json()["data"]]


def test_sighup_takes_a_changed_directory_and_a_broken_one_leaves_what_is_served(tmp_path):
    folder = write_tiny_model(tmp_path / "model", 3)
    with running_server(str(folder), SETTINGS) as place:
        before = served(place)
        write_tiny_model(folder, 4)
        assert served(place) == before
        os.kill(place.pid, signal.SIGHUP)
        wait_for(place, clsp.load_model(folder).identity.sha256)
        changed = served(place)
        (folder / "config.json").write_text("{}")
        os.kill(place.pid, signal.SIGHUP)
        deadline = time.monotonic() + 30
        while 'swaps_total{outcome="failed"} 1.0' not in httpx.get(f"{place.url}/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert served(place) == changed
        assert ask(place).status_code == 200


def test_names_that_collide_are_refused_and_labels_tell_versions_apart(model):
    catalogue = Catalogue()
    catalogue.add(Served("clsp", model, open_lane(model, SETTINGS)))
    with pytest.raises(ConfigError, match="two models"):
        catalogue.add(Served("clsp", model, open_lane(model, SETTINGS)))
    assert catalogue.pick(f"clsp@{model.identity.version}") is catalogue.pick("")
    with pytest.raises(RequestError):
        catalogue.pick("clsp@")
    assert read_place("other=s3://b/models/clsp@x") == Place("other", "s3://b/models/clsp@x")
    assert read_place("s3://b/a=b/models/clsp@x").name == ""
    assert read_place("/a/b").name_for("clsp", {"clsp"}) == "clsp"
    assert read_place("s3://b/models/clsp@x").name_for("clsp", {"clsp"}) == "clsp@x"
    assert read_place("s3://b/models/clsp@x").moves
    assert not read_place("s3://b/models/clsp/0123").moves
