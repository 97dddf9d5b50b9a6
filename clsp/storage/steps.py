"""Running a step: once for each recipe and parents, from where it stopped, with sums that add up.

A step's key is the hash of its recipe and parents. When an output was committed under the key, running again does
nothing and says so; otherwise the body runs over the step's ledger and its manifest is committed by put-if-absent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import JsonValue

from clsp.hashing import canonical_json, digest_of
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Counts, Manifest, Recipe, Shard, load_manifest, save_manifest
from clsp.storage.objects import ObjectStore
from clsp.version import __version__


@dataclass(frozen=True)
class Outcome:
    """What the body of a step hands back. ``record`` is the kind whose rows ``counts.accepted`` counts ('' if none)."""

    record: str
    shards: tuple[Shard, ...]
    counts: Counts
    info: Mapping[str, JsonValue]


@dataclass(frozen=True)
class StepResult:
    """A committed manifest, its name, and whether an earlier run had already made it."""

    manifest: Manifest
    name: str
    reused: bool


def make_recipe(step: str, settings: Mapping[str, Any], **identity: str) -> Recipe:
    """Recipe of this code version; ``identity`` may give ``model_revision`` and ``prompt_hash``."""
    return Recipe(step=step, settings=dict(settings), code=__version__, **identity)


def step_key(recipe: Recipe, parents: tuple[str, ...]) -> str:
    """The hash that says whether two runs of a step are the same work."""
    return digest_of({"recipe": recipe.model_dump(mode="json"), "parents": parents})


def find_output(store: ObjectStore, recipe: Recipe, parents: tuple[str, ...]) -> StepResult | None:
    """The manifest an earlier run committed for this recipe and these parents, if any."""
    pointer = _pointer(recipe.step, step_key(recipe, parents))
    if not store.exists(pointer):
        return None
    name = orjson.loads(store.get(pointer))["manifest"]
    return StepResult(load_manifest(store, name), name, reused=True)


def run_step(
    store: ObjectStore, recipe: Recipe, parents: tuple[str, ...], body: Callable[[Ledger], Outcome]
) -> StepResult:
    """Give the output of a step: the committed one, or that of ``body`` run over the step's ledger."""
    if found := find_output(store, recipe, parents):
        return found
    key = step_key(recipe, parents)
    outcome = body(Ledger(store, recipe.step, key))
    manifest = Manifest(
        record=outcome.record,
        recipe=recipe,
        parents=parents,
        shards=outcome.shards,
        counts=outcome.counts,
        info=dict(outcome.info),
    )
    name = save_manifest(store, manifest)
    if store.put_if_absent(_pointer(recipe.step, key), canonical_json({"manifest": name})):
        return StepResult(manifest, name, reused=False)
    found = find_output(store, recipe, parents)
    return found or StepResult(manifest, name, reused=False)


def done_as(store: ObjectStore, manifest: str, step: str = "") -> list[tuple[str, str]]:
    """The steps (or that one), each with its key, whose record says that they gave this manifest."""
    records = list(store.list(f"steps/{step}/" if step else "steps/"))
    pointers = [record for record in records if orjson.loads(store.get(record))["manifest"] == manifest]
    return [(name, key.removesuffix(".json")) for _, name, key in (pointer.split("/") for pointer in pointers)]


def forget_step(store: ObjectStore, step: str, key: str) -> None:
    """Have the step done again over what its ledger still holds."""
    store.delete(_pointer(step, key))


def _pointer(step: str, key: str) -> str:
    return f"steps/{step}/{key}.json"
