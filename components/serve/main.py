"""The serve step: a registered version in, proof that its server answers as the model does out."""

from clsp.config import ServeSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.steps import Outcome, make_recipe
from components.cluster import run_here
from components.runner import execute, step_entry


@step_entry("serve")
def run(*, store: str, run_id: str, settings: str, version: str, cluster: str = "{}") -> str:
    """Try the version of manifest ``version`` through its own server; returns the manifest with the answer's facts."""
    run_here("serve", cluster)
    chosen = parse_settings(ServeSettings, settings)
    recipe = make_recipe("serve", chosen.model_dump(mode="json", include={"dtype", "name"}))

    def body(objects: ObjectStore, _: object) -> Outcome:
        from components.serve.trial import try_version  # torch takes seconds to load

        return try_version(objects, chosen, version)

    return execute(store, run_id, recipe, (version,), body)
