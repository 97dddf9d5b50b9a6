"""What KFP sees of this step: parameters in, the name of a manifest out."""

from kfp import dsl

from components.images import TRAINER_IMAGE


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)
def train_stage1(store: str, run_id: str, settings: str, cluster: str, examples: str) -> str:
    """Stage 1: symmetric InfoNCE on fine captions."""
    from components.train.main import run_stage1

    return run_stage1(store=store, run_id=run_id, settings=settings, cluster=cluster, examples=examples)


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)
def train_stage2(store: str, run_id: str, settings: str, cluster: str, examples: str, stage1: str) -> str:
    """Stage 2: multi-positive InfoNCE under the task scheduler."""
    from components.train.main import run_stage2

    return run_stage2(store=store, run_id=run_id, settings=settings, cluster=cluster, examples=examples, stage1=stage1)
