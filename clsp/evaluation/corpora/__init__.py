"""Emotional-speech corpora in the layouts people download (reference 1.11): labelled clips out, nothing decoded yet."""

from clsp.evaluation.corpora.crema_d import read_crema_d
from clsp.evaluation.corpora.iemocap import read_iemocap
from clsp.evaluation.corpora.labels import LabelledClip
from clsp.evaluation.corpora.ravdess import read_ravdess

__all__ = ["LabelledClip", "read_crema_d", "read_iemocap", "read_ravdess"]
