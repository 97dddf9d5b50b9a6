"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import STEP_IMAGE


@dsl.component(base_image=STEP_IMAGE, install_kfp_package=False)
def annotate(store: str, run_id: str, settings: str, cluster: str, segments: str) -> str:
    """A captioner describes every segment in several independent views."""
    from components.annotate.main import run

    return run(store=store, run_id=run_id, settings=settings, cluster=cluster, segments=segments)
