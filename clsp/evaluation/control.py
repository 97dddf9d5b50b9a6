"""The control: the same vectors, the same scores, but every clip is asked for a random caption.

Many whole permutations are scored. A single one would leave R@1 at 0 of N more than a third of the time, and a
derangement would score a perfect model below chance, since its best answer could never be the one asked for. Over
uniform permutations the mean is chance for any model, so a control off chance means that the scoring is wrong.
"""

import numpy as np

from clsp.evaluation.ranks import Integers


def shuffles(items: int, count: int, seed: int) -> Integers:
    """``count`` seeded permutations (count, items): the caption that each clip is given instead of its own."""
    random = np.random.default_rng(seed)
    return np.stack([random.permutation(items) for _ in range(count)])


def inverse(permutations: Integers) -> Integers:
    """The same pairs seen from the captions: the clip that each caption is given."""
    return np.argsort(permutations, axis=-1)
