"""Every protocol gives the vector that ``load_model`` gives."""

import base64
import concurrent.futures

import httpx
import numpy as np
import openai
import pytest
import torch
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

from serving.client import audio_part
from tests.tiny_model import TEXTS, encoded, tone

CLIPS = [tone(1.0, 200), tone(2.5, 300), tone(0.3, 150)]
SOUNDS = [encoded(clip) for clip in CLIPS]


def close(given, expected, tolerance=1e-4):
    np.testing.assert_allclose(np.asarray(given, np.float32), np.asarray(expected), atol=tolerance)


@pytest.fixture(scope="module")
def text_vectors(model):
    return model.encode_text(TEXTS).numpy()


@pytest.fixture(scope="module")
def clip_vectors(model):
    # What a FLAC of 16 bits holds is rounded, so the reference hears the same rounding.
    return model.encode_speech([torch.from_numpy(np.round(clip * 32768).astype(np.float32) / 32768) for clip in CLIPS])


def post(server, path, body):
    response = httpx.post(server.url + path, json=body, timeout=60)
    assert response.status_code == 200, response.text
    return response.json()


def test_text_through_the_openai_client(server, version, text_vectors):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none")
    answer = client.embeddings.create(model="clsp", input=TEXTS)
    close([row.embedding for row in answer.data], text_vectors)
    assert [row.index for row in answer.data] == [0, 1, 2]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 3
    assert answer.model == "clsp"
    assert answer.model_version == version.version
    floats = client.embeddings.create(model="clsp", input=TEXTS[0], encoding_format="float")
    close(floats.data[0].embedding, text_vectors[0])
    assert client.models.list().data[0].id == "clsp"


def test_sound_and_text_in_one_request_keep_their_order(server, version, text_vectors, clip_vectors):
    inputs = [audio_part(SOUNDS[1]), TEXTS[0], audio_part(SOUNDS[0]), TEXTS[1]]
    answer = post(server, "/v1/embeddings", {"model": f"clsp/{version.version}", "input": inputs})
    expected = [clip_vectors[1], text_vectors[0], clip_vectors[0], text_vectors[1]]
    close([row["embedding"] for row in answer["data"]], np.stack(expected))
    assert answer["usage"]["audio_seconds"] == 3.5
    assert answer["model_sha256"] == version.sha256


def test_base64_holds_the_same_floats(server):
    float_answer = post(server, "/v1/embeddings", {"input": TEXTS})
    base64_answer = post(server, "/v1/embeddings", {"input": TEXTS, "encoding_format": "base64"})
    for plain, packed in zip(float_answer["data"], base64_answer["data"], strict=True):
        close(np.frombuffer(base64.b64decode(packed["embedding"]), "<f4"), plain["embedding"], 1e-6)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_containers_and_rates(server, clip_vectors, container):
    sound = encoded(tone(1.0, 200, rate=44_100), container, 44_100)
    part = audio_part(sound)
    part["input_audio"]["format"] = container.lower()
    answer = post(server, "/v1/embeddings", {"input": [part]})
    assert np.dot(answer["data"][0]["embedding"], clip_vectors[0]) > 0.99


def test_similarity_is_the_matrix_of_cosines(client, text_vectors, clip_vectors):
    close(client.similarity(TEXTS, SOUNDS), text_vectors @ clip_vectors.numpy().T)


def test_client(client, version, text_vectors, clip_vectors, tmp_path):
    client.wait_ready(5)
    path = tmp_path / "clip.flac"
    path.write_bytes(SOUNDS[0])
    close(client.embed_texts(TEXTS), text_vectors)
    close(client.embed_audio([path, SOUNDS[1]]), clip_vectors[:2])
    assert client.describe()["version"] == version.version


def test_v1_predict(server, text_vectors, clip_vectors):
    answer = post(server, "/v1/models/clsp:predict", {"instances": [TEXTS[0], audio_part(SOUNDS[0])]})
    close(answer["predictions"], np.stack([text_vectors[0], clip_vectors[0]]))


def v2_request(sounds, *, binary_output):
    waveform = np.zeros((2, len(CLIPS[1])), np.float32)
    for row, clip in zip(waveform, CLIPS[:2], strict=True):
        row[: len(clip)] = clip
    arrays = {
        "text": (np.array([text.encode() for text in TEXTS], object), "BYTES"),
        "audio": (np.array(sounds, object), "BYTES"),
        "waveform": (waveform, "FP32"),
        "lengths": (np.array([len(clip) for clip in CLIPS[:2]]), "INT64"),
    }
    inputs = []
    for name, (array, datatype) in arrays.items():
        tensor = InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=True)
        inputs.append(tensor)
    return InferRequest("clsp", inputs, parameters={"binary_data_output": True} if binary_output else None)


def v2_vectors(model, text_vectors, clip_vectors):
    plain = model.encode_speech([torch.from_numpy(clip) for clip in CLIPS[:2]])
    return np.concatenate([text_vectors, clip_vectors, plain])


@pytest.mark.anyio
async def test_v2_rest_binary(server, version, model, text_vectors, clip_vectors):
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    request = v2_request([base64.b64encode(sound) for sound in SOUNDS], binary_output=True)
    answer = await client.infer(server.url, request, model_name="clsp")
    close(answer.outputs[0].as_numpy(), v2_vectors(model, text_vectors, clip_vectors))
    assert answer.parameters["model_version"] == version.version
    assert await client.is_server_ready(server.url)
    assert await client.is_model_ready(server.url, "clsp")
    await client.close()


def test_v2_rest_json(server, model, version, text_vectors, clip_vectors):
    sounds = [base64.b64encode(sound).decode() for sound in SOUNDS]
    tensors = [("text", TEXTS), ("audio", sounds)]
    inputs = [{"name": name, "shape": [3], "datatype": "BYTES", "data": data} for name, data in tensors]
    answer = post(server, "/v2/models/clsp/infer", {"inputs": inputs})
    assert answer["outputs"][0]["shape"] == [6, model.dimension]
    assert answer["parameters"] == {"model_version": version.version, "model_sha256": version.sha256}
    data = np.reshape(answer["outputs"][0]["data"], (6, -1))
    close(data, np.concatenate([text_vectors, clip_vectors]))


@pytest.mark.anyio
async def test_v2_grpc(server, model, text_vectors, clip_vectors):
    async with InferenceGRPCClient(server.grpc, timeout=60) as client:
        assert await client.is_server_live()
        assert await client.is_model_ready("clsp")
        answer = await client.infer(v2_request(SOUNDS, binary_output=False))
        close(answer.outputs[0].as_numpy(), v2_vectors(model, text_vectors, clip_vectors))


def test_twenty_parallel_requests_get_their_own_vectors(server, text_vectors, clip_vectors):
    def ask(number):
        one = number % 3
        inputs = [TEXTS[one], audio_part(SOUNDS[one])]
        rows = [row["embedding"] for row in post(server, "/v1/embeddings", {"input": inputs})["data"]]
        close(rows, np.stack([text_vectors[one], clip_vectors[one]]))
        return True

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert all(pool.map(ask, range(20)))


def test_health_and_metrics(server, client):
    client.embed_audio([SOUNDS[0]])
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/clsp/ready"):
        assert httpx.get(server.url + path).status_code == 200
    metrics = httpx.get(f"{server.url}/metrics").text
    for name in (
        "clsp_serving_items_total",
        "clsp_serving_audio_seconds_total",
        "clsp_serving_forward_seconds_count",
        "clsp_serving_model_info",
    ):
        assert name in metrics
    assert "request_predict_seconds" in metrics
