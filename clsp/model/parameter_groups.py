"""Learning rates by part: pre-trained towers move slowly while fresh heads move fast (reference 3.5)."""

from typing import Any

from clsp.model.dual_encoder import DualEncoder

TOWERS = ("encoder_embed", "encoder", "text_encoder")


def parameter_groups(model: DualEncoder, base_lr: float, encoder_scale: float = 1.0) -> list[dict[str, Any]]:
    """Optimiser groups: heads and scale at `base_lr`, towers at `base_lr` × `encoder_scale`.

    Equal rates form one group, because ScaledAdam clips group by group. Frozen tensors are left out.
    """
    groups: dict[float, list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            scale = encoder_scale if name.split(".")[0] in TOWERS else 1.0
            groups.setdefault(base_lr * scale, []).append(parameter)
    return [{"params": parameters, "lr": lr} for lr, parameters in groups.items()]
