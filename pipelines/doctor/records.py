"""What a check finds, and what it is told about the release it looks at."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from clsp.config import ClusterSettings, KfpSettings


class Severity(StrEnum):
    """How bad a finding is; ``SKIPPED`` is a part that this release does not use or that could not be looked at."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One line of the table: which part, how it is, and the one sentence that mends it (empty when nothing must be)."""

    part: str
    severity: Severity
    says: str
    mend: str = ""


def works(part: str, says: str) -> Finding:
    """This part works."""
    return Finding(part, Severity.OK, says)


def skipped(part: str, says: str, mend: str = "") -> Finding:
    """This part is not used, or cannot be seen from here."""
    return Finding(part, Severity.SKIPPED, says, mend)


def warns(part: str, says: str, mend: str) -> Finding:
    """This part may fail later."""
    return Finding(part, Severity.WARNING, says, mend)


def fails(part: str, says: str, mend: str) -> Finding:
    """This part does not work."""
    return Finding(part, Severity.ERROR, says, mend)


@dataclass(frozen=True)
class Uses:
    """Optional parts of the cluster that a release relies on."""

    kserve: bool = False
    canary: bool = False
    kueue: bool = False
    keda: bool = False
    prometheus_operator: bool = False
    grafana: bool = False


@dataclass(frozen=True)
class Release:
    """What is looked at: where data lives, where runs go, what they start, and what the release relies on.

    Attributes:
        steps_account: service account of the steps; empty asks for the rights of whoever runs doctor.
        images: the release's own images by role.
    """

    store: str = ""
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    kfp: KfpSettings = field(default_factory=KfpSettings)
    uses: Uses = Uses()
    steps_account: str = ""
    prometheus: str = ""
    grafana: str = ""
    images: tuple[str, ...] = ()


class View(Protocol):
    """What doctor asks of a cluster; ``components.kubernetes.client.Cluster`` is one."""

    namespace: str

    def read(self, path: str, **query: Any) -> Any | None:
        """What the API answers at ``path``, or None."""

    def review(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The status of a review."""
