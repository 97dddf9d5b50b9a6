"""Why a step of a run worked or was reused: which input differed from the run of that step before it.

Everything is in the manifests: the recipe (settings, code, model revision, prompts) and the parents. Nothing that is
not in them can make a step work again, so a difference found here is the reason and not a guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clsp.errors import ConfigError
from clsp.storage import ObjectStore
from clsp.storage.manifest import Manifest, load_manifest
from components.runner import StepReport, read_runs
from pipelines.steps import STEPS

_SHOWN = 12  # digits of a hash


@dataclass(frozen=True)
class Difference:
    """One input that differs: a field of the recipe, or a parent by the step that made it."""

    what: str
    before: Any
    now: Any


@dataclass(frozen=True)
class Explanation:
    """Why a step worked (or did not have to), and the run that it is compared with ('' when it was the first)."""

    step: str
    reused: bool
    compared_with: str
    reason: str
    differences: tuple[Difference, ...] = ()


def explain_run(store: ObjectStore, run_id: str, step: str = "") -> list[Explanation]:
    """Explain every step of a run, or one, in flow order; ``ConfigError`` for a run or step that left no report."""
    runs = read_runs(store)
    reports = runs.get(run_id, {})
    steps = [name for name in STEPS if name in reports and step in {"", name}]
    if not steps:
        what = f"step {step!r} of run {run_id!r}" if step else f"run {run_id!r}"
        raise ConfigError(
            f"{what} left no report in {store.uri}", hint=f"list runs: clsp runs list --store {store.uri}"
        )
    return [_explain(store, runs, run_id, name) for name in steps]


def _explain(store: ObjectStore, runs: dict[str, dict[str, StepReport]], run_id: str, step: str) -> Explanation:
    report = runs[run_id][step]
    earlier = _earlier(runs, run_id, step)
    now = load_manifest(store, report.manifest)
    if report.reused:
        made_by = next((name for name, other in reversed(earlier) if other.manifest == report.manifest), "")
        return Explanation(step, True, made_by, f"same recipe and parents as {_work_of(made_by)}")
    if not earlier:
        return Explanation(step, False, "", "no earlier run of this step in this store")
    before, other = earlier[0]
    differences = tuple(compare(store, load_manifest(store, other.manifest), now))
    reason = f"{len(differences)} of its inputs differ" if differences else "its output was no longer in the store"
    return Explanation(step, False, before, reason, differences)


def _work_of(run: str) -> str:
    return f"in run {run}, which did the work" if run else "work that was done before"


def _earlier(runs: dict[str, dict[str, StepReport]], run_id: str, step: str) -> list[tuple[str, StepReport]]:
    """Runs of a step before this one, nearest first."""
    order = sorted(
        ((reports[step].ended_at, name, reports[step]) for name, reports in runs.items() if step in reports),
        key=lambda item: item[:2],
    )
    here = next(place for place, item in enumerate(order) if item[1] == run_id)
    return [(name, report) for _, name, report in reversed(order[:here])]


def compare(store: ObjectStore, before: Manifest, now: Manifest) -> Iterator[Difference]:
    """Every input in which two manifests of one step differ: fields of the recipe first, then parents."""
    for inputs in (_recipe_fields, lambda manifest: _parents(store, manifest)):
        old, new = inputs(before), inputs(now)
        for what in sorted(old.keys() | new.keys()):
            if old.get(what) != new.get(what):
                yield Difference(what, old.get(what), new.get(what))


def _recipe_fields(manifest: Manifest) -> dict[str, Any]:
    return dict(_flat(manifest.recipe.model_dump(mode="json", exclude={"step"}), ""))


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _parents(store: ObjectStore, manifest: Manifest) -> dict[str, Any]:
    return {f"parent {load_manifest(store, name).recipe.step}": name for name in manifest.parents}


def in_words(explanation: Explanation) -> list[str]:
    """An explanation as lines for a person."""
    verb = "reused" if explanation.reused else "ran"
    against = f" from run {explanation.compared_with}" if explanation.differences else ""
    lines = [f"{explanation.step:<13} {verb}: {explanation.reason}{against}"]
    return lines + [f"  {item.what}: {_short(item.before)} → {_short(item.now)}" for item in explanation.differences]


def _short(value: Any) -> str:
    text = str(value)
    is_hash = len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
    return text[:_SHOWN] if is_hash else text
