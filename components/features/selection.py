"""Which segments a training set holds: one pure question a row, answered by the first demand it fails."""

from clsp.config import FeatureSettings
from components.features.rows import SegmentFeatures

TOO_SHORT, TOO_LONG, LICENCE, FEW_CAPTIONS = "too_short", "too_long", "licence", "too_few_captions"


def reject_reason(row: SegmentFeatures, settings: FeatureSettings) -> str:
    """Why ``row`` is left out, '' when it is selected; only train needs several fine captions."""
    needed = settings.min_fine_captions if row.split == "train" else 1
    demands = {
        TOO_SHORT: row.duration_s >= settings.min_seconds,
        TOO_LONG: row.duration_s <= settings.max_seconds,
        LICENCE: not settings.licences or row.licence in settings.licences,
        FEW_CAPTIONS: row.fine_captions >= needed,
    }
    return next((reason for reason, met in demands.items() if not met), "")
