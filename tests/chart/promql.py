"""Which metrics a PromQL expression reads, and which exist: ours by asking the code, others by what they document."""

import re
from pathlib import Path

from prometheus_client import REGISTRY

import clsp.metrics  # noqa: F401
import pipelines.remote.watching  # noqa: F401
import serving.metrics  # noqa: F401  importing them registers what our code exports

UPSTREAM = frozenset(
    line for line in (Path(__file__).parent / "upstream_metrics.txt").read_text().splitlines() if line[:1] != "#"
)
_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan"})


def exported() -> frozenset[str]:
    """Names of the series that our own code exports."""
    names: set[str] = set()
    for metric in REGISTRY.collect():
        if metric.name.startswith("clsp_"):
            names |= {
                "counter": {f"{metric.name}_total"},
                "gauge": {metric.name},
                "histogram": {f"{metric.name}_{end}" for end in ("bucket", "sum", "count")},
            }[metric.type]
    return frozenset(names)


def metrics_of(query: str) -> frozenset[str]:
    """Names of the series that a query reads."""
    bare = re.sub(r"\{[^{}]*\}", "", re.sub(r"\"(?:[^\"\\]|\\.)*\"", "", query))
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    names = re.findall(r"(?<![\w:$.])([a-zA-Z_:][\w:]*)(?![\w:]|\s*\()", bare)
    return frozenset(name for name in names if name.lower() not in _WORDS)
