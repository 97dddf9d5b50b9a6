"""One stage of training as a step: prepare a scratch folder, launch the workers, store what they leave."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import orjson

from clsp.config import TrainSettings
from clsp.data.tokenizer import train_tokenizer
from clsp.errors import TrainingError
from clsp.model import preset
from clsp.storage import ObjectStore
from clsp.storage.files import fetch_files, save_files
from clsp.storage.manifest import Counts, load_manifest, save_rows
from clsp.storage.steps import Outcome
from clsp.training.job import Job, training_examples
from clsp.training.launch import launch
from clsp.training.rows import ProgressRow, progress_row
from clsp.training.stage import PROGRESS_FILE, longest_text


def train(
    store: ObjectStore, stage: str, settings: TrainSettings, parents: tuple[str, ...], checkpoints: str
) -> Outcome:
    """Train one stage in a scratch folder; its checkpoints are in the store, so the folder may be lost at any time."""
    examples, *earlier = parents
    with tempfile.TemporaryDirectory(prefix="clsp-train-") as scratch:
        folder = Path(scratch)
        initial = (
            str(fetch_files(store, load_manifest(store, earlier[0]).shards, folder / "initial")) if earlier else ""
        )
        rows = _prepare_tokenizer(store, examples, settings, initial, folder / "tokenizer")
        launch(
            Job(
                stage=stage,
                store=store.uri,
                examples=examples,
                checkpoints=checkpoints,
                initial=initial,
                folder=scratch,
                settings=settings.model_dump(mode="json"),
            )
        )
        return _outcome(store, folder, rows)


def _prepare_tokenizer(store: ObjectStore, examples: str, settings: TrainSettings, initial: str, folder: Path) -> int:
    """Lay the tokenizer out in ``folder``; returns the number of training examples."""
    rows = training_examples(store, examples)
    if not rows:
        raise TrainingError("there is no training example", hint="look at what validate and features rejected")
    given = initial or settings.tokenizer
    if given:
        ignored = shutil.ignore_patterns("*.safetensors", "config.json")
        shutil.copytree(given, folder, ignore=ignored)
    else:
        folder.mkdir()
        texts = (text for row in rows for text in (*row.fine, *row.overall))
        train_tokenizer(texts, settings.vocabulary, folder, longest_text(preset(settings.preset)))
    return len(rows)


def _outcome(store: ObjectStore, folder: Path, examples: int) -> Outcome:
    values: list[dict[str, Any]] = orjson.loads((folder / PROGRESS_FILE).read_bytes())
    rows = [progress_row(value) for value in values]
    shards = (*save_files(store, folder / "model"), save_rows(store, "progress", ProgressRow, rows))
    info = {"steps": rows[-1].step + 1, "final_loss": round(rows[-1].loss, 4), "skipped": rows[-1].skipped}
    return Outcome("", shards, Counts(unit="examples", rows_in=examples, accepted=examples), info)
