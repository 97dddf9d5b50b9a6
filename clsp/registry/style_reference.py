"""The reference set of style scores, stored with a version: how its cosines of clips and captions are distributed.

A cosine means little by itself (it is comparable only within one version); its percentile among the cosines of clips
with other clips' captions says how well a description fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from clsp.errors import ModelError

REFERENCE_FILE = "style_reference.json"


@dataclass(frozen=True)
class StyleReference:
    """Quantiles (0 to 1 in equal steps) of cosines of held-out clips with others' captions and with their own."""

    others: tuple[float, ...]
    own: tuple[float, ...]
    clips: int

    def percentile(self, cosine: float) -> float:
        """Percent of the cosines with other captions that lie below ``cosine``."""
        return _share_below(self.others, cosine)

    def own_percentile(self, cosine: float) -> float:
        """Percent of the cosines of clips with their own captions that lie below ``cosine``."""
        return _share_below(self.own, cosine)


def read_reference(folder: Path) -> StyleReference | None:
    """The reference of a version directory, None where it has none; ``ModelError`` when it is damaged."""
    path = folder / REFERENCE_FILE
    if not path.is_file():
        return None
    try:
        value: Mapping[str, Any] = orjson.loads(path.read_bytes())
        return StyleReference(tuple(value["others"]), tuple(value["own"]), int(value["clips"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{REFERENCE_FILE} is damaged", hint="register the model again") from error


def _share_below(quantiles: Sequence[float], value: float) -> float:
    return float(np.interp(value, quantiles, np.linspace(0, 100, len(quantiles)), left=0.0, right=100.0))
