"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import STEP_IMAGE


@dsl.component(base_image=STEP_IMAGE, install_kfp_package=False)
def validate(store: str, run_id: str, settings: str, segments: str, captions: str, verified: str) -> str:
    """Great Expectations guards the whole; segments and captions become examples."""
    from components.validate.main import run

    return run(store=store, run_id=run_id, settings=settings, segments=segments, captions=captions, verified=verified)
