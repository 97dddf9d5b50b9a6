"""The features step: examples in, a selected training set with acoustic measures out."""

from clsp.config import FeatureSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger
from clsp.storage.steps import Outcome, make_recipe
from components.runner import execute, step_entry


@step_entry("features")
def run(*, store: str, run_id: str, settings: str, examples: str) -> str:
    """Measure and select the examples of a manifest; returns the name of the new manifest."""
    chosen = parse_settings(FeatureSettings, settings)
    recipe = make_recipe("features", chosen.model_dump(mode="json", exclude={"workers"}))

    def body(objects: ObjectStore, ledger: Ledger) -> Outcome:
        from components.features.training_set import build_training_set  # the signal library takes a second to load

        return build_training_set(objects, ledger, chosen, examples)

    return execute(store, run_id, recipe, (examples,), body)
