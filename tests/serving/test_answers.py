"""What answers carry: 8-bit vectors with their error, tags for callers that keep answers, style scores."""

import httpx
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clsp
from clsp.registry.style_reference import REFERENCE_FILE, StyleReference, read_reference
from serving.client import EmbeddingClient, audio_part
from serving.encodings import decode_int8, encode_vector, int8_error_bound
from serving.launch import running_server
from tests.serving.conftest import SETTINGS
from tests.tiny_model import TEXTS, encoded, tone, write_tiny_model


def unit(seed: int, size: int = 128) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    return vector / np.linalg.norm(vector)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_rounding_to_8_bits_changes_no_cosine_by_more_than_the_bound(seed, other):
    vector, question = unit(seed), unit(other)
    row = encode_vector(vector, "int8")
    assert max(abs(value) for value in row["embedding"]) <= 127
    kept = decode_int8(row["embedding"].tolist(), row["scale"])
    assert abs(float(kept @ question) - float(vector @ question)) <= 2 * int8_error_bound(row["scale"], len(vector))
    assert float(kept @ vector) > 0.999


def test_int8_answers_decode_to_the_float_ones(server, model):
    body = {"input": TEXTS, "encoding_format": "int8"}
    rows = httpx.post(f"{server.url}/v1/embeddings", json=body).json()["data"]
    kept = np.stack([decode_int8(row["embedding"], row["scale"]) for row in rows])
    assert ((kept * model.encode_text(TEXTS).numpy()).sum(axis=1) > 0.999).all()


def test_the_same_question_has_the_same_tag_and_need_not_be_answered_again(server):
    ask = {"url": f"{server.url}/v1/embeddings", "json": {"input": TEXTS[0]}}
    first, again = httpx.post(**ask), httpx.post(**ask)
    assert first.headers["etag"] == again.headers["etag"]
    assert first.content == again.content
    unchanged = httpx.post(**ask, headers={"If-None-Match": first.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    other = httpx.post(ask["url"], json={"input": TEXTS[1]})
    assert other.headers["etag"] != first.headers["etag"]


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A model directory with a reference set, and its server."""
    folder = write_tiny_model(tmp_path_factory.mktemp("calibrated"))
    points = np.linspace(-1, 1, 11).tolist()
    (folder / REFERENCE_FILE).write_bytes(orjson.dumps({"others": points, "own": points, "clips": 7}))
    with running_server(str(folder), SETTINGS) as place:
        yield folder, place


def test_a_style_score_is_the_cosine_and_its_place_in_the_reference(calibrated):
    folder, place = calibrated
    model, sound = clsp.load_model(folder), encoded(tone(1.0))
    with EmbeddingClient(place.url) as client:
        rows = client.style_scores([(sound, text) for text in TEXTS])
        cosines = client.similarity(TEXTS, [sound])[:, 0]
    assert [row["cosine"] for row in rows] == pytest.approx(cosines, abs=1e-4)
    assert [row["percentile"] for row in rows] == pytest.approx([50 * (1 + cosine) for cosine in cosines], abs=0.1)
    assert model.reference.clips == 7


def test_lines_in_lines_out(calibrated):
    _, place = calibrated
    pairs = [{"clip": audio_part(encoded(tone(1.0))), "text": text} for text in TEXTS]
    body = b"\n".join(orjson.dumps(pair) for pair in pairs)
    answer = httpx.post(f"{place.url}/v1/style-score", content=body, headers={"Content-Type": "application/x-ndjson"})
    rows = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [row["index"] for row in rows] == [0, 1, 2]
    broken = httpx.post(
        f"{place.url}/v1/style-score", content=body + b"\n{}", headers={"Content-Type": "application/x-ndjson"}
    )
    assert (broken.status_code, broken.json()["error"]["message"]) == (400, "line 4 is no pair")


def test_without_a_reference_there_is_a_cosine_and_no_percentile(server):
    body = {"clip": audio_part(encoded(tone(1.0))), "text": TEXTS[0]}
    answer = httpx.post(f"{server.url}/v1/style-score", json=body).json()
    assert answer["data"][0]["percentile"] is None
    assert answer["reference_clips"] == 0


@pytest.mark.parametrize("body", [{}, {"text": "x"}, {"pairs": []}, {"pairs": [{"text": "x"}]}])
def test_half_a_pair_is_refused(server, body):
    assert httpx.post(f"{server.url}/v1/style-score", json=body).status_code == 400


def test_percentiles_grow_with_the_cosine_and_end_at_the_ends(tmp_path):
    reference = StyleReference((-0.5, 0.0, 0.5), (0.0, 0.5, 1.0), 3)
    assert [reference.percentile(value) for value in (-0.9, -0.5, 0.0, 0.25, 0.9)] == [0, 0, 50, 75, 100]
    assert reference.own_percentile(0.5) == 50
    assert read_reference(tmp_path) is None
