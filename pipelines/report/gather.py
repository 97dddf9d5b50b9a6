"""Everything the report shows about a run, read from its manifests and its step reports."""

from typing import Any

from clsp.storage import ObjectStore
from components.runner import StepReport, read_reports, read_work
from pipelines.report.acoustics import read_distributions
from pipelines.report.clips import read_clips
from pipelines.report.curves import read_stages
from pipelines.report.outputs import Outputs, load_outputs
from pipelines.report.similarity import read_similarity
from pipelines.report.views import ModelView, OriginView, ReportView, ScoreView


def gather(store: ObjectStore, run_id: str, manifests: dict[str, str]) -> ReportView:
    """The report of run ``run_id``, whose steps are the keys of ``manifests`` in flow order."""
    outputs = load_outputs(store, manifests)
    evaluation = read_evaluation(outputs)
    steps = read_steps(store, run_id, manifests)
    return ReportView(
        run_id=run_id,
        steps=steps,
        work=tuple(read_work(store, step) for step in steps),
        quality=read_quality(outputs),
        clips=read_clips(outputs),
        stages=read_stages(outputs),
        scores=_scores(evaluation),
        held_out=_held_out(evaluation),
        confidence=float(evaluation.get("confidence", 0.0)),
        similarity=read_similarity(outputs),
        distributions=read_distributions(outputs),
        model=read_model(outputs),
        origins=_origins(outputs),
    )


def read_steps(store: ObjectStore, run_id: str, manifests: dict[str, str]) -> tuple[StepReport, ...]:
    """Reports of the run's steps in flow order."""
    reports = read_reports(store, run_id)
    return tuple(reports[step] for step in manifests if step in reports)


def read_evaluation(outputs: Outputs) -> dict[str, Any]:
    """The info of the evaluation ({} when none ran)."""
    found = [manifest.info for manifest in outputs.manifests.values() if "retrieval" in manifest.info]
    return dict(found[-1]) if found else {}


def read_model(outputs: Outputs) -> ModelView:
    """The registered version."""
    infos = (manifest.info for manifest in outputs.manifests.values())
    info: dict[str, Any] = next((dict(info) for info in infos if {"version", "uri", "sha256"} <= set(info)), {})
    return ModelView(*(str(info.get(name, "")) for name in ("name", "version", "uri", "sha256")))


def read_quality(outputs: Outputs) -> str:
    """How many rules the data keeps, and what its drift was judged against."""
    infos = [manifest.info for manifest in outputs.manifests.values() if "rules" in manifest.info]
    return " ".join(f"The data keeps all {info['rules']} rules. {info.get('drift', '')}".strip() for info in infos)


def _scores(evaluation: dict[str, Any]) -> tuple[ScoreView, ...]:
    return tuple(
        _score(kind, direction, values, evaluation["control"][kind][direction])
        for kind, directions in evaluation.get("retrieval", {}).items()
        for direction, values in directions.items()
    )


def _score(kind: str, direction: str, values: dict[str, Any], control: dict[str, Any]) -> ScoreView:
    shuffled = {"control": control["r1"], "control_low": control["r1_low"], "control_high": control["r1_high"]}
    return ScoreView(kind=kind, direction=direction, **values, **shuffled)


def _held_out(evaluation: dict[str, Any]) -> str:
    if not evaluation:
        return ""
    voices = "1 voice" if evaluation["speakers"] == 1 else f"{evaluation['speakers']:,} voices"
    return f"{evaluation['clips']:,} clips of {voices} in the {evaluation['split']} split"


def _origins(outputs: Outputs) -> tuple[OriginView, ...]:
    return tuple(
        OriginView(
            step=step,
            manifest=outputs.names[step],
            recipe=" · ".join(
                part for part in (manifest.recipe.model_revision, manifest.recipe.prompt_hash[:12]) if part
            ),
            code=manifest.recipe.code,
            shards=len(manifest.shards),
            bytes=sum(shard.bytes for shard in manifest.shards),
        )
        for step, manifest in outputs.manifests.items()
    )
