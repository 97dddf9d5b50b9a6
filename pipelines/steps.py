"""The wiring of the steps: which hand-over feeds which step. Every flow is a composition of these three parts."""

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

STEPS = (
    "ingest", "annotate", "verify", "validate", "features",
    "train_stage1", "train_stage2", "evaluate", "register", "serve",
)  # fmt: skip

Channel = Any


def data_steps(
    *,
    store: Channel,
    run_id: Channel,
    source: Channel,
    metadata: Channel,
    settings: dict[str, Channel],
) -> Channel:
    """[0] raw audio to [5] features; gives the manifest of training examples."""
    common = {"store": store, "run_id": run_id}
    segments = ingest(**common, settings=settings["ingest"], source=source, metadata=metadata).output
    captions = annotate(**common, settings=settings["annotate"], cluster=settings["cluster"], segments=segments).output
    verified = verify(
        **common, settings=settings["verify"], cluster=settings["cluster"], segments=segments, captions=captions
    ).output
    valid = validate(
        **common, settings=settings["quality"], segments=segments, captions=captions, verified=verified
    ).output
    return features(**common, settings=settings["features"], examples=valid).output


def training_steps(
    *, store: Channel, run_id: Channel, examples: Channel, settings: dict[str, Channel]
) -> tuple[Channel, Channel]:
    """[5] features to [8] evaluation; gives the manifests of the trained model and of its evaluation."""
    common = {"store": store, "run_id": run_id}
    stage1 = train_stage1(**common, settings=settings["train"], cluster=settings["cluster"], examples=examples).output
    stage2 = train_stage2(
        **common, settings=settings["train"], cluster=settings["cluster"], examples=examples, stage1=stage1
    ).output
    evaluation = evaluate(**common, settings=settings["evaluation"], examples=examples, stage2=stage2).output
    return stage2, evaluation


def release_steps(
    *,
    store: Channel,
    run_id: Channel,
    examples: Channel,
    stage2: Channel,
    evaluation: Channel,
    settings: dict[str, Channel],
) -> Channel:
    """[8] evaluation to [10] served embeddings; gives the manifest of the registered version."""
    common = {"store": store, "run_id": run_id}
    version = register(
        **common, settings=settings["register_model"], examples=examples, stage2=stage2, evaluation=evaluation
    ).output
    serve(**common, settings=settings["serve"], cluster=settings["cluster"], version=version)
    return version
