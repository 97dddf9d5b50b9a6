"""What the annotate step runs: segments in, captions out, by an endpoint or the describer that it brings along."""

from clsp.captions.annotate import STEP, annotate_units, outcome, plan_units
from clsp.captions.connection import CAPTIONER_KEY
from clsp.captions.prompts import prompts_hash
from clsp.captions.units import Units, Workplace
from clsp.config import AnnotateSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Share
from clsp.storage.manifest import load_manifest
from clsp.storage.steps import make_recipe
from components.captioning.step import run_work
from components.captioning.work import WHOLE, Work
from components.runner import step_entry


@step_entry("annotate")
def run(*, store: str, run_id: str, settings: str, segments: str, cluster: str = "{}", share: Share = WHOLE) -> str:
    """Caption the segments of a manifest and return the name of the captions' manifest."""
    return run_work(make_work(settings, (segments,)), store, run_id, cluster, share)


def make_work(settings: str, parents: tuple[str, ...]) -> Work:
    """The work of this step: ``parents`` holds the segments' manifest."""
    (segments,) = parents
    options = parse_settings(AnnotateSettings, settings)
    endpoint = options.captioner

    def plan(store: ObjectStore) -> Units:
        return plan_units(load_manifest(store, segments), options)

    def complete(place: Workplace) -> None:
        manifest = load_manifest(place.store, segments)
        annotate_units(place, manifest, plan_units(manifest, options), options)

    return Work(
        recipe=make_recipe(
            STEP, options.recipe(), model_revision=endpoint.revision, prompt_hash=prompts_hash(options.captioner_hears)
        ),
        settings=settings,
        parents=parents,
        endpoint=endpoint,
        key_variable=CAPTIONER_KEY,
        plan=plan,
        complete=complete,
        outcome=lambda results: outcome(results, options.captioner_hears),
    )
