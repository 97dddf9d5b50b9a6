"""All checks at once, each with the same deadline: whatever hangs or breaks becomes a finding, and nothing raises."""

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

from clsp.errors import ClspError
from pipelines.doctor.access import RIGHTS, SECRETS, check_rights, check_secrets
from pipelines.doctor.environment import PART as PYTHON
from pipelines.doctor.environment import check_environment
from pipelines.doctor.operators import check_operators
from pipelines.doctor.pools import POOLS, QUOTAS, check_pools, check_quotas
from pipelines.doctor.pulls import PART as IMAGES
from pipelines.doctor.pulls import check_images
from pipelines.doctor.queues import QUEUES, check_queues
from pipelines.doctor.records import Finding, Release, Severity, View, fails, skipped
from pipelines.doctor.services import GRAFANA, KFP, PROMETHEUS, check_grafana, check_kfp, check_prometheus
from pipelines.doctor.storage import PART as STORAGE
from pipelines.doctor.storage import check_storage

Check = Callable[[], list[Finding]]
_OF_CLUSTER = (
    ("operators", check_operators),
    (RIGHTS, check_rights),
    (SECRETS, check_secrets),
    (POOLS, check_pools),
    (QUOTAS, check_quotas),
    (QUEUES, check_queues),
    (IMAGES, check_images),
)


def examine(release: Release, connect: Callable[[], View], seconds: float) -> list[Finding]:
    """Every finding, in the order of the table. ``connect`` gives the cluster, or raises ``ClspError``."""
    checks: dict[str, Check] = {
        PYTHON: check_environment,
        STORAGE: partial(check_storage, release),
        KFP: partial(check_kfp, release),
        PROMETHEUS: partial(check_prometheus, release),
        GRAFANA: partial(check_grafana, release),
    }
    try:
        view = connect()
    except ClspError as error:
        return [*run_all(checks, seconds), _without_cluster(release, error)]
    return run_all(checks | {name: partial(check, view, release) for name, check in _OF_CLUSTER}, seconds)


def run_all(checks: dict[str, Check], seconds: float) -> list[Finding]:
    """The findings of all checks, which run side by side; one that takes too long is left behind."""
    found: dict[str, list[Finding]] = {}
    threads = [
        threading.Thread(target=_run, args=(name, check, found), name=f"doctor-{name}", daemon=True)
        for name, check in checks.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = [fails(name, f"no answer within {seconds:g} s", _LATE) for name in checks if name not in found]
    return [*(finding for name in checks for finding in found.get(name, [])), *late]


_LATE = "look at the network between here and there (a NetworkPolicy, a proxy, a wrong port), or give --deadline more"


def _run(name: str, check: Check, found: dict[str, list[Finding]]) -> None:
    try:
        found[name] = check()
    except ClspError as error:
        found[name] = [fails(name, Exception.__str__(error), error.hint)]
    except Exception as error:  # noqa: BLE001 - a broken check is a finding like any other
        found[name] = [
            fails(name, f"the check broke: {type(error).__name__}: {error}", "report it with clsp doctor --json")
        ]


def _without_cluster(release: Release, error: ClspError) -> Finding:
    if release.cluster.enabled:
        return fails("cluster", Exception.__str__(error), error.hint)
    return skipped("cluster", Exception.__str__(error), error.hint)


def exit_code(findings: Iterable[Finding], *, strict: bool) -> int:
    """2 with an error, 1 with a warning when strict, else 0."""
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return 2
    return 1 if strict and Severity.WARNING in severities else 0
