"""A handful of short tones with captions, stored as a features step leaves them: enough for training to run on."""

import io

import numpy as np
import soundfile

from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.manifest import Counts, Manifest, Recipe, load_manifest, read_rows, save_manifest, save_rows

RATE = 16_000
LEVELS = ("quiet", "loud", "very loud")


def tone_flac(number: int) -> bytes:
    """FLAC of a tone whose pitch, level and length follow ``number``."""
    seconds = 0.2 + 0.02 * (number % 5)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = (0.05 + 0.1 * (number % 3)) * np.sin(2 * np.pi * (100 + 20 * number) * time)
    buffer = io.BytesIO()
    soundfile.write(buffer, tone.astype(np.float32), RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def save_tones(store: ObjectStore, clips: int, split: str = "train") -> str:
    """Store ``clips`` tones as examples with three fine captions and a global one; returns the manifest's name."""
    sounds = [Sound(f"clip{number:03d}", tone_flac(number), {}) for number in range(clips)]
    audio, places = save_audio(store, sounds)
    rows = [
        _example(number, sound.id, split, (place.key, place.offset, place.length))
        for number, (sound, place) in enumerate(zip(sounds, places, strict=True))
    ]
    manifest = Manifest(
        record="examples",
        recipe=Recipe(step="features", code="test"),
        parents=(),
        shards=(audio, save_rows(store, "examples", Example, rows)),
        counts=Counts(unit="examples", rows_in=clips, accepted=clips),
    )
    return save_manifest(store, manifest)


def _example(number: int, clip: str, split: str, place: tuple[str, int, int]) -> Example:
    pitch, level = 100 + 20 * number, LEVELS[number % 3]
    return Example(
        segment_id=clip,
        split=split,
        speaker=f"speaker{number % 4}",
        duration_s=0.2 + 0.02 * (number % 5),
        licence="CC0-1.0",
        language="en",
        fine=(
            f"The pitch is around {pitch} hertz and the voice is {level}.",
            f"A {level} voice near {pitch} hertz.",
            f"The speaker holds {pitch} hertz in a {level} voice.",
        ),
        overall=(f"A {level} speaker.",),
        audio_key=place[0],
        audio_offset=place[1],
        audio_length=place[2],
        measures={},
    )


def training_examples(store: ObjectStore, manifest: str) -> list[Example]:
    """The examples of the train split, in manifest order."""
    rows = read_rows(store, load_manifest(store, manifest), "examples", Example)
    return [example for example in rows if example.split == "train"]
