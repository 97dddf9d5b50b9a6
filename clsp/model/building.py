"""From named weights to towers in memory: each tensor is placed once, on its device and in its precision."""

from collections.abc import Collection

import torch

from clsp.errors import ModelError
from clsp.model.dual_encoder import DualEncoder
from clsp.model.sources import Source
from clsp.model.text import restore_buffers
from clsp.model.weights import Weights, belongs, fitting, place_weights

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def build_towers(
    source: Source, device: str = "cpu", dtype: str | None = None, seed: int = 0, *, without: Collection[str] = ()
) -> DualEncoder:
    """The dual encoder of a source, in evaluation mode; parts that it does not bring start from ``seed``.

    Without ``dtype`` weights keep the precision they were stored in. The modules ``without`` are left out: their
    weights never come into memory. ``ModelError`` lists every name that does not fit.
    """
    if dtype is not None and dtype not in PRECISIONS:
        raise ModelError(f"unknown dtype {dtype!r}", hint=f"choose one of {', '.join(PRECISIONS)}")
    with torch.device("meta"):
        towers = DualEncoder(source.config)
    weights = fitting(towers, source.weights, source.absent)
    if source.absent:
        weights = {**_fresh(source, seed), **weights}
    for module in without:
        delattr(towers, module)
    weights = {name: value for name, value in weights.items() if not belongs(name, without)}
    try:
        place_weights(towers, weights, torch.device(device), PRECISIONS[dtype] if dtype else None)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"cannot use device {device!r}", hint="use cpu, or a device this machine has") from error
    if "text_encoder" not in without:
        restore_buffers(towers.text_encoder, torch.device(device))
    return towers.eval()


def _fresh(source: Source, seed: int) -> Weights:
    """Starting values of the parts that are absent; the same for the same seed and shape."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        start = DualEncoder(source.config).state_dict()
    return {name: value for name, value in start.items() if belongs(name, source.absent)}
