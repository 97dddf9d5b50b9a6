"""Contrastive losses of the training stages, on one process or across ranks."""

from clsp.losses.contrastive import attribute_contrast, info_nce, multi_positive
from clsp.losses.gather import all_gather

__all__ = ["all_gather", "attribute_contrast", "info_nce", "multi_positive"]
