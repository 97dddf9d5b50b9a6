"""One tower alone: the other is not in memory, and its inputs are refused before any work."""

import subprocess
import sys

import httpx
import numpy as np
import pytest
import torch

import clsp
from clsp.config import ServeSettings
from clsp.export import save_model
from clsp.model import DualEncoder, preset
from clsp.model.loading import load_for_serving
from serving.client import EmbeddingClient, audio_part
from serving.launch import running_server
from tests.serving.conftest import SETTINGS
from tests.tiny_model import TEXTS, encoded, tone

_MEASURE = """
import sys, psutil, torch
from transformers import RobertaModel  # the weights are measured: the code that both towers load is there before
from clsp.config import ServeSettings
from clsp.model.loading import load_for_serving
process = psutil.Process()
before = process.memory_full_info().uss
model = load_for_serving(sys.argv[1], "cpu", "float32", ServeSettings(tower=sys.argv[2]))
print(process.memory_full_info().uss - before)
"""


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    """A model whose text tower is 100 MB and whose speech tower is small."""
    folder = tmp_path_factory.mktemp("heavy")
    config = preset("tiny")
    width = config.text["hidden_size"]
    config = config.with_text(vocab_size=25 * 2**20 // width, max_position_embeddings=66)
    save_model(folder, DualEncoder(config), config)
    return folder


@pytest.mark.slow
def test_the_other_tower_is_not_in_memory(heavy):
    def grown(tower):
        command = [sys.executable, "-c", _MEASURE, str(heavy), tower]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 2**20

    assert grown("text") > 90
    assert grown("speech") < 60


@pytest.mark.parametrize("tower", ["speech", "text"])
def test_a_tower_alone_gives_the_vectors_of_the_whole_model(version, model, tower):
    alone = load_for_serving(version.uri, "cpu", "float32", ServeSettings(tower=tower))
    if tower == "text":
        assert np.allclose(alone.encode_text(TEXTS), model.encode_text(TEXTS), atol=1e-6)
    else:
        clip = [torch.from_numpy(tone(1.0))]
        assert np.allclose(alone.encode_speech(clip), model.encode_speech(clip), atol=1e-6)


def test_a_server_of_one_tower_refuses_the_other_kind_with_a_hint(version, model):
    with running_server(version.uri, SETTINGS.model_copy(update={"tower": "text"})) as place:
        with EmbeddingClient(place.url) as client:
            assert np.allclose(client.embed_texts(TEXTS), model.encode_text(TEXTS), atol=1e-4)
            assert client.describe()["tower"] == "text"
        refused = httpx.post(f"{place.url}/v1/embeddings", json={"input": [audio_part(encoded(tone(1.0)))]})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unusable_input")
        assert "speech" in refused.json()["error"]["hint"]


def test_both_towers_are_the_default(model):
    assert clsp.load_model(model.identity.uri).tower == "both"
