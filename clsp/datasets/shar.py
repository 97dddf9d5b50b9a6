"""lhotse Shar: ``cuts.NNNNNN.jsonl.gz`` beside ``recording.NNNNNN.tar``, whose entries carry the ids of the cuts.

Only audio is read. Feature archives and placeholders are left alone, and nothing is unpickled (reference 4.1).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from clsp.datasets.cuts import read_cuts
from clsp.datasets.offers import Offer
from clsp.datasets.tars import Sample, read_samples
from clsp.errors import DataError


def read_shar(places: Sequence[Path], _root: Path | None) -> Iterator[Offer]:
    """Offers of every shard below the folders; a cut whose recording is not in its tar has no sound."""
    manifests = [path for place in places for path in sorted(place.glob("cuts.*.jsonl*"))]
    if not manifests:
        raise DataError("no cuts.NNNNNN.jsonl.gz in the folders given", hint="give the Shar folder itself")
    for manifest in manifests:
        number = manifest.name.split(".")[1]
        tar = manifest.parent / f"recording.{number}.tar"
        samples = {sample.key: sample for sample in read_samples(tar)} if tar.is_file() else {}
        for cut in read_cuts(manifest):
            sample = samples.get(cut.id, Sample(cut.id))
            yield Offer(
                cut.id, sample.sound, cut.facts, cut.captions, 0.0, cut.duration_s, cut.origin_s, sample.problem
            )
