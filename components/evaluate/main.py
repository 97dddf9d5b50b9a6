"""The evaluate step: examples and a stage-2 model in, retrieval scores with intervals and a control out."""

from clsp.config import EvaluationSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger
from clsp.storage.steps import Outcome, make_recipe
from components.runner import execute, step_entry


@step_entry("evaluate")
def run(*, store: str, run_id: str, settings: str, examples: str, stage2: str) -> str:
    """Evaluate the model of manifest ``stage2`` on ``examples``; returns the name of the evaluation's manifest."""
    chosen = parse_settings(EvaluationSettings, settings)
    recipe = make_recipe("evaluate", chosen.model_dump(mode="json"))

    def body(objects: ObjectStore, ledger: Ledger) -> Outcome:
        from clsp.evaluation.evaluate import evaluate  # torch takes seconds to load

        return evaluate(objects, ledger, chosen, examples, stage2)

    return execute(store, run_id, recipe, (examples, stage2), body)
