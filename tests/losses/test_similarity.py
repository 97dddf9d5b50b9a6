"""The similarity matrix is never held whole: what the process holds at most says so."""

import multiprocessing
import resource

import torch
from torch.nn.functional import normalize

from clsp.losses import info_nce

ROWS, DIM = 8192, 32
MATRIX_MIB = ROWS * ROWS * 4 / 2**20


def _growth(results: multiprocessing.Queue) -> None:
    """MiB that the peak of this process rises by while it computes a loss and its gradients."""
    torch.set_num_threads(1)
    audio, text = (normalize(torch.randn(ROWS, DIM), dim=-1).requires_grad_() for _ in range(2))
    info_nce(audio[:64], text[:64], torch.tensor(14.0), tile=1024).backward()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    info_nce(audio, text, torch.tensor(14.0), tile=1024).backward()
    results.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def test_memory_does_not_hold_the_matrix() -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_growth, args=(results,))
    process.start()
    growth = results.get(timeout=120)
    process.join(60)
    assert growth < MATRIX_MIB / 4
