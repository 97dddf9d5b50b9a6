"""Queues: does each pool's LocalQueue exist, draw from a ClusterQueue that lets work in, and does Kueue manage it.

Work in a queue that does not exist waits for ever, and nothing else would say so.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from components.kubernetes.requests import ForbiddenError
from pipelines.doctor.operators import KUEUE, served_at
from pipelines.doctor.records import Finding, Release, View, fails, skipped, warns, works

QUEUES = "queues"
TRAINING_FRAMEWORK = {"pytorchjob": "kubeflow.org/pytorchjob", "trainjob": "trainer.kubeflow.org/trainjob"}
_SETTINGS = "/api/v1/namespaces/kueue-system/configmaps/kueue-manager-config"


def check_queues(view: View, release: Release) -> list[Finding]:
    """Every LocalQueue that a pool names, and the kinds of jobs that Kueue manages."""
    cluster = release.cluster
    pools: dict[str, list[str]] = {}
    for name, pool in cluster.pools.items():
        if pool.queue:
            pools.setdefault(pool.queue, []).append(name)
    if not (cluster.enabled and pools):
        return [skipped(QUEUES, "no pool names a queue")]
    version = served_at(view, KUEUE)
    if not version:
        return [skipped(QUEUES, "Kueue is not installed, so pods of these pools would not wait")]
    queues = [_check(view, version, queue, names) for queue, names in pools.items()]
    return [*queues, *_check_frameworks(view, TRAINING_FRAMEWORK[cluster.train.backend])]


def _check(view: View, version: str, name: str, pools: list[str]) -> Finding:
    part, of_pools = f"queue {name}", f"cluster.pools.{pools[0]}.queue"
    folder = f"/apis/{version}/namespaces/{view.namespace}/localqueues"
    try:
        queue = view.read(f"{folder}/{name}")
        there = [item["metadata"]["name"] for item in (view.read(folder) or {"items": []})["items"]]
    except ForbiddenError:
        return skipped(
            part, "this account may not look at queues", "set rbac.create, or run doctor as an administrator"
        )
    if queue is None:
        listed = f" (there is {', '.join(there)})" if there else ""
        return fails(
            part,
            f"there is no LocalQueue {name} in {view.namespace}{listed}: work of pool {pools[0]} would wait for ever",
            f"correct {of_pools}, or make the queue: kueue.createLocalQueue with kueue.clusterQueue does",
        )
    active = _condition(queue, "Active")
    if active.get("status") == "False":
        drawn = queue["spec"]["clusterQueue"]
        return fails(
            part,
            f"it lets nothing in: {active.get('message', active.get('reason', 'not active'))}",
            f"kubectl describe clusterqueue {drawn} says why: it is missing, stopped, or without its ResourceFlavor",
        )
    status = queue.get("status", {})
    counts = f"{status.get('pendingWorkloads', 0)} wait, {status.get('admittedWorkloads', 0)} are let in"
    return works(part, f"draws from {queue['spec']['clusterQueue']}: {counts}")


def _check_frameworks(view: View, training: str) -> Iterator[Finding]:
    """Kueue's defaults leave the training-operator's jobs out: those would start at once, past every quota."""
    try:
        settings = view.read(_SETTINGS) or {}
        managed = yaml.safe_load(settings["data"]["controller_manager_config.yaml"])["integrations"]["frameworks"]
    except (ForbiddenError, KeyError, yaml.YAMLError):
        return  # another account's, or installed another way
    if missing := [name for name in ("batch/job", training) if name not in managed]:
        yield warns(
            QUEUES,
            f"Kueue does not manage {', '.join(missing)}: such work starts without waiting for its quota",
            "add it to integrations.frameworks in Kueue's configuration and restart its controller",
        )


def _condition(queue: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        (one for one in queue.get("status", {}).get("conditions", []) if one["type"] == kind), {}
    )
    return found
