"""The register step: a trained and evaluated model in, an immutable version and a moved alias out."""

from clsp.config import RegisterSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.steps import Outcome, make_recipe
from components.runner import execute, step_entry


@step_entry("register")
def run(*, store: str, run_id: str, settings: str, examples: str, stage2: str, evaluation: str) -> str:
    """Register the model of manifest ``stage2``; returns the name of the manifest that says which version it is."""
    chosen = parse_settings(RegisterSettings, settings)
    recipe, parents = make_recipe("register", chosen.model_dump(mode="json")), (examples, stage2, evaluation)

    def body(objects: ObjectStore, _: object) -> Outcome:
        from components.register.version import register_version  # torch takes seconds to load

        return register_version(objects, chosen, *parents)

    return execute(store, run_id, recipe, parents, body)
