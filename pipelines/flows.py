"""The four flows as KFP pipelines: full, data, training, release.

Each ``…_settings`` parameter is the JSON of one section of ``clsp.config.Config``, so a change of one section is a
change of one parameter and KFP's cache sees exactly that.
"""

from kfp import dsl

from pipelines.steps import data_steps, release_steps, training_steps


@dsl.pipeline(name="clsp-full", description="A folder of recordings in, a served speaking-style model out")
def full(
    store: str,
    run_id: str,
    source: str,
    metadata: str,
    ingest_settings: str,
    annotate_settings: str,
    verify_settings: str,
    quality_settings: str,
    features_settings: str,
    train_settings: str,
    evaluation_settings: str,
    register_model_settings: str,
    serve_settings: str,
    cluster_settings: str,
) -> None:
    settings = {
        "ingest": ingest_settings, "annotate": annotate_settings, "verify": verify_settings,
        "quality": quality_settings, "features": features_settings, "train": train_settings,
        "evaluation": evaluation_settings, "register_model": register_model_settings, "serve": serve_settings,
        "cluster": cluster_settings,
    }  # fmt: skip
    examples = data_steps(store=store, run_id=run_id, source=source, metadata=metadata, settings=settings)
    stage2, evaluation = training_steps(store=store, run_id=run_id, examples=examples, settings=settings)
    release_steps(
        store=store, run_id=run_id, examples=examples, stage2=stage2, evaluation=evaluation, settings=settings
    )


@dsl.pipeline(name="clsp-data", description="A folder of recordings in, validated training examples out")
def data(
    store: str,
    run_id: str,
    source: str,
    metadata: str,
    ingest_settings: str,
    annotate_settings: str,
    verify_settings: str,
    quality_settings: str,
    features_settings: str,
    cluster_settings: str,
) -> str:
    settings = {
        "ingest": ingest_settings, "annotate": annotate_settings, "verify": verify_settings,
        "quality": quality_settings, "features": features_settings, "cluster": cluster_settings,
    }  # fmt: skip
    return data_steps(store=store, run_id=run_id, source=source, metadata=metadata, settings=settings)


@dsl.pipeline(name="clsp-training", description="Training examples in, a trained and evaluated model out")
def training(
    store: str, run_id: str, examples: str, train_settings: str, evaluation_settings: str, cluster_settings: str
) -> str:
    settings = {"train": train_settings, "evaluation": evaluation_settings, "cluster": cluster_settings}
    return training_steps(store=store, run_id=run_id, examples=examples, settings=settings)[0]


@dsl.pipeline(name="clsp-release", description="A trained model in, a registered and served version out")
def release(
    store: str,
    run_id: str,
    examples: str,
    stage2: str,
    evaluation: str,
    register_model_settings: str,
    serve_settings: str,
    cluster_settings: str,
) -> str:
    settings = {"register_model": register_model_settings, "serve": serve_settings, "cluster": cluster_settings}
    return release_steps(
        store=store, run_id=run_id, examples=examples, stage2=stage2, evaluation=evaluation, settings=settings
    )


FLOWS = {"full": full, "data": data, "training": training, "release": release}
