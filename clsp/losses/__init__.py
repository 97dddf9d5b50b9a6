"""Contrastive losses of the two training stages, on one process or across ranks."""

from clsp.losses.contrastive import info_nce, multi_positive
from clsp.losses.gather import all_gather

__all__ = ["all_gather", "info_nce", "multi_positive"]
