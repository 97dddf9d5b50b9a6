"""Both stages of training as steps: prepare a scratch folder, launch the workers, store what they leave."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import orjson

from clsp.config import TrainSettings, parse_settings
from clsp.data.tokenizer import train_tokenizer
from clsp.errors import TrainingError
from clsp.model import preset
from clsp.storage import ObjectStore
from clsp.storage.files import fetch_files, save_files
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Counts, Recipe, load_manifest, save_rows
from clsp.storage.steps import Outcome, make_recipe, step_key
from clsp.training.job import Job, training_examples
from clsp.training.launch import launch
from clsp.training.rows import ProgressRow, progress_row
from clsp.training.stage import PROGRESS_FILE, longest_text
from components.runner import execute, step_entry

STAGES = ("stage1", "stage2")
# They change how a run goes, not what comes out of it.
OPERATIONAL = {"loader", "checkpoint", "timeout_seconds", "minutes"}


@step_entry("train_stage1")
def run_stage1(*, store: str, run_id: str, settings: str, examples: str) -> str:
    """Train both towers on fine captions; returns the manifest's name."""
    return _run("stage1", store, run_id, parse_settings(TrainSettings, settings), examples)


@step_entry("train_stage2")
def run_stage2(*, store: str, run_id: str, settings: str, examples: str, stage1: str) -> str:
    """Go on from stage 1 with two captions a clip; returns the manifest's name."""
    return _run("stage2", store, run_id, parse_settings(TrainSettings, settings), examples, stage1)


def _run(stage: str, store: str, run_id: str, settings: TrainSettings, *parents: str) -> str:
    recipe = stage_recipe(stage, settings)
    prefix = f"checkpoints/{stage}/{step_key(recipe, parents)}"

    def body(opened: ObjectStore, _ledger: Ledger) -> Outcome:
        return train(opened, stage, settings, parents, prefix)

    return execute(store, run_id, recipe, parents, body)


def stage_recipe(stage: str, settings: TrainSettings) -> Recipe:
    """What decides a stage's weights: its own settings and those of the model, not the other stage's."""
    other = {name for name in STAGES if name != stage}
    return make_recipe(f"train_{stage}", settings.model_dump(mode="json", exclude=OPERATIONAL | other))


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
