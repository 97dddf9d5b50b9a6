"""The evaluate step: examples and a stage-2 model in, retrieval scores with intervals and a control out."""

from clsp.config import EvaluationSettings, parse_settings
from clsp.evaluation.evaluate import evaluate
from clsp.storage.steps import make_recipe
from components.runner import execute, step_entry


@step_entry("evaluate")
def run(*, store: str, run_id: str, settings: str, examples: str, stage2: str) -> str:
    """Evaluate the model of manifest ``stage2`` on ``examples``; returns the name of the evaluation's manifest."""
    chosen = parse_settings(EvaluationSettings, settings)
    recipe = make_recipe("evaluate", chosen.model_dump(mode="json"))
    return execute(
        store,
        run_id,
        recipe,
        (examples, stage2),
        lambda objects, ledger: evaluate(objects, ledger, chosen, examples, stage2),
    )
