"""The filterbank against the reference's golden numbers (3.9), against Kaldi's own, and against batching."""

import kaldi_native_fbank as knf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.audio.fbank import PADDING_VALUE, Fbank, frame_count

BINS = [0, 1, 10, 20, 40, 64, 100, 127]
GOLDEN = {
    0: [-5.3027, -15.9424, -2.9308, 0.9417, -2.9230, -8.3614, -2.2608, -6.7733],
    1: [-12.4958, -15.9424, -9.1589, -2.0807, -13.8056, -15.3170, -15.6629, -15.9424],
    50: [-11.9325, -15.9424, -9.0456, -2.0779, -13.9025, -15.9424, -15.5689, -15.9424],
    99: [-5.3549, -15.9424, -2.7586, 0.9959, -2.9318, -8.3538, -2.2795, -6.7924],
}


def two_tones() -> torch.Tensor:
    n = torch.arange(16_000, dtype=torch.float64)
    low = 0.3 * torch.sin(2 * torch.pi * 440 * n / 16_000)
    return (low + 0.1 * torch.sin(2 * torch.pi * 3000 * n / 16_000 + 1)).float()


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def fbank() -> Fbank:
    return Fbank()


def test_golden_numbers_of_two_tones(fbank: Fbank) -> None:
    features, counts = fbank(two_tones()[None])
    assert counts.tolist() == [100]
    for frame, expected in GOLDEN.items():
        np.testing.assert_allclose(features[0, frame, BINS], expected, atol=5e-3)
    assert features.mean().item() == pytest.approx(-11.658608, abs=1e-3)
    assert features.std().item() == pytest.approx(5.385152, abs=1e-3)


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(15999, 100), (16000, 100), (16079, 100), (16080, 101), (48000, 300), (400, 3), (240, 2), (79, 0)],
)
def test_frame_count_of_golden_lengths(fbank: Fbank, samples: int, frames: int) -> None:
    features, counts = fbank(noise(samples)[None])
    assert counts.tolist() == [frames] == frame_count(torch.tensor([samples])).tolist()
    assert features.shape == (1, frames, 128)


def test_silence_is_the_energy_floor_and_padding_is_lower(fbank: Fbank) -> None:
    features, _ = fbank(torch.zeros(2, 16_000), torch.tensor([16_000, 8_000]))
    np.testing.assert_allclose(features[0], -15.9424, atol=1e-4)
    np.testing.assert_allclose(features[1, 50:], PADDING_VALUE)


def kaldi(waveform: torch.Tensor) -> np.ndarray:
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = 80  # it refuses 128 for the empty filter
    options.mel_opts.low_freq = 20
    options.mel_opts.high_freq = -400
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(16_000, waveform.tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


@pytest.mark.parametrize("samples", [1_600, 16_000, 16_079, 25_111])
def test_agrees_with_kaldi(samples: int) -> None:
    waveform = noise(samples, samples)
    np.testing.assert_allclose(Fbank(80)(waveform[None])[0][0], kaldi(waveform), atol=5e-3)


@settings(max_examples=25)
@given(st.lists(st.integers(80, 9_000), min_size=1, max_size=5), st.integers(0, 2_000))
def test_a_clip_has_the_same_features_in_any_batch(lengths: list[int], extra: int) -> None:
    fbank = Fbank()
    clips = [noise(n, seed) for seed, n in enumerate(lengths)]
    batch = torch.full((len(clips), max(lengths) + extra), 7.0)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    features, counts = fbank(batch, torch.tensor(lengths))
    for row, count, clip in zip(features, counts, clips, strict=True):
        alone, _ = fbank(clip[None])
        torch.testing.assert_close(row[:count], alone[0], atol=1e-5, rtol=0)
        assert (row[count:] == PADDING_VALUE).all()
