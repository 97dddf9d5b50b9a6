"""What is to be trained, as one JSON document in the store: all that it needs is named there by hash.

A worker on any machine lays an order out in its scratch folder and trains the job it finds there, so that a stage on
one machine and a stage on a cluster start from the same bytes.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from clsp.config import TrainSettings
from clsp.data.table import example_table
from clsp.data.tokenizer import train_tokenizer
from clsp.errors import TrainingError
from clsp.hashing import canonical_json, digest
from clsp.model import preset
from clsp.model.tokens import longest_text
from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.files import fetch_files, save_files
from clsp.storage.manifest import Shard, load_manifest
from clsp.training.job import Job

_WEIGHTS = ("*.safetensors", "config.json")


class Order(BaseModel):
    """One stage to train. ``initial``: files of the model it starts from, none for fresh weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    examples: str
    rows: int
    checkpoints: str
    tokenizer: tuple[Shard, ...]
    initial: tuple[Shard, ...]
    settings: dict[str, Any]


def make_order(
    store: ObjectStore, stage: str, settings: TrainSettings, parents: tuple[str, ...], checkpoints: str
) -> Order:
    """The order of a stage; its tokenizer is the earlier stage's, the one that is given, or trained here."""
    examples, *earlier = parents
    initial = _files(load_manifest(store, earlier[0]).shards) if earlier else ()
    with tempfile.TemporaryDirectory(prefix="clsp-order-") as scratch:
        rows = example_table(store, examples, "train", Path(scratch, "examples"))
        if not rows:
            raise TrainingError("there is no training example", hint="look at what validate and features rejected")
        return Order(
            stage=stage,
            examples=examples,
            rows=len(rows),
            checkpoints=checkpoints,
            tokenizer=_without_weights(initial) if initial else _save_tokenizer(store, settings, rows),
            initial=initial,
            settings=settings.model_dump(mode="json"),
        )


def save_order(store: ObjectStore, order: Order) -> str:
    """Write an order under the hash of its content; returns its key."""
    data = canonical_json(order.model_dump(mode="json"))
    key = f"orders/{digest(data)}.json"
    store.put_blob(key, data)
    return key


def load_order(store: ObjectStore, key: str) -> Order:
    """The order that ``save_order`` wrote."""
    return Order.model_validate_json(store.get(key))


def lay_out(store: ObjectStore, order: Order, folder: Path) -> Job:
    """Fetch what an order names into ``folder``; returns the job to train there."""
    fetch_files(store, order.tokenizer, folder / "tokenizer")
    initial = str(fetch_files(store, order.initial, folder / "initial")) if order.initial else ""
    return Job(
        stage=order.stage,
        store=store.uri,
        examples=order.examples,
        checkpoints=order.checkpoints,
        initial=initial,
        folder=str(folder),
        settings=order.settings,
    )


def _save_tokenizer(store: ObjectStore, settings: TrainSettings, rows: Sequence[Example]) -> tuple[Shard, ...]:
    with tempfile.TemporaryDirectory(prefix="clsp-tokenizer-") as scratch:
        folder = Path(scratch, "tokenizer")
        if settings.tokenizer:
            shutil.copytree(settings.tokenizer, folder, ignore=shutil.ignore_patterns(*_WEIGHTS))
        else:
            folder.mkdir()
            texts = (text for row in rows for text in (*row.fine, *row.overall))
            train_tokenizer(texts, settings.vocabulary, folder, longest_text(preset(settings.preset)))
        return save_files(store, folder)


def _files(shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
    return tuple(shard for shard in shards if shard.kind.startswith("file/"))


def _without_weights(shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
    return tuple(shard for shard in shards if not any(Path(shard.kind).match(pattern) for pattern in _WEIGHTS))
