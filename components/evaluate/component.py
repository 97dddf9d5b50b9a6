"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import TRAINER_IMAGE


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)
def evaluate(store: str, run_id: str, settings: str, examples: str, stage2: str) -> str:
    """Retrieval both ways on held-out speakers, with intervals and a shuffled control."""
    from components.evaluate.main import run

    return run(store=store, run_id=run_id, settings=settings, examples=examples, stage2=stage2)
