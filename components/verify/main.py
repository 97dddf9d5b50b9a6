"""What the verify step runs: captions in, those that passed and all verdicts out."""

from clsp.captions.checklist import checklist_hash
from clsp.captions.connection import VERIFIER_KEY
from clsp.captions.verify import STEP, verify
from clsp.config import VerifySettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import load_manifest
from clsp.storage.steps import Outcome, make_recipe
from components.cluster import run_here
from components.describer.embedded import open_endpoint
from components.runner import execute, step_entry


@step_entry("verify")
def run(*, store: str, run_id: str, settings: str, segments: str, captions: str, cluster: str = "{}") -> str:
    """Judge the captions of a manifest and return the name of the manifest of those that passed."""
    run_here("verify", cluster)
    options = parse_settings(VerifySettings, settings)
    endpoint = options.verifier
    recipe = make_recipe(STEP, options.recipe(), model_revision=endpoint.revision, prompt_hash=checklist_hash())

    def body(objects: ObjectStore, ledger: Ledger) -> Outcome:
        parents = load_manifest(objects, segments), load_manifest(objects, captions)
        with open_endpoint(endpoint, VERIFIER_KEY) as connection:
            return verify(objects, ledger, *parents, options, connection)

    return execute(store, run_id, recipe, (segments, captions), body)
