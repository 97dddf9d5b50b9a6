"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import STEP_IMAGE


@dsl.component(base_image=STEP_IMAGE, install_kfp_package=False)
def features(store: str, run_id: str, settings: str, examples: str) -> str:
    """Feast holds what a training set is selected by; a historical join selects it."""
    from components.features.main import run

    return run(store=store, run_id=run_id, settings=settings, examples=examples)
