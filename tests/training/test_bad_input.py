"""What is wrong with the data, the settings or the disk is said by name, and no step that was taken is lost."""

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from clsp.config import CheckpointSettings, Config, StageSettings, parse_settings
from clsp.data.clips import ClipFeatures
from clsp.errors import ConfigError, DataError, StorageError
from clsp.storage.audio_shards import Sound, save_audio
from clsp.training.checkpoints import Checkpoints
from clsp.training.loop import run_steps
from tests.training.bench import stage_settings
from tests.training.test_saver import Refusing
from tests.training.test_trainer import RARE, run, weights

BAD_STEP = 1  # its clips are not those of step 0


def flac(samples: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(samples, dtype=np.float32), 16_000, format="FLAC")
    return buffer.getvalue()


def with_sound(bench, data):
    """What makes a clip's sound ``data``."""
    _, (place,) = save_audio(bench.store, [Sound("bad", data, {})])
    return lambda clip: replace(clip, audio_key=place.key, audio_offset=place.offset, audio_length=place.length)


FAULTS = {
    "zero frames": (lambda bench: with_sound(bench, flac(40)), "clip {clip} holds no frame"),
    "torn shard": (lambda bench: with_sound(bench, flac(4000)[:60]), "clip {clip} is not readable FLAC"),
    "no caption": (lambda _: lambda clip: replace(clip, fine=(), overall=()), "clip {clip} has too few captions"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_clip_ends_the_run_by_name_and_the_steps_before_it_are_kept(bench, fault):
    spoil, message = FAULTS[fault]
    trainer, checkpoints = bench.trainer(), Checkpoints(bench.store, "bad")
    loader = bench.loader(trainer)
    position = loader.order.clips(BAD_STEP)[0]
    examples = list(loader.examples)
    examples[position] = spoil(bench)(examples[position])
    broken = replace(loader, examples=examples, features=ClipFeatures(bench.store, examples, 2**24))
    with pytest.raises(DataError, match=message.format(clip=examples[position].segment_id)) as caught:
        run_steps(trainer, broken, checkpoints, RARE)
    assert caught.value.hint
    assert checkpoints.latest().step == BAD_STEP
    again, whole = run(bench, prefix="bad"), run(bench, prefix="whole")
    assert torch.equal(weights(again), weights(whole))


def test_a_full_disk_ends_the_run_and_the_checkpoint_before_is_gone_on_from(bench):
    trainer = bench.trainer()
    store = Refusing(bench.store)
    checkpoints = Checkpoints(store, "full")
    often = CheckpointSettings(every=2)
    step = trainer.step

    def fill_up(parts, epoch):
        store.full = parts[0].step >= 4
        return step(parts, epoch)

    trainer.step = fill_up
    with pytest.raises(StorageError, match=r"could not be saved: .*No space left") as caught:
        run_steps(trainer, bench.loader(trainer), checkpoints, often)
    assert "run again" in caught.value.hint
    assert checkpoints.latest().step in (2, 4)
    again, whole = run(bench, prefix="full", settings=often), run(bench, prefix="whole")
    assert torch.equal(weights(again), weights(whole))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"train": {"stage1": {"steps": 1, "learning_rate": 1}}}, "train.stage1.learning_rate"),
        ({"train": {"initial": {"sppech": "x"}}}, "train.initial.sppech"),
        ({"trian": {}}, "trian"),
    ],
)
def test_an_unknown_setting_is_refused_by_its_path(values, name):
    with pytest.raises(ConfigError, match=rf"wrong settings: {name}: Extra inputs"):
        parse_settings(Config, values)


def test_a_setting_out_of_range_is_refused():
    with pytest.raises(ConfigError, match=r"batch\.global_clips: .*greater than or equal to 2"):
        parse_settings(StageSettings, {"steps": 1, "batch": {"global_clips": 1}})
    assert stage_settings().batch.global_clips == 8
