"""The numbers of a run for programs: ``summary.json`` in the shape of design section 4."""

from pathlib import Path
from typing import Any

import orjson

from clsp.storage import ObjectStore
from components.runner import StepReport
from pipelines.report.gather import read_evaluation, read_model, read_steps
from pipelines.report.outputs import load_outputs


def summary(store: ObjectStore, run_id: str, manifests: dict[str, str]) -> dict[str, Any]:
    """``{"steps", "retrieval", "control", "model"}`` of the run whose steps are the keys of ``manifests``."""
    outputs = load_outputs(store, manifests)
    evaluation, model = read_evaluation(outputs), read_model(outputs)
    return {
        "steps": [_step(report) for report in read_steps(store, run_id, manifests)],
        "retrieval": evaluation.get("retrieval", {}),
        "control": evaluation.get("control", {}),
        "model": {"version": model.version, "uri": model.uri, "sha256": model.sha256},
    }


def write_summary(store: ObjectStore, run_id: str, manifests: dict[str, str], out: Path) -> Path:
    """Write ``summary`` to the file ``out`` and return it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(orjson.dumps(summary(store, run_id, manifests), option=orjson.OPT_INDENT_2))
    return out


def _step(report: StepReport) -> dict[str, Any]:
    """``rejected`` and ``failed`` are totals, so that rows_in = accepted + rejected + failed; reasons stand beside."""
    return {
        "name": report.name,
        "unit": report.unit,
        "rows_in": report.rows_in,
        "accepted": report.accepted,
        "rejected": sum(report.rejected.values()),
        "failed": sum(report.failed.values()),
        "reasons": {**report.rejected, **report.failed},
        "seconds": report.seconds,
        "max_rss_bytes": report.max_rss_bytes,
        "reused": report.reused,
        "manifest": report.manifest,
    }
