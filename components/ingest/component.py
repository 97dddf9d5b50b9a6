"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import STEP_IMAGE


@dsl.component(base_image=STEP_IMAGE, install_kfp_package=False)
def ingest(store: str, run_id: str, settings: str, source: str, metadata: str) -> str:
    """Recordings of any kind become 16 kHz segments of 1 to 30 seconds."""
    from components.ingest.main import run

    return run(store=store, run_id=run_id, settings=settings, source=source, metadata=metadata)
