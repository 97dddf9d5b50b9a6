"""What the verify step runs: captions in, those that passed and all verdicts out."""

from clsp.captions.checklist import checklist_hash
from clsp.captions.clip_units import ClipUnits, plan_clips
from clsp.captions.connection import VERIFIER_KEY
from clsp.captions.verify import STEP, outcome, verify_units
from clsp.config import VerifySettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Share
from clsp.storage.manifest import load_manifest
from clsp.storage.steps import make_recipe, step_key
from components.captioning.step import run_work
from components.captioning.work import WHOLE, Work
from components.runner import step_entry


@step_entry("verify")
def run(
    *, store: str, run_id: str, settings: str, segments: str, captions: str, cluster: str = "{}", share: Share = WHOLE
) -> str:
    """Judge the captions of a manifest and return the name of the manifest of those that passed."""
    return run_work(make_work(settings, (segments, captions)), store, run_id, cluster, share)


def make_work(settings: str, parents: tuple[str, ...]) -> Work:
    """The work of this step: ``parents`` holds the manifests of the segments and of their captions."""
    segments, captions = parents
    options = parse_settings(VerifySettings, settings)
    endpoint = options.verifier

    recipe = make_recipe(STEP, options.recipe(), model_revision=endpoint.revision, prompt_hash=checklist_hash())
    plan_key = f"plans/{STEP}/{step_key(recipe, parents)}.json"

    def clips(store: ObjectStore) -> ClipUnits:
        manifests = load_manifest(store, segments), load_manifest(store, captions)
        return plan_clips(store, *manifests, options.captions_per_unit, plan_key)

    return Work(
        recipe=recipe,
        settings=settings,
        parents=parents,
        endpoint=endpoint,
        key_variable=VERIFIER_KEY,
        plan=lambda store: clips(store).units,
        complete=lambda place: verify_units(place, clips(place.store), options),
        outcome=outcome,
    )
