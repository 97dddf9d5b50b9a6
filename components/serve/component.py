"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import EMBEDDER_IMAGE


@dsl.component(base_image=EMBEDDER_IMAGE, install_kfp_package=False)
def serve(store: str, run_id: str, settings: str, cluster: str, version: str) -> str:
    """The registered version answers a real embedding through its own server."""
    from components.serve.main import run

    return run(store=store, run_id=run_id, settings=settings, cluster=cluster, version=version)
