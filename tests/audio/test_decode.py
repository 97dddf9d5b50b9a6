"""Every container comes out as the sound that went in; everything else is refused by name."""

import struct
import time
import tracemalloc

import numpy as np
import pytest

from clsp.audio.decode import DecodeError, DecodeLimits, decode, open_sound
from clsp.audio.resample import resample
from tests.sounds import CONTAINERS, LOSSLESS, babble, encoded, tone

RATES = {"opus": 48_000, "webm": 48_000}
MUTATIONS = 320
FUZZED = ("wav16", "wavfloat", "wavex", "flac", "mp3", "ogg", "opus", "m4a", "aac", "webm")


def reason_of(source, **limits):
    with pytest.raises(DecodeError) as caught:
        decode(source, limits=DecodeLimits(**limits))
    assert caught.value.hint
    return caught.value.reason


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_survives_its_container(container, channels):
    rate = RATES.get(container, 44_100)
    sound = decode(encoded(tone(1.0, rate, channels=channels), rate, container))
    assert (sound.sampling_rate, sound.channels, sound.samples.dtype) == (rate, channels, np.float32)
    assert len(sound.samples) / rate == pytest.approx(1.0, abs=0.08)
    middle = sound.samples[rate // 4 : rate // 2]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * rate / len(middle) == pytest.approx(220, abs=5)


@pytest.mark.parametrize("container", LOSSLESS)
def test_lossless_containers_are_exact(container):
    samples = (np.round(babble(0.5) * 32768) / 32768).astype(np.float32)
    np.testing.assert_array_equal(decode(encoded(samples, 16_000, container)).samples, samples)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 96_000, 192_000])
def test_any_rate(rate):
    sound = decode(encoded(tone(0.5, rate), rate, "flac"))
    assert (sound.sampling_rate, len(sound.samples)) == (rate, rate // 2)


@pytest.mark.parametrize("container", ["wav16", "flac", "ogg", "m4a"])
def test_six_channels_are_averaged(container):
    samples = tone(0.5, 48_000, channels=6)
    samples[:, 3:] = 0
    sound = decode(encoded(samples, 48_000, container))
    assert sound.channels == 6
    middle = sound.samples[6_000:18_000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.1)


def test_file_and_bytes_agree(tmp_path):
    for container in ("wav16", "flac", "mp3", "ogg", "m4a"):
        data = encoded(babble(1), 16_000, container)
        path = tmp_path / "any name at all"
        path.write_bytes(data)
        np.testing.assert_array_equal(decode(path).samples, decode(data).samples)


def test_refusals_by_name(tmp_path):
    wav = encoded(tone(1.0), 16_000, "wav16")
    flac = encoded(babble(3.0), 16_000, "flac")
    nan = tone(1.0)
    nan[100] = np.nan
    assert reason_of(b"") == "empty_file"
    assert reason_of(b"these are the words of a poem, not its sound") == "not_audio"
    assert reason_of(b"#EXTM3U\nhttp://127.0.0.1:1/a.m4a\n") == "not_audio"
    assert reason_of(b"ffconcat version 1.0\nfile /etc/hostname\n") == "not_audio"
    assert reason_of(b"RIFF") == "damaged"
    assert reason_of(wav[:-100]) == "truncated"
    assert reason_of(flac[: len(flac) // 2]) == "truncated"
    assert reason_of(flac[:-200]) == "truncated"
    assert reason_of(encoded(nan, 16_000, "wavfloat")) == "nan_samples"
    assert reason_of(encoded(tone(1.0, 1_000), 1_000, "wav16")) == "sampling_rate"
    assert reason_of(wav, max_seconds=0.5) == "too_long"
    assert reason_of(tmp_path) == "unreadable"
    assert reason_of(tmp_path / "nowhere.wav") == "unreadable"


def test_infinite_samples_and_sums_are_refused():
    infinite, huge = tone(0.5), np.full((8_000, 2), 3e38, np.float32)
    infinite[7] = np.inf
    assert reason_of(encoded(infinite, 16_000, "wavfloat")) == "nan_samples"
    assert reason_of(encoded(huge, 16_000, "wavfloat")) == "nan_samples"


def test_a_recorder_that_never_came_back_to_its_header_is_read():
    wav = bytearray(encoded(tone(1.0), 16_000, "wav16"))
    wav[4:8] = wav[40:44] = b"\xff\xff\xff\xff"
    assert len(decode(bytes(wav)).samples) == 16_000


def test_a_header_that_claims_hours_costs_nothing():
    wav = bytearray(encoded(tone(1.0), 16_000, "wav16"))
    wav[4:8] = wav[40:44] = struct.pack("<I", 0x7FFE_0000)
    flac = bytearray(encoded(babble(1.0), 16_000, "flac"))
    flac[21:26] = bytes([flac[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # 36 bits of total samples
    started = time.process_time()
    tracemalloc.start()
    assert reason_of(bytes(wav)) == "truncated"
    assert reason_of(bytes(flac)) == "too_long"
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert time.process_time() - started < 2.0


def test_length_is_checked_while_decoding_not_after():
    """A file that does not say how long it is: the blocks end at the limit."""
    flac = bytearray(encoded(babble(60.0), 16_000, "flac"))
    flac[21:26] = bytes([flac[21] & 0xF0, 0, 0, 0, 0])
    assert len(decode(bytes(flac)).samples) == 60 * 16_000
    seen: list[int] = []
    with (
        open_sound(bytes(flac), limits=DecodeLimits(max_seconds=12.0)) as sound,
        pytest.raises(DecodeError, match="too_long"),
    ):
        seen.extend(len(block) for block in sound.blocks)
    assert 0 < sum(seen) <= 12 * 16_000


def test_long_files_take_the_memory_of_a_block(tmp_path):
    path = tmp_path / "long.flac"
    path.write_bytes(encoded(np.zeros(16_000 * 1_200, np.float32), 16_000, "flac"))
    tracemalloc.start()
    with open_sound(path) as sound:
        assert sum(len(block) for block in sound.blocks) == 16_000 * 1_200
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("container", FUZZED)
def test_hostile_bytes_give_sound_or_a_named_refusal(container):
    rng = np.random.default_rng(20_260_101)
    original = np.frombuffer(encoded(babble(0.3, 48_000), 48_000, container), np.uint8)
    for _ in range(MUTATIONS):
        data = mutated(original, rng)
        try:
            sound = decode(data, limits=DecodeLimits(max_seconds=60))
        except DecodeError:
            continue
        assert np.isfinite(sound.samples).all()
        assert len(sound.samples) <= 60 * sound.sampling_rate


def mutated(original: np.ndarray, rng: np.random.Generator) -> bytes:
    """Bytes flipped (more often near the head, where the structure is), cut out, doubled or cut off."""
    data = original.copy()
    reach = len(data) if rng.random() < 0.5 else min(len(data), 400)
    where = rng.integers(0, reach, rng.integers(1, 12))
    data[where] = rng.integers(0, 256, len(where))
    first, last = sorted(rng.integers(0, len(data), 2))
    change = rng.integers(0, 4)
    if change == 0:
        data = np.concatenate([data[:first], data[last:]])
    elif change == 1:
        data = np.concatenate([data[:last], data[first:]])
    elif change == 2:
        data = data[:last]
    return data.tobytes()


def test_mono_of_a_clip_is_the_same_through_resampling():
    samples = tone(1.0, 48_000, channels=2)
    sound = decode(encoded(samples, 48_000, "wavfloat"))
    low = resample(sound.samples, 48_000, 16_000)
    np.testing.assert_allclose(low[2_000:14_000], tone(1.0)[2_000:14_000], atol=1e-3)
