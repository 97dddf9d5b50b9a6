"""Features of clips: the one filterbank, read by byte range, kept within a budget."""

import numpy as np
import pytest
import soundfile
import torch

from clsp.audio.fbank import Fbank
from clsp.data.clips import ClipFeatures, decode_flac
from clsp.errors import DataError
from tests.speech import save_tones, tone_flac, training_examples


class CountingStore:
    """A store that counts its reads."""

    def __init__(self, store):
        self.store, self.reads = store, 0

    def get_range(self, *place):
        self.reads += 1
        return self.store.get_range(*place)


def test_features_are_those_of_the_filterbank(store):
    examples = training_examples(store, save_tones(store, 3))
    waveform = decode_flac(tone_flac(2), "clip")
    expected, _ = Fbank()(waveform[None])
    assert torch.equal(ClipFeatures(store, examples, 2**20)[2], expected[0])


def test_kept_clips_are_read_once(store):
    counting = CountingStore(store)
    clips = ClipFeatures(counting, training_examples(store, save_tones(store, 3)), 2**20)
    first = clips[1]
    assert clips[1] is first
    assert counting.reads == 1


def test_beyond_the_budget_clips_are_read_again(store):
    counting = CountingStore(store)
    clips = ClipFeatures(counting, training_examples(store, save_tones(store, 3)), cache_bytes=0)
    assert torch.equal(clips[1], clips[1])
    assert counting.reads == 2


def test_torn_flac_names_the_clip():
    with pytest.raises(DataError, match="clip abc is not readable"):
        decode_flac(b"fLaC torn", "abc")


def test_another_rate_is_refused(tmp_path):
    path = tmp_path / "x.flac"
    soundfile.write(path, np.zeros(100, dtype=np.float32), 8000)
    with pytest.raises(DataError, match="not mono 16000 Hz"):
        decode_flac(path.read_bytes(), "abc")
