"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import STEP_IMAGE


@dsl.component(base_image=STEP_IMAGE, install_kfp_package=False)
def verify(store: str, run_id: str, settings: str, cluster: str, segments: str, captions: str) -> str:
    """Rules and a judge check every caption; each rejection names its item."""
    from components.verify.main import run

    return run(store=store, run_id=run_id, settings=settings, cluster=cluster, segments=segments, captions=captions)
