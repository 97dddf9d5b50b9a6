"""The body of the register step: gather a trained model, its scores and its card into one immutable version."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from clsp.config import RegisterSettings
from clsp.errors import StorageError
from clsp.evaluation import Embedding
from clsp.evaluation.reference import make_reference
from clsp.export import count_parameters
from clsp.hashing import canonical_json
from clsp.model.directory import read_config
from clsp.records import Example, ModelVersion
from clsp.registry import CardFacts, current_alias, move_alias, publish, write_card
from clsp.registry.style_reference import REFERENCE_FILE, StyleReference
from clsp.storage import ObjectStore
from clsp.storage.files import fetch_files
from clsp.storage.manifest import Counts, load_manifest, read_rows
from clsp.storage.steps import Outcome

# Each failed try means that another mover succeeded; this many in a row is not a race any more.
_TRIES = 20


def register_version(
    store: ObjectStore, settings: RegisterSettings, examples: str, model: str, evaluation: str
) -> Outcome:
    """Publish the model of manifest ``model`` and move the alias to it; the info is its ``ModelVersion``.

    The ``uri`` in the info is relative to the store, so that the manifest is the same wherever the store is.
    """
    rows = list(read_rows(store, load_manifest(store, examples), "examples", Example))
    scores = dict(load_manifest(store, evaluation).info)
    manifests = {"examples": examples, "model": model, "evaluation": evaluation}
    with tempfile.TemporaryDirectory() as scratch:
        folder = fetch_files(store, load_manifest(store, model).shards, Path(scratch))
        (folder / "evaluation.json").write_bytes(canonical_json(scores))
        if reference := _style_reference(store, evaluation):
            (folder / REFERENCE_FILE).write_bytes(canonical_json(asdict(reference)))
        (folder / "README.md").write_text(write_card(_facts(settings.name, folder, rows, scores)))
        version = publish(store, settings.name, folder, licences=_by(row.licence for row in rows), manifests=manifests)
    point_alias(store, settings.name, settings.alias, version.version)
    return Outcome("", (), Counts(unit="versions", rows_in=1, accepted=1), _relative(store, version))


def _style_reference(store: ObjectStore, evaluation: str) -> StyleReference | None:
    """What style scores of this version are compared with: the cosines of its held-out clips."""
    return make_reference(list(read_rows(store, load_manifest(store, evaluation), "embeddings", Embedding)))


def point_alias(store: ObjectStore, name: str, alias: str, version: str) -> None:
    """Move an alias wherever it points now; ``StorageError`` when others keep moving it."""
    for _ in range(_TRIES):
        current = current_alias(store, name, alias)
        if current == version or move_alias(store, name, alias, version, expected=current):
            return
    raise StorageError(f"alias {alias!r} of {name!r} is moved all the time", hint="find out who else registers models")


def _relative(store: ObjectStore, version: ModelVersion) -> dict[str, JsonValue]:
    return {**asdict(version), "uri": version.uri.removeprefix(f"{store.uri}/")}


def _facts(name: str, folder: Path, rows: Sequence[Example], scores: Mapping[str, Any]) -> CardFacts:
    by_split: dict[str, list[Example]] = {}
    for row in rows:
        by_split.setdefault(row.split, []).append(row)
    return CardFacts(
        name=name,
        parameters=count_parameters(folder),
        embedding_dim=read_config(folder).embedding_dim,
        clips={split: len(group) for split, group in by_split.items()},
        hours={split: sum(row.duration_s for row in group) / 3600 for split, group in by_split.items()},
        speakers={split: len({row.speaker for row in group}) for split, group in by_split.items()},
        licences=_by(row.licence for row in rows),
        languages=_by(row.language for row in rows),
        retrieval=scores.get("retrieval", {}),
        control=scores.get("control", {}),
    )


def _by(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
