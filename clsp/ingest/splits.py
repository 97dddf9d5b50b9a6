"""Which speakers are held out: a seeded choice that no speaker straddles.

Shares are of segments, met as nearly as whole speakers allow; wherever there are three speakers, each split that was
asked for has one.
"""

from collections.abc import Mapping

from clsp.hashing import unit_interval
from clsp.records import Split


def split_groups(sizes: Mapping[str, int], dev_share: float, test_share: float, seed: int) -> dict[str, Split]:
    """Split of each group (a speaker), whose ``sizes`` are in segments; depends on the arguments alone."""
    order = sorted(sizes, key=lambda group: (unit_interval("split", seed, group), group))
    total = sum(sizes.values())
    chosen: dict[str, Split] = {}
    wanted: tuple[tuple[Split, float], ...] = (("test", test_share), ("dev", dev_share))
    for split, share in wanted:
        left = [group for group in order if group not in chosen]
        spare = len(left) - (2 if split == "test" and dev_share else 1)
        if share and spare > 0:
            chosen.update(dict.fromkeys(_take(left, sizes, share * total, spare), split))
    return {group: chosen.get(group, "train") for group in sizes}


def share_split(group: str, dev_share: float, test_share: float, seed: int) -> Split:
    """Split of one group by its name alone, where the others are not known yet; shares are met on average."""
    place = unit_interval("split", seed, group)
    return "test" if place < test_share else "dev" if place < test_share + dev_share else "train"


def _take(order: list[str], sizes: Mapping[str, int], target: float, most: int) -> list[str]:
    """Groups in order, each taken when it brings the sum nearer to ``target``; at least one, at most ``most``."""
    taken: list[str] = []
    reached = 0
    for group in order:
        nearer = abs(reached + sizes[group] - target) < abs(reached - target)
        if nearer and len(taken) < most:
            taken.append(group)
            reached += sizes[group]
    return taken or [min(order, key=lambda group: sizes[group])]
