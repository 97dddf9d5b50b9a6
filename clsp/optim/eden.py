"""Eden: a learning rate that falls with the batches and with the epochs done, after a short warm-up.

Both counters are set from outside, never counted here: a resumed run then has the learning rate of the
undisturbed one by construction.
"""

from typing import Any

from torch.optim import Optimizer


class Eden:
    """Sets each group's lr to its initial lr × the factor of reference 3.8.

    `lr_batches` and `lr_epochs` are where the two decays begin to bite; the warm-up rises linearly from
    `warmup_start` to 1 over `warmup_batches`. Initial rates are those of the groups at construction.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_batches: float,
        lr_epochs: float,
        warmup_batches: float = 500,
        warmup_start: float = 0.5,
    ) -> None:
        self.optimizer = optimizer
        self.lr_batches = lr_batches
        self.lr_epochs = lr_epochs
        self.warmup_batches = warmup_batches
        self.warmup_start = warmup_start
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]
        self.batch = 0
        self.epoch = 0
        self._apply()

    def step_batch(self, batch: int) -> None:
        """Set the number of batches done so far; call it before the optimiser's step."""
        self.batch = batch
        self._apply()

    def step_epoch(self, epoch: int) -> None:
        """Set the number of epochs completed."""
        self.epoch = epoch
        self._apply()

    def factor(self) -> float:
        """Present learning rate relative to the initial one."""
        by_batch = _decay(self.batch, self.lr_batches)
        return by_batch * _decay(self.epoch, self.lr_epochs) * self._warmup()

    def last_lrs(self) -> list[float]:
        """Present learning rate of each group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Initial rates and counters."""
        return {"base_lrs": list(self.base_lrs), "epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave and set the learning rates accordingly."""
        self.base_lrs = list(state["base_lrs"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._apply()

    def _warmup(self) -> float:
        if self.batch >= self.warmup_batches:
            return 1.0
        return self.warmup_start + (1.0 - self.warmup_start) * self.batch / self.warmup_batches

    def _apply(self) -> None:
        factor = self.factor()
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base_lr * factor


def _decay(done: float, scale: float) -> float:
    return float((done**2 / scale**2 + 1.0) ** -0.25)
