"""The validate step: segments, captions and verdicts in, judged examples out, or a stop that says why."""

from clsp.config import QualitySettings, parse_settings
from clsp.storage import ObjectStore, open_store
from clsp.storage.steps import Outcome, make_recipe, step_key
from components.runner import execute, step_entry
from components.validate.series import Acceptance, accept, baseline_of
from data_quality.thresholds import load_thresholds


@step_entry("validate")
def run(*, store: str, run_id: str, settings: str, segments: str, captions: str, verified: str) -> str:
    """Judge what annotate and verify gave and build the examples; returns the name of their manifest.

    Raises QualityError when a rule fails; the Data Docs are then under ``docs/validate/`` of the store.
    """
    chosen = parse_settings(QualitySettings, settings)
    thresholds = load_thresholds(chosen.thresholds)
    limits = {"thresholds": thresholds.model_dump(mode="json"), "max_example_rows": chosen.max_example_rows}
    parents = (segments, captions, verified)
    work = step_key(make_recipe("validate", limits), parents)
    baseline = chosen.baseline or (baseline_of(open_store(store), chosen.dataset, work) if chosen.dataset else "")
    recipe = make_recipe("validate", {**limits, "baseline": baseline})
    documents = f"docs/validate/{step_key(recipe, parents)}"

    def body(objects: ObjectStore, _: object) -> Outcome:
        from components.validate.validation import validate  # Great Expectations takes seconds to load
        from data_quality.gate import Gate

        return validate(objects, Gate(thresholds, chosen.max_example_rows), parents, documents, baseline)

    name = execute(store, run_id, recipe, parents, body)
    if chosen.dataset:
        accept(open_store(store), chosen.dataset, Acceptance(work, name, baseline))
    return name
