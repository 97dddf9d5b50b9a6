"""Training checkpoints of icefall, read without trusting them: tensors, numbers and paths, nothing else.

They are pickles. ``torch.load`` reads them with its restricted unpickler; the only classes it is allowed beyond its
own are the paths that icefall stores among its settings.
"""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any

import torch

from clsp.errors import ModelError
from clsp.model.weights import Weights

_PATHS: list[Any] = [PosixPath, PurePosixPath, PureWindowsPath, WindowsPath]


@dataclass(frozen=True)
class IcefallCheckpoint:
    """Weights under the names of reference 1.3, their running average (float64) if kept, batches so far.

    ``period`` is after how many batches the average takes the weights in.
    """

    name: str
    weights: Weights
    average: Weights | None
    batches: int | None
    period: int | None


def read_icefall(path: Path) -> IcefallCheckpoint:
    """Read a ``.pt``; tensors stay on disk until used. ``ModelError`` for any other file, or one with code in it."""
    document = _load(path)
    if not (isinstance(document, Mapping) and isinstance(document.get("model"), Mapping)):
        raise ModelError(f"{path.name} holds no key 'model'", hint="give a training checkpoint, not an optimiser state")
    average, batches, period = (document.get(key) for key in ("model_avg", "batch_idx_train", "average_period"))
    return IcefallCheckpoint(
        name=path.name,
        weights=_tensors(path, document["model"]),
        average=_tensors(path, average) if isinstance(average, Mapping) else None,
        batches=batches if isinstance(batches, int) else None,
        period=period if isinstance(period, int) else None,
    )


def _load(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_PATHS):
            # Before torch 1.6 a checkpoint was no zip archive, and cannot be mapped.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise ModelError(f"cannot read {path.name}: {error.strerror}", hint="check the file and its rights") from error
    except Exception as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        why = f"it asks for {refused[1]}" if refused else f"{type(error).__name__}, it is damaged or of another kind"
        raise ModelError(
            f"cannot read the checkpoint {path.name}: {why}",
            hint="give a .pt of tensors, numbers and settings as icefall writes it; no other object is unpickled",
        ) from error


def _tensors(path: Path, values: Mapping[Any, Any]) -> Weights:
    wrong = sorted(str(name) for name, value in values.items() if not isinstance(value, torch.Tensor))
    if wrong:
        raise ModelError(f"{path.name}: {', '.join(wrong[:8])} hold no tensors", hint="give a training checkpoint")
    return dict(values)
