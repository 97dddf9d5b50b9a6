"""Long clips by windows and timelines: each vector is that of its stretch of sound, sent alone."""

import httpx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from serving.client import audio_part
from serving.windows import covering, sliding
from tests.serving.conftest import SETTINGS
from tests.tiny_model import encoded, tone

RATE = 16_000


@given(st.integers(1, 500), st.integers(1, 60))
def test_covering_windows_leave_no_sample_out_and_have_one_length(samples, length):
    windows = covering(samples, length)
    covered = {sample for start, end in windows for sample in range(start, end)}
    assert covered == set(range(samples))
    assert {end - start for start, end in windows} == {min(length, samples)}


@given(st.integers(1, 500), st.integers(1, 60), st.integers(1, 60))
def test_a_sliding_window_steps_evenly_and_stays_inside(samples, length, hop):
    windows = sliding(samples, length, hop)
    assert all(0 <= start < end <= samples for start, end in windows)
    assert [start for start, _ in windows] == [hop * number for number in range(len(windows))]
    assert samples <= length or samples - windows[-1][0] < length + hop


@pytest.fixture(scope="module")
def changing():
    """Twelve seconds whose pitch changes half way: longer than the server's limit of five."""
    return np.concatenate([tone(6.0, 120.0), tone(6.0, 600.0)])


def asked(server, samples, **options):
    body = {"input": [audio_part(encoded(samples))], **options}
    response = httpx.post(f"{server.url}/v1/embeddings", json=body, timeout=60)
    return response, (response.json().get("data") or [{}])[0]


def alone(model, samples):
    return model.encode_speech([torch.from_numpy(np.ascontiguousarray(samples))])[0].numpy()


def stored(samples):
    """The samples as 16-bit FLAC keeps them."""
    return (np.clip(np.rint(samples * 32768), -32768, 32767) / 32768).astype(np.float32)


def test_a_long_clip_is_refused_unless_windows_are_asked_for(server, changing):
    response, _ = asked(server, changing)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_long")
    response, row = asked(server, changing, long="windows")
    assert response.status_code == 200
    assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-5)


def test_its_vector_is_the_mean_of_its_windows(server, model, changing):
    _, row = asked(server, changing, long="windows")
    windows = covering(len(changing), round(SETTINGS.window_seconds * RATE))
    mean = np.mean([alone(model, stored(changing)[start:end]) for start, end in windows], axis=0)
    assert np.allclose(row["embedding"], mean / np.linalg.norm(mean), atol=1e-4)


def test_a_timeline_holds_the_vector_of_every_stretch(server, model, changing):
    _, row = asked(server, changing, timeline=True)
    timeline = row["timeline"]
    assert [point["start"] for point in timeline] == [float(second) for second in range(10)]
    assert {round(point["end"] - point["start"], 3) for point in timeline} == {SETTINGS.timeline_seconds}
    for point in (timeline[0], timeline[4], timeline[-1]):
        stretch = stored(changing)[round(point["start"] * RATE) : round(point["end"] * RATE)]
        assert np.allclose(point["embedding"], alone(model, stretch), atol=1e-4)


def test_a_clip_shorter_than_the_window_has_one_point(server, model):
    _, row = asked(server, tone(1.0), timeline=True)
    assert [(point["start"], point["end"]) for point in row["timeline"]] == [(0.0, 1.0)]
    assert np.allclose(row["timeline"][0]["embedding"], row["embedding"], atol=1e-4)


def test_even_windows_have_an_end(server):
    body = encoded(np.zeros(RATE * (int(SETTINGS.max_long_seconds) + 1), np.float32))
    response = httpx.post(
        f"{server.url}/v1/embeddings", json={"input": [audio_part(body)], "long": "windows"}, timeout=60
    )
    assert response.status_code == 413
