"""The wiring of the steps: which hand-over feeds which step. Every flow is a composition of these three parts."""

from dataclasses import dataclass
from typing import Any

from components.annotate.component import annotate
from components.evaluate.component import evaluate
from components.features.component import features
from components.ingest.component import ingest
from components.register.component import register
from components.serve.component import serve
from components.train.component import train_stage1, train_stage2
from components.validate.component import validate
from components.verify.component import verify
from pipelines.resources import equip

STEPS = (
    "ingest", "annotate", "verify", "validate", "features",
    "train_stage1", "train_stage2", "evaluate", "register", "serve",
)  # fmt: skip

Channel = Any


@dataclass(frozen=True)
class Parameters:
    """What every step of a flow is given: where the hand-overs are, the run's name, and the sections of settings."""

    store: Channel
    run_id: Channel
    settings: dict[str, Channel]

    def run(self, step: Any, section: str, **inputs: Channel) -> Channel:
        """Add a step to the flow, equipped for a cluster; gives the name of its manifest."""
        task = step(store=self.store, run_id=self.run_id, settings=self.settings[section], **inputs)
        return equip(task, step.name.replace("-", "_")).output

    def run_on_cluster(self, step: Any, section: str, **inputs: Channel) -> Channel:
        """The same for a step that may start work of its own on the cluster."""
        return self.run(step, section, cluster=self.settings["cluster"], **inputs)


def data_steps(given: Parameters, source: Channel, metadata: Channel) -> Channel:
    """[0] raw audio to [5] features; gives the manifest of training examples."""
    segments = given.run(ingest, "ingest", source=source, metadata=metadata)
    captions = given.run_on_cluster(annotate, "annotate", segments=segments)
    verified = given.run_on_cluster(verify, "verify", segments=segments, captions=captions)
    valid = given.run(validate, "quality", segments=segments, captions=captions, verified=verified)
    return given.run(features, "features", examples=valid)


def training_steps(given: Parameters, examples: Channel) -> tuple[Channel, Channel]:
    """[5] features to [8] evaluation; gives the manifests of the trained model and of its evaluation."""
    stage1 = given.run_on_cluster(train_stage1, "train", examples=examples)
    stage2 = given.run_on_cluster(train_stage2, "train", examples=examples, stage1=stage1)
    return stage2, given.run(evaluate, "evaluation", examples=examples, stage2=stage2)


def release_steps(given: Parameters, examples: Channel, stage2: Channel, evaluation: Channel) -> Channel:
    """[8] evaluation to [10] served embeddings; gives the manifest of the registered version."""
    version = given.run(register, "register_model", examples=examples, stage2=stage2, evaluation=evaluation)
    given.run_on_cluster(serve, "serve", version=version)
    return version
