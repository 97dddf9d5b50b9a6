"""What is to be trained, as one JSON document in the store: all that it needs is named there by hash.

A worker on any machine lays an order out in its scratch folder and trains the job it finds there, so that a stage on
one machine and a stage on a cluster start from the same bytes.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from clsp.config import TrainSettings
from clsp.data.table import example_table
from clsp.data.tokenizer import train_tokenizer
from clsp.errors import ModelError, TrainingError
from clsp.hashing import canonical_json, digest
from clsp.logs import get_logger
from clsp.model import ModelConfig, preset
from clsp.model.directory import UNTRAINED_FILE, read_config
from clsp.model.importing import ImportOptions, import_model
from clsp.model.tokens import longest_text
from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.files import fetch_files, save_files
from clsp.storage.manifest import Shard, load_manifest
from clsp.training.job import Job
from components.train.initial import Initial

log = get_logger(__name__)
_UNTRAINED = "counter_start is for pre-trained encoders: name them in train.initial, or leave it at 0"
_WEIGHTS = ("*.safetensors", "config.json", UNTRAINED_FILE)


class Order(BaseModel):
    """One stage to train. ``initial``: files of the model it starts from, none for fresh weights.

    ``untrained``: modules among them that nobody trained yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    examples: str
    rows: int
    checkpoints: str
    tokenizer: tuple[Shard, ...]
    initial: tuple[Shard, ...]
    settings: dict[str, Any]
    untrained: tuple[str, ...] = ()


def make_order(
    store: ObjectStore,
    stage: str,
    settings: TrainSettings,
    parents: tuple[str, ...],
    checkpoints: str,
    start: Initial | None = None,
) -> Order:
    """The order of a stage. It goes on from the earlier stage's model, or from ``start``, or from fresh weights."""
    examples, *earlier = parents
    with tempfile.TemporaryDirectory(prefix="clsp-order-") as scratch:
        rows = example_table(store, examples, "train", Path(scratch, "examples"))
        if not rows:
            raise TrainingError("there is no training example", hint="look at what validate and features rejected")
        if earlier:
            initial = _files(load_manifest(store, earlier[0]).shards)
            begin = _Beginning(_without_weights(initial), initial)
        else:
            begin = _begin(store, stage, settings, start or Initial(), rows, Path(scratch))
        return Order(
            stage=stage,
            examples=examples,
            rows=len(rows),
            checkpoints=checkpoints,
            tokenizer=begin.tokenizer,
            initial=begin.initial,
            settings=settings.model_dump(mode="json"),
            untrained=begin.untrained,
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


@dataclass(frozen=True)
class _Beginning:
    tokenizer: tuple[Shard, ...]
    initial: tuple[Shard, ...] = ()
    untrained: tuple[str, ...] = ()


def _begin(
    store: ObjectStore, stage: str, settings: TrainSettings, start: Initial, rows: Sequence[Example], scratch: Path
) -> _Beginning:
    """What the first stage starts from; its text tower keeps the tokenizer that it was trained with."""
    shape = preset(settings.preset)
    if start.weights is None:
        if getattr(settings, stage).counter_start:
            log.warning("stage_starts_untrained", stage=stage, hint=_UNTRAINED)
        return _Beginning(_save_tokenizer(store, settings, shape, start.tokenizer, rows, scratch))
    options = ImportOptions(
        shape=shape,
        text=start.text if start.model else None,
        tokenizer=start.tokenizer,
        output_factor=shape.output_downsampling_factor,
        seed=getattr(settings, stage).seed,
    )
    written = import_model(start.weights, scratch / "start", options)
    log.info("stage_starts", stage=stage, kind=written.kind, untrained=written.untrained)
    files = save_files(store, scratch / "start")
    if written.has_tokenizer:
        return _Beginning(_without_weights(files), files, written.untrained)
    if "text_encoder" not in written.untrained:
        raise ModelError(
            "the text tower that stage 1 starts from has no tokenizer", hint="name its folder in train.tokenizer"
        )
    shape = read_config(scratch / "start")
    return _Beginning(_save_tokenizer(store, settings, shape, None, rows, scratch), files, written.untrained)


def _save_tokenizer(
    store: ObjectStore,
    settings: TrainSettings,
    shape: ModelConfig,
    given: Path | None,
    rows: Sequence[Example],
    scratch: Path,
) -> tuple[Shard, ...]:
    folder = scratch / "tokenizer"
    if given:
        shutil.copytree(given, folder, ignore=shutil.ignore_patterns(*_WEIGHTS))
    else:
        folder.mkdir()
        texts = (text for row in rows for text in (*row.fine, *row.overall))
        train_tokenizer(texts, settings.vocabulary, folder, longest_text(shape))
    return save_files(store, folder)


def _files(shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
    return tuple(shard for shard in shards if shard.kind.startswith("file/"))


def _without_weights(shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
    return tuple(shard for shard in shards if not any(Path(shard.kind).match(pattern) for pattern in _WEIGHTS))
