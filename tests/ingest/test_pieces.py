"""One recording to pieces: what is kept is exact, what is not has a name."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from clsp.audio.encode import encode_flac, sound_id, to_pcm16
from clsp.config import IngestSettings
from clsp.ingest.pieces import cut_recording, find_fault
from tests.sounds import babble, encoded, tone, write

SETTINGS = IngestSettings()


def cut(tmp_path, data, settings=SETTINGS):
    path = tmp_path / "recording"
    path.write_bytes(data if isinstance(data, bytes) else encoded(data, 16_000, "wav16"))
    return cut_recording(path, "name", settings)


def reasons(cuttings):
    return [(failure.outcome, failure.reason) for failure in cuttings.failures]


def test_sixteen_bit_samples_are_kept_exactly(tmp_path):
    samples = babble(2.0)
    (piece,) = cut(tmp_path, samples).pieces
    stored, rate = soundfile.read(io.BytesIO(piece.flac), dtype="int16")
    want, _ = soundfile.read(io.BytesIO(encoded(samples, 16_000, "wav16")), dtype="int16")
    np.testing.assert_array_equal(stored, want)
    assert (rate, piece.start_s, piece.duration_s, piece.id) == (16_000, 0.0, 2.0, sound_id(want))


def test_the_id_is_of_the_sound_not_of_the_file(tmp_path):
    wav, flac = (cut(tmp_path, encoded(babble(2.0), 16_000, kind)).pieces[0] for kind in ("wav16", "flac"))
    assert (wav.id, wav.flac) == (flac.id, flac.flac)
    assert len(wav.id) == 16


def test_a_long_recording_gives_pieces_in_order(tmp_path):
    cuttings = cut(tmp_path, encoded(babble(100, 44_100), 44_100, "flac"))
    assert not cuttings.failures
    assert cuttings.sampling_rate == 44_100
    assert sum(piece.duration_s for piece in cuttings.pieces) == pytest.approx(100, abs=3)
    assert all(1 <= piece.duration_s <= 30 for piece in cuttings.pieces)
    assert [piece.start_s for piece in cuttings.pieces] == sorted(piece.start_s for piece in cuttings.pieces)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", ("failed", "empty_file")),
        (b"words, not sound", ("failed", "not_audio")),
        (encoded(babble(3.0), 16_000, "flac")[:-3000], ("failed", "truncated")),
        (encoded(np.full(16_000, np.nan, np.float32), 16_000, "wavfloat"), ("failed", "nan_samples")),
        (tone(0.05), ("rejected", "too_short")),
        (np.zeros(0, np.float32), ("rejected", "too_short")),
        (np.zeros(32_000, np.float32), ("rejected", "silence")),
        (babble(2.0) * 1e-4, ("rejected", "silence")),
        (np.sign(tone(2.0)), ("rejected", "clipped")),
        (encoded(40 * tone(2.0), 16_000, "wavfloat"), ("rejected", "clipped")),
    ],
)
def test_each_fault_has_its_name(tmp_path, data, reason):
    cuttings = cut(tmp_path, data)
    assert reasons(cuttings) == [reason]
    assert not cuttings.pieces


def test_a_recording_over_the_limit_is_rejected_whole(tmp_path):
    cuttings = cut(tmp_path, babble(40), IngestSettings(max_file_hours=30 / 3600))
    assert (reasons(cuttings), cuttings.pieces) == ([("rejected", "too_long")], ())


def test_one_row_for_each_piece_of_silence(tmp_path):
    samples = np.concatenate([babble(20), np.zeros(16_000 * 60, np.float32), babble(20, seed=1)])
    cuttings = cut(tmp_path, samples)
    assert len(cuttings.pieces) >= 2
    assert set(reasons(cuttings)) == {("rejected", "silence")}
    assert len({failure.id for failure in cuttings.failures}) == len(cuttings.failures)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (192_000, 1), (48_000, 6)])
def test_odd_rates_and_channels(tmp_path, rate, channels):
    (piece,) = cut(tmp_path, encoded(tone(2.0, rate, channels=channels), rate, "wav24")).pieces
    assert piece.duration_s == pytest.approx(2.0, abs=0.001)


def test_a_quiet_clip_with_one_loud_word_is_no_silence():
    samples = np.zeros(32_000, np.float32)
    samples[9_000:12_000] = tone(3_000 / 16_000, level=0.1)
    assert find_fault(samples, SETTINGS) == ""


def test_rounding_stays_in_range():
    assert to_pcm16(np.array([-2, -1, 0, 0.5 / 32768, 1, 2], np.float32)).tolist() == [
        -32768,
        -32768,
        0,
        0,
        32767,
        32767,
    ]


def test_equal_samples_are_equal_bytes():
    pcm = to_pcm16(babble(1.0))
    assert encode_flac(pcm, 16_000) == encode_flac(pcm.copy(), 16_000)


def test_three_hours_take_the_memory_of_their_pieces(tmp_path):
    """Mostly silence, so that it is quick: the peak of decoded samples is one window, whatever the length."""
    samples = np.zeros(3 * 3600 * 4_000, np.float32)
    samples[: 60 * 4_000] = samples[-60 * 4_000 :] = babble(60, 4_000)
    path = write(tmp_path / "long.flac", samples, 4_000, "flac")
    tracemalloc.start()
    cuttings = cut_recording(path, "long", IngestSettings(sampling_rate=4_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(cuttings.pieces) >= 4
    assert set(reasons(cuttings)) == {("rejected", "silence")}
    assert peak < 10_000_000 < samples.nbytes / 10
