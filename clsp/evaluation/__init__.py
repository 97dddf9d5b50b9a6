"""Retrieval between speech and captions on held-out speakers (reference 1.11), with intervals and a control.

``evaluate`` is the body of the step; ``score_pairs`` is what it computes from two matrices of unit vectors.
"""

from clsp.evaluation.embeddings import Embedding
from clsp.evaluation.scores import score_pairs

__all__ = ["Embedding", "score_pairs"]
