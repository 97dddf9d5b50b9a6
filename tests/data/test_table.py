"""Examples in mapped files are those of the manifest's split; altered shards are refused."""

import multiprocessing

import numpy as np
import pytest

from clsp.data.table import example_table
from clsp.errors import DataError
from clsp.storage.manifest import load_manifest
from tests.speech import save_tones, training_examples


def test_examples_come_back_as_they_were(store, tmp_path):
    name = save_tones(store, 5)
    table = example_table(store, name, "train", tmp_path / "t")
    expected = training_examples(store, name)
    assert list(table) == expected
    assert table[1:3] == expected[1:3]
    assert table.durations == pytest.approx([example.duration_s for example in expected])
    with pytest.raises(IndexError):
        table[5]


def test_other_splits_are_left_out(store, tmp_path):
    table = example_table(store, save_tones(store, 5, split="test"), "train", tmp_path / "t")
    assert len(table) == 0
    assert table.durations.dtype == np.float32


def test_it_is_laid_out_once(store, tmp_path):
    name = save_tones(store, 5)
    first = example_table(store, name, "train", tmp_path / "t")
    for shard in load_manifest(store, name).of_kind("examples"):
        store.delete(shard.key)
    assert list(example_table(store, name, "train", tmp_path / "t")) == list(first)


def test_an_altered_shard_is_refused(store, tmp_path):
    name = save_tones(store, 5)
    (shard,) = load_manifest(store, name).of_kind("examples")
    store.put_blob(shard.key, store.get(shard.key)[:-1] + b"\0")
    with pytest.raises(DataError, match="was altered"):
        example_table(store, name, "train", tmp_path / "t")


def _lengths(store, name, folder, lengths):
    lengths.put(len(example_table(store, name, "train", folder)))


def test_processes_that_start_at_once_see_the_whole_table(store, tmp_path):
    context = multiprocessing.get_context("fork")
    name, lengths = save_tones(store, 5), context.Queue()
    members = [context.Process(target=_lengths, args=(store, name, tmp_path / "t", lengths)) for _ in range(3)]
    for member in members:
        member.start()
    assert [lengths.get(timeout=60) for _ in members] == [5, 5, 5]
    for member in members:
        member.join(60)
