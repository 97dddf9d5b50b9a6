"""What the annotate step runs: segments in, captions out, by an endpoint or the describer that it brings along."""

from clsp.captions.annotate import STEP, annotate
from clsp.captions.connection import CAPTIONER_KEY
from clsp.captions.prompts import prompts_hash
from clsp.config import AnnotateSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import load_manifest
from clsp.storage.steps import Outcome, make_recipe
from components.cluster import run_here
from components.describer.embedded import open_endpoint
from components.runner import execute, step_entry


@step_entry("annotate")
def run(*, store: str, run_id: str, settings: str, segments: str, cluster: str = "{}") -> str:
    """Caption the segments of a manifest and return the name of the captions' manifest."""
    run_here("annotate", cluster)
    options = parse_settings(AnnotateSettings, settings)
    endpoint = options.captioner
    recipe = make_recipe(STEP, options.recipe(), model_revision=endpoint.revision, prompt_hash=prompts_hash())

    def body(objects: ObjectStore, ledger: Ledger) -> Outcome:
        with open_endpoint(endpoint, CAPTIONER_KEY) as connection:
            return annotate(objects, ledger, load_manifest(objects, segments), options, connection)

    return execute(store, run_id, recipe, (segments,), body)
