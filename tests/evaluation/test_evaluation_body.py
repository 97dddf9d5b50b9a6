"""The body of evaluate on stored sounds, with an encoder whose answers are known."""

import io
import os

import numpy as np
import orjson
import pytest
import soundfile
import torch

from clsp.config import EvaluationSettings
from clsp.errors import DataError
from clsp.evaluation.embeddings import Embedding
from clsp.evaluation.evaluate import evaluate_encoder
from clsp.records import Example
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Counts, Manifest, Recipe, read_shard, save_manifest, save_rows
from clsp.storage.rows import decode_rows


class LevelEncoder:
    """Tells clips apart by their level and captions by the number they hold: a perfect model."""

    def __init__(self) -> None:
        self.clips = 0

    def encode_speech(self, waveforms):
        self.clips += len(waveforms)
        return torch.stack([self._vector(round(float(clip.max()) * 100)) for clip in waveforms])

    def encode_text(self, texts):
        return torch.stack([self._vector(int(text.split()[-1])) for text in texts])

    def _vector(self, number: int) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor(number), 64).float()


def example(number: int, place, split: str = "test", captioned=lambda _: True) -> Example:
    return Example(
        segment_id=f"s{number:03d}", split=split, speaker=f"v{number % 3}", duration_s=1.0 + number % 4, licence="CC0",
        language="en", fine=("an early view 63", f"fine {number}") if captioned(number) else (),
        overall=(f"global {number // 2}",) if captioned(number) and number % 5 else (), audio_key=place.key,
        audio_offset=place.offset, audio_length=place.length, measures={},
    )  # fmt: skip


def flac(number: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(800 + number, number / 100, dtype="float32"), 16_000, format="FLAC")
    return buffer.getvalue()


def save_examples(store, numbers, **changes) -> str:
    _, places = save_audio(store, [Sound(f"s{number:03d}", flac(number), {}) for number in numbers])
    rows = [example(number, place, **changes) for number, place in zip(numbers, places, strict=True)]
    shard = save_rows(store, "examples", Example, rows)
    counts = Counts(unit="examples", rows_in=len(rows), accepted=len(rows))
    recipe = Recipe(step="features", code="test")
    return save_manifest(store, Manifest(record="examples", recipe=recipe, parents=(), shards=(shard,), counts=counts))


def run(store, examples: str, encoder=None, key: str = "k", **settings):
    chosen = EvaluationSettings(**{"batch_size": 3, "examples_per_unit": 8, **settings})
    return evaluate_encoder(store, Ledger(store, "evaluate", key), chosen, examples, encoder or LevelEncoder())


def test_perfect_encoder_scores_one_with_the_last_fine_and_first_global_caption(store):
    outcome = run(store, save_examples(store, range(1, 21)))
    assert outcome.counts.rows_in == outcome.counts.accepted == 20
    assert outcome.info["speakers"] == 3
    fine, overall = outcome.info["retrieval"]["fine"], outcome.info["retrieval"]["global"]
    assert fine["speech_to_text"]["r1"] == fine["text_to_speech"]["r1"] == 1
    assert fine["speech_to_text"]["n"] == 20
    assert overall["speech_to_text"]["n"] == 16
    control = outcome.info["control"]["fine"]["speech_to_text"]
    assert control["r1_low"] <= control["chance"] <= control["r1_high"]


def test_embeddings_and_reports_are_kept(store):
    outcome = run(store, save_examples(store, range(1, 12)))
    shards = [shard for shard in outcome.shards if shard.kind == "embeddings"]
    rows = [row for shard in shards for row in decode_rows(Embedding, read_shard(store, shard))]
    assert [row.segment_id for row in rows] == [f"s{number:03d}" for number in range(1, 12)]
    assert rows[0].fine_text == "fine 1"
    assert rows[4].overall == ()
    files = {shard.kind: shard for shard in outcome.shards if shard.kind.startswith("file/")}
    assert orjson.loads(read_shard(store, files["file/evaluation.json"])) == outcome.info
    assert b"| fine | speech \xe2\x86\x92 text | 100.0 (100.0" in read_shard(store, files["file/evaluation.md"])


def test_same_input_same_shards(store):
    examples = save_examples(store, range(1, 12))
    assert run(store, examples, key="a") == run(store, examples, key="b")


def test_a_killed_evaluation_continues(store):
    examples, encoder = save_examples(store, range(1, 21)), LevelEncoder()

    class Dying(LevelEncoder):
        def encode_speech(self, waveforms):
            if self.clips >= 8:
                raise KeyboardInterrupt
            return super().encode_speech(waveforms)

    with pytest.raises(KeyboardInterrupt):
        run(store, examples, Dying())
    outcome = run(store, examples, encoder)
    assert encoder.clips == 12
    assert outcome == run(store, examples, key="undisturbed")


def test_captionless_clips_are_counted(store):
    outcome = run(store, save_examples(store, [0, *range(5, 9)], captioned=lambda number: number > 0))
    assert (outcome.counts.rows_in, outcome.counts.accepted, outcome.counts.rejected) == (5, 4, {"captionless": 1})


def test_a_split_without_captions_is_refused(store):
    with pytest.raises(DataError, match="caption"):
        run(store, save_examples(store, range(3), captioned=lambda _: False))


def test_train_split_is_refused(store):
    with pytest.raises(DataError, match="train split"):
        run(store, save_examples(store, range(3), split="train"), split="train")


def test_empty_split_is_refused(store):
    with pytest.raises(DataError, match="no example is in split 'dev'"):
        run(store, save_examples(store, range(3)), split="dev")


def test_a_torn_sound_is_named(store):
    examples = save_examples(store, range(1, 4))
    [key] = store.list("shards/audio/")
    store.put_blob(key, os.urandom(100_000))
    with pytest.raises(DataError, match="s001"):
        run(store, examples)


class SummingEncoder(LevelEncoder):
    """Its vectors hold a long sum, which rounds by how many threads share it."""

    def _vector(self, number: int) -> torch.Tensor:
        return super()._vector(number) * long_sum()


def long_sum() -> torch.Tensor:
    return torch.randn(2**20, generator=torch.Generator().manual_seed(0)).sum()


def test_the_threads_of_the_machine_change_nothing(store):
    examples, before = save_examples(store, range(1, 12)), torch.get_num_threads()
    outcomes, sums = [], set()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            sums.add(float(long_sum()))
            outcomes.append(run(store, examples, SummingEncoder(), key=str(threads)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(sums) == 2
    assert outcomes[0] == outcomes[1]
