"""The four flows as KFP pipelines: full, data, training, release.

Each ``…_settings`` parameter is the JSON of one section of ``clsp.config.Config``, so a change of one section is a
change of one parameter and KFP's cache sees exactly that.
"""

from kfp import dsl

from pipelines.steps import Parameters, data_steps, release_steps, training_steps


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
    given = Parameters(store, run_id, settings)
    examples = data_steps(given, source, metadata)
    stage2, evaluation = training_steps(given, examples)
    release_steps(given, examples, stage2, evaluation)


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
    return data_steps(Parameters(store, run_id, settings), source, metadata)


@dsl.pipeline(name="clsp-training", description="Training examples in, a trained and evaluated model out")
def training(
    store: str, run_id: str, examples: str, train_settings: str, evaluation_settings: str, cluster_settings: str
) -> str:
    settings = {"train": train_settings, "evaluation": evaluation_settings, "cluster": cluster_settings}
    return training_steps(Parameters(store, run_id, settings), examples)[0]


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
    return release_steps(Parameters(store, run_id, settings), examples, stage2, evaluation)


FLOWS = {"full": full, "data": data, "training": training, "release": release}
