"""What the verify step runs: captions in, those that passed and all verdicts out."""

from clsp.captions.checklist import checklist_hash
from clsp.captions.connection import VERIFIER_KEY, Connection
from clsp.captions.sums import Units
from clsp.captions.verify import STEP, Clip, outcome, plan_units, verify_units
from clsp.config import VerifySettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger, UnitResult
from clsp.storage.manifest import load_manifest
from clsp.storage.steps import make_recipe
from components.captioning.step import run_work
from components.captioning.work import Work
from components.runner import step_entry


@step_entry("verify")
def run(*, store: str, run_id: str, settings: str, segments: str, captions: str, cluster: str = "{}") -> str:
    """Judge the captions of a manifest and return the name of the manifest of those that passed."""
    return run_work(make_work(settings, (segments, captions)), store, run_id, cluster)


def make_work(settings: str, parents: tuple[str, ...]) -> Work:
    """The work of this step: ``parents`` holds the manifests of the segments and of their captions."""
    segments, captions = parents
    options = parse_settings(VerifySettings, settings)
    endpoint = options.verifier

    def plan(store: ObjectStore) -> Units[Clip]:
        return plan_units(store, load_manifest(store, segments), load_manifest(store, captions), options)

    def complete(store: ObjectStore, ledger: Ledger, units: Units[Clip], connection: Connection) -> list[UnitResult]:
        return verify_units(store, ledger, units, options, connection)

    return Work(
        recipe=make_recipe(STEP, options.recipe(), model_revision=endpoint.revision, prompt_hash=checklist_hash()),
        settings=settings,
        parents=parents,
        endpoint=endpoint,
        key_variable=VERIFIER_KEY,
        plan=plan,
        complete=complete,
        outcome=outcome,
    )
