"""The report of a run: one HTML file that needs nothing beside it, and its numbers as ``summary.json``.

Data gathering (store → typed views) and drawing (views → HTML) are apart, so either can be tested without the other.
"""

from pathlib import Path

from clsp.storage import ObjectStore
from pipelines.report.gather import gather
from pipelines.report.page import render
from pipelines.report.summary import summary, write_summary

__all__ = ["build_report", "summary", "write_summary"]


def build_report(store: ObjectStore, run_id: str, manifests: dict[str, str], out: Path) -> Path:
    """Write the report of run ``run_id`` to the file ``out``; ``manifests`` maps its steps, in flow order, to names.

    Sections whose steps did not run are left out. ``StorageError`` or ``DataError`` when a manifest cannot be read.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render(gather(store, run_id, manifests)), encoding="utf-8")
    return out
