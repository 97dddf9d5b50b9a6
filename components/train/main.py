"""Both stages of training as steps; what makes a stage's weights is decided here, and made in ``training``."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clsp.config import ClusterSettings, TrainSettings, parse_settings
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Recipe
from clsp.storage.steps import Outcome, make_recipe, step_key
from components.runner import execute, step_entry
from components.train.initial import Initial, fetch_initial

if TYPE_CHECKING:
    from components.train.training import Launcher

STAGES = ("stage1", "stage2")
# They change how a run goes, not what comes out of it (world sizes: but for rounding).
OPERATIONAL = {
    "checkpoint", "grace_seconds", "journal", "loader", "memory", "minutes", "processes", "restarts", "start_seconds",
    "threads", "timeout_seconds",
}  # fmt: skip


@step_entry("train_stage1")
def run_stage1(*, store: str, run_id: str, settings: str, examples: str, cluster: str = "{}") -> str:
    """Train both towers on fine captions; returns the manifest's name."""
    return _run("stage1", store, run_id, settings, cluster, examples)


@step_entry("train_stage2")
def run_stage2(*, store: str, run_id: str, settings: str, examples: str, stage1: str, cluster: str = "{}") -> str:
    """Go on from stage 1 with two captions a clip; returns the manifest's name."""
    return _run("stage2", store, run_id, settings, cluster, examples, stage1)


def _run(stage: str, store: str, run_id: str, settings: str, cluster: str, *parents: str) -> str:
    chosen, where = parse_settings(TrainSettings, settings), parse_settings(ClusterSettings, cluster)
    with tempfile.TemporaryDirectory(prefix="clsp-initial-") as scratch:
        start = fetch_initial(chosen, Path(scratch)) if stage == STAGES[0] else Initial()
        recipe = stage_recipe(stage, chosen, start.hashes)
        prefix = f"checkpoints/{stage}/{step_key(recipe, parents)}"

        def body(opened: ObjectStore, _ledger: Ledger) -> Outcome:
            from components.train.order import make_order  # torch and transformers take seconds to load
            from components.train.training import train, train_here

            order = make_order(opened, stage, chosen, parents, prefix, start)
            return train(opened, order, train_on_cluster(where) if where.enabled else train_here)

        return execute(store, run_id, recipe, parents, body)


def train_on_cluster(settings: ClusterSettings) -> "Launcher":
    """What launches a stage on the cluster of this step."""
    from components.kubernetes.client import connect_release
    from components.train.cluster.launcher import train_on

    return train_on(connect_release(settings), settings)


def stage_recipe(stage: str, settings: TrainSettings, start: Mapping[str, str]) -> Recipe:
    """What decides a stage's weights: its settings, those of the model, and the hashes of what it starts from."""
    apart = {name for name in STAGES if name != stage} | {"initial", "tokenizer"}
    decisive = settings.model_dump(mode="json", exclude=OPERATIONAL | apart)
    return make_recipe(f"train_{stage}", decisive | ({"start": dict(start)} if start else {}))
