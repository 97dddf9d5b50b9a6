"""One stage of training as a step: make its order, have it trained, here or on a cluster, and hand over what is left.

Both ways share everything but the launching, so that the same recipe gives the same manifest.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue

from clsp.storage import ObjectStore
from clsp.storage.files import save_files
from clsp.storage.manifest import Counts, Shard, save_rows
from clsp.storage.steps import Outcome
from clsp.training.launch import launch
from clsp.training.rows import ProgressRow, progress_row
from clsp.training.stage import PROGRESS_FILE
from components.train.order import Order, lay_out


class Trained(BaseModel):
    """What a stage left in the store: the model's files, the table of its progress, and the facts of its last step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shards: tuple[Shard, ...]
    info: dict[str, JsonValue]


Launcher = Callable[[ObjectStore, Order], Trained]


def train(store: ObjectStore, order: Order, launcher: Launcher) -> Outcome:
    """Have an order trained by ``launcher``; raises what ended it."""
    trained = launcher(store, order)
    counts = Counts(unit="examples", rows_in=order.rows, accepted=order.rows)
    untrained: dict[str, JsonValue] = {"untrained_at_start": list(order.untrained)} if order.untrained else {}
    return Outcome("", trained.shards, counts, trained.info | untrained)


def train_here(store: ObjectStore, order: Order) -> Trained:
    """Train with processes of this machine; checkpoints are in the store, so the scratch folder may be lost."""
    with tempfile.TemporaryDirectory(prefix="clsp-train-") as scratch:
        launch(lay_out(store, order, Path(scratch)))
        return collect(store, Path(scratch))


def collect(store: ObjectStore, folder: Path) -> Trained:
    """Store what the leading process left in ``folder``."""
    values: list[dict[str, Any]] = orjson.loads((folder / PROGRESS_FILE).read_bytes())
    rows = [progress_row(value) for value in values]
    shards = (*save_files(store, folder / "model"), save_rows(store, "progress", ProgressRow, rows))
    last = rows[-1]
    return Trained(
        shards=shards, info={"steps": last.step + 1, "final_loss": round(last.loss, 4), "skipped": last.skipped}
    )
