"""Weights by name: the strict comparison that every model passes before a single number of it is used.

A wrong name or shape is listed with what to do, because a tower that was loaded by half embeds without complaint.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from clsp.errors import ModelError

Weights = Mapping[str, Tensor]
_LISTED = 8


def copy_weights(model: nn.Module, stored: Weights) -> None:
    """Copy ``stored`` (names without prefix) into ``model`` when names and shapes agree exactly."""
    model.load_state_dict(dict(fitting(model, stored)), strict=False)


def place_weights(model: nn.Module, stored: Weights, device: torch.device, dtype: torch.dtype | None) -> None:
    """Give a model on the meta device its weights, one tensor after another, so that none exists twice.

    Without ``dtype`` tensors keep their own precision, except float64, which becomes float32.
    """
    placed = {name: _placed(value, device, dtype) for name, value in fitting(model, stored).items()}
    model.load_state_dict(placed, strict=False, assign=True)


def fitting(model: nn.Module, stored: Weights, absent: Collection[str] = ()) -> Weights:
    """``stored`` without position ids when it fits ``model``; ``ModelError`` lists every name that does not.

    ``absent`` are modules that need not be there.
    """
    stored = {name: value for name, value in stored.items() if not _is_position_ids(name)}
    wanted = {name: value for name, value in model.state_dict().items() if not _is_position_ids(name)}
    missing = {name for name in wanted.keys() - stored.keys() if not belongs(name, absent)}
    problems = {
        "missing": sorted(missing),
        "unexpected": sorted(stored.keys() - wanted.keys()),
        "of another shape": sorted(
            f"{name} {tuple(stored[name].shape)}, not {tuple(wanted[name].shape)}"
            for name in wanted.keys() & stored.keys()
            if stored[name].shape != wanted[name].shape
        ),
    }
    whole = sorted(f"{name} {value.dtype}" for name, value in stored.items() if not value.is_floating_point())
    problems["no floating-point numbers"] = whole
    if any(problems.values()):
        raise ModelError(
            "the weights do not fit the configuration: "
            + "; ".join(_listed(*item) for item in problems.items() if item[1]),
            hint="use the config.json that was saved with these weights, or import model --preset",
        )
    return stored


def refuse_not_finite(model: nn.Module) -> None:
    """``ModelError`` that lists the weights with a value that is no number; such a model embeds everything as none."""
    broken = [name for name, value in model.state_dict().items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ModelError(
            "the weights are damaged: " + _listed("with values that are not finite", broken),
            hint="take an earlier checkpoint of the run, or copy the file again",
        )


def belongs(name: str, modules: Collection[str]) -> bool:
    """Whether a weight is one of ``modules`` or lies below one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _is_position_ids(name: str) -> bool:
    """A buffer of old RoBERTa checkpoints that holds 0, 1, 2 … and no weights."""
    return name.rpartition(".")[2] == "position_ids"


def _listed(problem: str, names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{len(names)} {problem}: {', '.join(names[:_LISTED])}{more}"


def _placed(value: Tensor, device: torch.device, dtype: torch.dtype | None) -> Tensor:
    kept = torch.float32 if value.dtype == torch.float64 else value.dtype
    return value.to(device=device, dtype=dtype or kept, copy=True).contiguous()
