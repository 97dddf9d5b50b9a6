"""Which captions a clip is trained against at a step: chosen by hash, so that any rank and any restart agrees.

Stage 1 takes one fine caption a clip. In stage 2 all clips of a step share a task: global + fine (Task 1) or two
different fine captions (Task 2); the published code drew it per rank (reference 1.7).
"""

from collections.abc import Sequence
from enum import IntEnum

from clsp.captions.swapping import swap_attribute
from clsp.errors import DataError
from clsp.hashing import unit_interval
from clsp.records import Example


class Task(IntEnum):
    """What a step trains: stage 1, or one of the two tasks of stage 2."""

    FINE = 0
    GLOBAL_AND_FINE = 1
    TWO_FINE = 2


def choose_task(seed: int, step: int, probability: float) -> Task:
    """Task 1 with ``probability``, else Task 2."""
    return Task.GLOBAL_AND_FINE if unit_interval("task", seed, step) < probability else Task.TWO_FINE


def captions_for(example: Example, task: Task, seed: int, step: int) -> tuple[str, ...]:
    """The texts of one clip at one step: one at stage 1, caption 1 and caption 2 at stage 2.

    A clip without a global caption trains Task 2 in its place. DataError when it has too few captions.
    """
    key = (seed, step, example.segment_id)
    if task is Task.FINE:
        return (_one(example, example.fine, *key),)
    if task is Task.GLOBAL_AND_FINE and example.overall:
        return _one(example, example.overall, "global", *key), _one(example, example.fine, *key)
    first = _one(example, example.fine, *key)
    rest = tuple(caption for caption in example.fine if caption != first)
    return first, _one(example, rest, "second", *key)


def contrast_for(example: Example, seed: int, step: int) -> tuple[str, str] | None:
    """A global caption of the clip, the one of Task 1 at this step, and its copy with one attribute swapped.

    None when the clip has no global caption, or one that names no attribute (stage 3, reference 1.6).
    """
    if not example.overall:
        return None
    plain = _one(example, example.overall, "global", seed, step, example.segment_id)
    swapped = swap_attribute(plain, seed, step, example.segment_id)
    return None if swapped is None else (plain, swapped)


def _one(example: Example, captions: Sequence[str], *key: object) -> str:
    if not captions:
        raise DataError(
            f"clip {example.segment_id} has too few captions for this stage",
            hint="raise features.min_fine_captions to 2, or annotate more views",
        )
    return captions[int(unit_interval("caption", *key) * len(captions))]
