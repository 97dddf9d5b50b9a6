"""Sounds in a tar: any one is a ranged read, any tar tool opens it, equal sounds are equal bytes."""

import io
import tarfile

import orjson

from clsp.storage.audio_shards import Sound, read_sound, save_audio

SOUNDS = [
    Sound(f"{number:016x}", bytes([number]) * (700 * number + 1), {"source": f"é{number}"}) for number in range(5)
]


def test_ranges_hold_the_sounds(store):
    _, ranges = save_audio(store, SOUNDS)
    assert [read_sound(store, place) for place in ranges] == [sound.flac for sound in SOUNDS]


def test_ranges_hold_the_sounds_on_s3(s3_store):
    _, ranges = save_audio(s3_store, SOUNDS)
    assert [read_sound(s3_store, place) for place in ranges] == [sound.flac for sound in SOUNDS]


def test_a_tar_tool_opens_it(store):
    shard, _ = save_audio(store, SOUNDS)
    with tarfile.open(fileobj=io.BytesIO(store.get(shard.key))) as tar:
        assert tar.getnames() == [f"{sound.id}.{end}" for sound in SOUNDS for end in ("json", "flac")]
        assert orjson.loads(tar.extractfile(f"{SOUNDS[3].id}.json").read()) == {"source": "é3"}
        assert all((member.mtime, member.uid, member.uname) == (0, 0, "") for member in tar.getmembers())
    assert shard.rows == len(SOUNDS)


def test_equal_sounds_are_the_same_shard(store):
    assert save_audio(store, SOUNDS) == save_audio(store, list(SOUNDS))
