"""The body of the evaluate step: embed a held-out split, score it, keep vectors and numbers.

Work goes through the ledger a chunk of clips at a time, so a killed evaluation continues where it stopped.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

import clsp
from clsp.config.evaluation import EvaluationSettings
from clsp.errors import DataError
from clsp.evaluation.embeddings import Embedding, Encoder, embed, one_vector_a_text, reported_fine, reported_overall
from clsp.evaluation.scores import Scores, score_pairs
from clsp.evaluation.writing import write_evaluation
from clsp.progress import Progress
from clsp.records import Example
from clsp.storage.files import fetch_files, save_files
from clsp.storage.ledger import Ledger, UnitResult
from clsp.storage.manifest import Counts, Shard, load_manifest, read_rows, read_shard, save_rows
from clsp.storage.objects import ObjectStore
from clsp.storage.rows import decode_rows, in_chunks
from clsp.storage.steps import Outcome


def evaluate(store: ObjectStore, ledger: Ledger, settings: EvaluationSettings, examples: str, model: str) -> Outcome:
    """Evaluate the model of manifest ``model`` on the split of manifest ``examples`` that ``settings`` names."""
    with tempfile.TemporaryDirectory() as folder:
        files = fetch_files(store, load_manifest(store, model).shards, Path(folder))
        return evaluate_encoder(store, ledger, settings, examples, clsp.load_model(str(files)))


def evaluate_encoder(
    store: ObjectStore, ledger: Ledger, settings: EvaluationSettings, examples: str, encoder: Encoder
) -> Outcome:
    """``evaluate`` with a model that is already loaded; ``DataError`` when the split cannot be reported."""
    held_out = _held_out(read_rows(store, load_manifest(store, examples), "examples", Example), settings.split)
    captioned = [example for example in held_out if reported_fine(example) or reported_overall(example)]
    if not captioned:
        raise DataError(
            f"no example of split {settings.split!r} has a caption", hint="see what verify rejected and why"
        )
    shards = _embed_in_units(store, ledger, settings, captioned, encoder)
    rows = [row for shard in shards for row in decode_rows(Embedding, read_shard(store, shard))]
    info: dict[str, JsonValue] = {
        "split": settings.split,
        "clips": len(rows),
        "speakers": len({row.speaker for row in rows}),
        "confidence": settings.confidence,
        **score_embeddings(rows, settings),
    }
    return Outcome("", (*shards, *_save_written(store, info)), _counts(len(held_out), len(rows)), info)


def score_embeddings(rows: Sequence[Embedding], settings: EvaluationSettings) -> dict[str, JsonValue]:
    """``{"retrieval": {kind: scores}, "control": {kind: scores}}`` for the kinds of caption that some clip has."""
    retrieval: Scores = {}
    control: Scores = {}
    columns = {
        "fine": [(r, r.fine_text, r.fine) for r in rows],
        "global": [(r, r.overall_text, r.overall) for r in rows],
    }
    for kind, column in columns.items():
        present = [(row.speech, text, vector) for row, text, vector in column if text]
        if present:
            speech, texts, vectors = zip(*present, strict=True)
            matrix = one_vector_a_text(texts, vectors)
            retrieval[kind], control[kind] = score_pairs(np.array(speech), matrix, texts, settings)
    return {"retrieval": retrieval, "control": control}


def _held_out(examples: Iterable[Example], split: str) -> list[Example]:
    if split == "train":
        raise DataError("the train split cannot be reported", hint="evaluate on 'test', or on 'dev' while choosing")
    found = sorted((row for row in examples if row.split == split), key=lambda row: row.segment_id)
    if not found:
        raise DataError(
            f"no example is in split {split!r}", hint="add speakers or raise ingest.test_share, then run again"
        )
    return found


def _embed_in_units(
    store: ObjectStore, ledger: Ledger, settings: EvaluationSettings, examples: list[Example], encoder: Encoder
) -> list[Shard]:
    def work(chunk: list[Example]) -> UnitResult:
        rows = embed(store, encoder, chunk, settings.batch_size)
        return {"shard": save_rows(store, "embeddings", Embedding, rows).model_dump(mode="json")}

    units = [(f"{index:06d}", chunk) for index, chunk in enumerate(in_chunks(examples, settings.examples_per_unit))]
    with _torch_threads(settings.threads), Progress("evaluate", len(units), "units") as progress:
        results = ledger.complete(units, work, progress)
    return [Shard.model_validate(result["shard"]) for result in results]


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """``count`` threads in each of torch's operations, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _counts(rows_in: int, accepted: int) -> Counts:
    rejected = {"captionless": rows_in - accepted} if rows_in > accepted else {}
    return Counts(unit="examples", rows_in=rows_in, accepted=accepted, rejected=rejected)


def _save_written(store: ObjectStore, info: dict[str, JsonValue]) -> tuple[Shard, ...]:
    with tempfile.TemporaryDirectory() as folder:
        write_evaluation(Path(folder), info)
        return save_files(store, Path(folder))
