"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import TRAINER_IMAGE


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)
def register(store: str, run_id: str, settings: str, examples: str, stage2: str, evaluation: str) -> str:
    """An immutable model version, and an alias that moves by compare-and-swap."""
    from components.register.main import run

    return run(store=store, run_id=run_id, settings=settings, examples=examples, stage2=stage2, evaluation=evaluation)
