"""Hand-overs around a registered version, small: examples with captions, and a trained model."""

from clsp.records import Example
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.files import save_files
from clsp.storage.manifest import Counts, Manifest, Recipe, save_manifest, save_rows
from tests.tiny_model import encoded, tone, write_tiny_model

SCORES = {"r1": 0.5, "r1_low": 0.4, "r1_high": 0.6, "map10": 0.5, "chance": 0.5}


def saved(store, step, record="", shards=(), accepted=0, info=None):
    counts = Counts(unit="examples", rows_in=accepted, accepted=accepted)
    recipe = Recipe(step=step, code="test")
    manifest = Manifest(record=record, recipe=recipe, parents=(), shards=shards, counts=counts, info=info or {})
    return save_manifest(store, manifest)


def make_examples(store):
    sounds = [Sound(f"clip{index}", encoded(tone(1.0 + index, 200)), {}) for index in range(3)]
    audio, places = save_audio(store, sounds)
    rows = [
        Example(
            segment_id=sound.id, split=split, speaker=f"s{index}", duration_s=1.0 + index, licence="CC0-1.0",
            language="en", fine=("a calm voice that speaks slowly",), overall=(), audio_key=place.key,
            audio_offset=place.offset, audio_length=place.length, measures={},
        )
        for index, (sound, place, split) in enumerate(zip(sounds, places, ("train", "train", "test"), strict=True))
    ]  # fmt: skip
    return saved(store, "features", "examples", (save_rows(store, "examples", Example, rows), audio), accepted=3)


def make_parents(store, folder):
    """What the register step takes: examples, a model (made in ``folder``) and its evaluation."""
    info = {"retrieval": {"fine": {"speech_to_text": SCORES}}, "control": {"fine": {"speech_to_text": SCORES}}}
    return {
        "examples": make_examples(store),
        "stage2": saved(store, "stage2", shards=save_files(store, write_tiny_model(folder))),
        "evaluation": saved(store, "evaluate", info=info),
    }
