"""Padding values and layouts that the towers and losses rely on."""

import math

import torch

from clsp.data.collate import Batch, Sizes, pad_features, pad_tokens, stack_captions
from clsp.data.pairs import Task


def test_features_are_padded_with_the_log_of_nothing():
    padded, lengths = pad_features([torch.ones(2, 128), torch.ones(3, 128)])
    assert padded.shape == (2, 3, 128)
    assert lengths.tolist() == [2, 3]
    assert torch.allclose(padded[0, 2], torch.full((128,), math.log(1e-10)))


def test_tokens_are_padded_with_one_and_masked():
    ids, mask = pad_tokens([[0, 5, 2], [0, 2]])
    assert ids.tolist() == [[0, 5, 2], [0, 2, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_captions_are_stacked_first_of_all_then_second_of_all():
    assert stack_captions([("a1", "a2"), ("b1", "b2")]) == ["a1", "b1", "a2", "b2"]


def test_padding_is_counted():
    padded, lengths = pad_features([torch.ones(1, 128), torch.ones(4, 128)])
    batch = Batch(0, 0, Task.FINE, padded, lengths, *pad_tokens([[0], [0]]), clips=("a", "b"))
    assert Sizes.of([batch, batch]) == (4, 10, 16)
