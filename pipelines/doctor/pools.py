"""Pools and quotas: is there a node for each kind of work, with enough GPUs, and does the namespace allow it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clsp.config import ClusterSettings, Pool
from components.kubernetes.requests import ForbiddenError
from pipelines.doctor.records import Finding, Release, View, fails, skipped, warns, works

POOLS, QUOTAS = "pools", "quotas"
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_DECIMAL = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Work:
    """GPUs that one kind of work asks for: of one pod, and of all its pods at once."""

    name: str
    pool: str
    gpus_per_pod: int
    pods: int
    setting: str

    @property
    def gpus(self) -> int:
        return self.gpus_per_pod * self.pods


def works_of(cluster: ClusterSettings) -> list[Work]:
    """The kinds of work that steps start."""
    return [
        Work("annotate", cluster.annotate.pool, cluster.annotate.engine.gpus, cluster.annotate.workers, "workers"),
        Work("verify", cluster.verify.pool, cluster.verify.engine.gpus, cluster.verify.workers, "workers"),
        Work("train", cluster.train.pool, cluster.train.size.gpus, cluster.train.max_nodes, "max_nodes"),
        Work("serve", cluster.serve.pool, cluster.serve.size.gpus, cluster.serve.max_replicas, "max_replicas"),
    ]


def check_pools(view: View, release: Release) -> list[Finding]:
    """Every pool that some work refers to."""
    if not release.cluster.enabled:
        return [skipped(POOLS, "cluster.enabled is false: steps do their work themselves")]
    try:
        nodes = (view.read("/api/v1/nodes") or {"items": []})["items"]
    except ForbiddenError:
        mend = "set rbac.clusterRead to true, or run clsp doctor with an administrator's context"
        return [skipped(POOLS, "this account may not look at nodes", mend)]
    wanted = {work.pool for work in works_of(release.cluster)}
    return [finding for name in sorted(wanted) for finding in _check_pool(nodes, release.cluster, name)]


def _check_pool(nodes: list[Any], cluster: ClusterSettings, name: str) -> Iterator[Finding]:
    pool, part = cluster.pools[name], f"pool {name}"
    labelled = [node for node in nodes if _has_labels(node, pool)]
    if not labelled:
        asked = ", ".join(f"{key} in ({', '.join(values)})" for key, values in pool.node_labels.items())
        yield warns(
            part,
            f"no node has {asked or 'joined the cluster'}",
            f"set cluster.pools.{name}.node_labels to labels that your nodes carry, unless nodes are added on demand",
        )
        return
    usable = [node for node in labelled if _accepts(node, pool)]
    if not usable:
        yield fails(
            part,
            f"{len(labelled)} nodes match, and none takes our pods: {_why_not(labelled[0], pool)}",
            f"add the taint to cluster.pools.{name}.tolerations, or make the nodes ready",
        )
        return
    most = max(gpus_of(node, pool) for node in usable)
    for work in works_of(cluster):
        if work.pool == name and pool.gpu_resource and work.gpus_per_pod > most:
            yield fails(
                part,
                f"a pod of {work.name} asks for {work.gpus_per_pod} {pool.gpu_resource}, a node has {most}",
                f"lower the gpus of cluster.{work.name}, or use a pool whose nodes have as many",
            )
            return
    gpus = f", {sum(gpus_of(node, pool) for node in usable)} {pool.gpu_resource}" if pool.gpu_resource else ""
    yield works(part, f"{len(usable)} nodes{gpus}")


def _has_labels(node: Any, pool: Pool) -> bool:
    labels = node["metadata"].get("labels", {})
    return all(labels.get(key) in values for key, values in pool.node_labels.items())


def _accepts(node: Any, pool: Pool) -> bool:
    return not node["spec"].get("unschedulable") and _is_ready(node) and not _untolerated(node, pool)


def _is_ready(node: Any) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _untolerated(node: Any, pool: Pool) -> list[str]:
    taints = [taint for taint in node["spec"].get("taints", []) if taint["effect"] != "PreferNoSchedule"]
    return [taint["key"] for taint in taints if not any(_tolerates(item, taint) for item in pool.tolerations)]


def _tolerates(toleration: Any, taint: Any) -> bool:
    if toleration.effect and toleration.effect != taint["effect"]:
        return False
    if not toleration.key:
        return bool(toleration.operator == "Exists")
    same = toleration.operator == "Exists" or toleration.value == taint.get("value", "")
    return bool(toleration.key == taint["key"] and same)


def _why_not(node: Any, pool: Pool) -> str:
    if taints := _untolerated(node, pool):
        return f"taint {taints[0]}"
    return "it is cordoned" if node["spec"].get("unschedulable") else "it is not ready"


def gpus_of(node: Any, pool: Pool) -> int:
    """GPUs that pods may have on the node."""
    return int(node.get("status", {}).get("allocatable", {}).get(pool.gpu_resource, 0))


def check_quotas(view: View, release: Release) -> list[Finding]:
    """Does each quota of the namespace leave room for the pods of one training and one annotation."""
    quotas = (view.read(f"/api/v1/namespaces/{view.namespace}/resourcequotas") or {"items": []})["items"]
    if not quotas:
        return [works(QUOTAS, f"namespace {view.namespace} has none")]
    found = [finding for quota in quotas for finding in _check_quota(quota, release.cluster)]
    return found or [works(QUOTAS, f"{len(quotas)} leave room for each kind of work")]


def _check_quota(quota: Any, cluster: ClusterSettings) -> Iterator[Finding]:
    hard, used = quota.get("status", {}).get("hard", {}), quota.get("status", {}).get("used", {})
    for work in works_of(cluster):
        resource = cluster.pools[work.pool].gpu_resource
        for limited, needed in ((f"requests.{resource}", work.gpus if resource else 0), ("pods", work.pods)):
            if limited in hard and (left := quantity(hard[limited]) - quantity(used.get(limited, "0"))) < needed:
                yield warns(
                    QUOTAS,
                    f"{quota['metadata']['name']} leaves {left:g} of {limited}; {work.name} asks for {needed}",
                    f"raise the quota, or lower cluster.{work.name}.{work.setting}",
                )


def quantity(text: str) -> float:
    """A Kubernetes quantity as a number, such as ``"1500m"`` → 1.5 and ``"2Gi"`` → 2147483648."""
    for suffix, factor in (_BINARY | _DECIMAL).items():
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)
