"""Relative positions whose resolution falls with distance: near frames are told apart, far ones roughly."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout


class RelativePositions(nn.Module):
    """Positional codes of all offsets between T frames, (2T − 1, pos_dim); row T − 1 + δ is offset δ.

    The table is built when first needed and again when it is too short or elsewhere: it is no state, so it is
    neither saved nor left behind on a meta device. Source: reference 3.14.
    """

    def __init__(self, pos_dim: int, p: float) -> None:
        super().__init__()
        self.pos_dim = pos_dim
        self.p = p
        self._table: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Codes for the frames of x (N, T, C), in its dtype and on its device."""
        frames = x.shape[1]
        if torch.compiler.is_compiling():  # a compiled graph keeps no state; it computes the few codes it needs
            return dropout(position_table(frames, self.pos_dim, x.device).to(x.dtype), self.p, self.training)
        table = self._table
        if table is None or len(table) < 2 * frames - 1 or (table.device, table.dtype) != (x.device, x.dtype):
            with torch.inference_mode(False):  # the table may serve a training step after an evaluation
                table = position_table(frames, self.pos_dim, x.device).to(x.dtype)
            self._table = table
        middle = len(table) // 2
        return dropout(table[middle - frames + 1 : middle + frames], self.p, self.training)


def position_table(frames: int, pos_dim: int, device: torch.device | None = None) -> Tensor:
    """(2·frames − 1, pos_dim) float32 codes of the offsets 1 − frames … frames − 1."""
    offset = torch.arange(1 - frames, frames, dtype=torch.float32, device=device)
    compression = math.sqrt(pos_dim)
    compressed = compression * offset.sign() * (torch.log1p(offset.abs() / compression))
    angle = torch.atan(compressed * (2 * math.pi / pos_dim))
    angles = angle[:, None] * torch.arange(1, pos_dim // 2 + 1, device=device)
    table = torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(1)
    table[:, -1] = 1.0
    return table
