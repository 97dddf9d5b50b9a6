"""Sounds by key: only under the allowed prefix, never a URL, never more than a request could hold."""

import httpx
import numpy as np
import pytest

from serving.client import audio_part
from serving.errors import RequestError
from serving.objects import Objects
from tests.tiny_model import encoded, tone

SOUND = encoded(tone(1.0))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "sounds"
    (root / "a").mkdir(parents=True)
    (root / "a" / "b.flac").write_bytes(SOUND)
    (tmp_path / "outside.flac").write_bytes(SOUND)
    (root / "link.flac").symlink_to(tmp_path / "outside.flac")
    return root


KEYS = (
    "../outside.flac", "/etc/passwd", "a/../../outside.flac", "a//b.flac", "./a/b.flac", "a\\b.flac", "", "a/b\0c",
    "http://127.0.0.1/x", "s3://other/x", "file:///etc/passwd", "a/%2e%2e/b", "x" * 2000, "a/b.flac?versionId=1",
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_what_is_no_key_is_refused(folder, key):
    with pytest.raises(RequestError) as caught:
        Objects(str(folder), 10**6).read(key)
    assert (caught.value.status, caught.value.code) == (400, "bad_key")


def test_a_folder_gives_what_is_in_it_and_no_more(folder):
    objects = Objects(f"file://{folder}", len(SOUND))
    assert objects.read("a/b.flac") == SOUND
    for absent in ("link.flac", "a/c.flac", "a"):
        with pytest.raises(RequestError, match="no object"):
            objects.read(absent)
    with pytest.raises(RequestError) as caught:
        Objects(str(folder), len(SOUND) - 1).read("a/b.flac")
    assert caught.value.status == 413
    with pytest.raises(RequestError, match="reads no objects"):
        Objects("", 10).read("a/b.flac")


def test_a_bucket_gives_what_is_under_the_prefix(s3_store):
    s3_store.put_blob("sounds/a.flac", SOUND)
    s3_store.put_blob("other.flac", SOUND)
    objects = Objects(f"{s3_store.uri}/sounds", 10**6)
    assert objects.read("a.flac") == SOUND
    for key in ("other.flac", "empty.flac"):
        s3_store.put_blob("sounds/empty.flac", b"")
        with pytest.raises(RequestError):
            objects.read(key)


def test_a_store_that_does_not_answer_is_no_fault_of_the_caller(s3_environment, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("clsp.storage.open._RETRIES", 0)
    with pytest.raises(RequestError) as caught:
        Objects("s3://bucket/sounds", 10).read("a.flac")
    assert (caught.value.status, caught.value.code) == (503, "store_unavailable")


def test_a_key_gives_the_vector_of_its_sound_and_no_tag(server, objects_root):
    (objects_root / "a").mkdir()
    (objects_root / "a" / "b.flac").write_bytes(SOUND)
    named = {"type": "input_audio", "input_audio": {"object": "a/b.flac"}}
    answer = httpx.post(f"{server.url}/v1/embeddings", json={"input": [named, audio_part(SOUND)]})
    first, second = (row["embedding"] for row in answer.json()["data"])
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert "etag" not in answer.headers
    for key in ("../outside.flac", "http://127.0.0.1:1/x.wav"):
        named["input_audio"]["object"] = key
        assert httpx.post(f"{server.url}/v1/embeddings", json={"input": [named]}).status_code == 400
