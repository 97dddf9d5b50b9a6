"""Captions and tasks are chosen by seed, step and clip alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsp.data.pairs import Task, captions_for, choose_task, contrast_for
from clsp.errors import DataError
from clsp.records import Example

EXAMPLE = Example(
    segment_id="a", split="train", speaker="s", duration_s=2.0, licence="CC0-1.0", language="en",
    fine=("f0", "f1", "f2"), overall=("g0", "g1"), audio_key="k", audio_offset=0, audio_length=1, measures={},
)  # fmt: skip
steps = st.integers(0, 10**6)


@given(steps)
def test_stage_1_takes_one_fine_caption(step):
    (text,) = captions_for(EXAMPLE, Task.FINE, 1, step)
    assert text in EXAMPLE.fine


@given(steps)
def test_task_1_is_global_then_fine(step):
    first, second = captions_for(EXAMPLE, Task.GLOBAL_AND_FINE, 1, step)
    assert first in EXAMPLE.overall
    assert second in EXAMPLE.fine


@given(steps)
def test_task_2_takes_two_different_fine_captions(step):
    texts = captions_for(EXAMPLE, Task.TWO_FINE, 1, step)
    assert set(texts) <= set(EXAMPLE.fine)
    assert len(set(texts)) == 2


def test_every_caption_and_both_orders_are_drawn():
    pairs = {captions_for(EXAMPLE, Task.TWO_FINE, 1, step) for step in range(200)}
    assert len(pairs) == 6


def test_a_clip_without_a_global_caption_trains_two_fine():
    texts = captions_for(replace(EXAMPLE, overall=()), Task.GLOBAL_AND_FINE, 1, 0)
    assert len(set(texts) & set(EXAMPLE.fine)) == 2


@pytest.mark.parametrize("fine", [(), ("f0",), ("f0", "f0")])
def test_too_few_captions_name_the_clip(fine):
    with pytest.raises(DataError, match="clip a has too few captions"):
        captions_for(replace(EXAMPLE, fine=fine), Task.TWO_FINE, 1, 0)


@pytest.mark.parametrize("probability", [0.0, 0.5, 0.95, 1.0])
def test_tasks_follow_their_probability(probability):
    drawn = [choose_task(3, step, probability) is Task.GLOBAL_AND_FINE for step in range(2000)]
    assert abs(sum(drawn) / 2000 - probability) < 0.04


def test_the_caption_of_task_1_is_told_from_its_swapped_copy():
    clip = replace(EXAMPLE, overall=("A fast woman.", "A slow man."))
    for step in range(50):
        plain, swapped = contrast_for(clip, 1, step)
        assert plain == captions_for(clip, Task.GLOBAL_AND_FINE, 1, step)[0]
        assert swapped != plain
        assert (plain, swapped) == contrast_for(clip, 1, step)


def test_a_clip_whose_global_caption_names_no_attribute_has_no_contrast():
    assert contrast_for(EXAMPLE, 1, 0) is None
    assert contrast_for(replace(EXAMPLE, overall=()), 1, 0) is None
