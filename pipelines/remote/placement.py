"""Where a KFP runs the pods of steps, and whether their service account is there.

A KFP with several users runs steps in the namespace of the run; one for a single user runs them beside itself, in one
that its API does not tell and that a release's own service account is not part of.
"""

import re

from clsp.config import ClusterSettings, KfpSettings
from pipelines.remote.calls import Calls

_IN_CLUSTER = re.compile(r"^https?://[^./:]+\.([^./:]+)(\.svc[^/:]*)?(:\d+)?/?$")


def misplaced_account(calls: Calls, cluster: ClusterSettings) -> tuple[str, str] | None:
    """Why steps would run without rights or not at all, and what mends it; ``KfpError`` when KFP does not answer."""
    health = calls.read(calls.client._healthz_api.healthz_service_get_healthz)
    return judge_placement(calls.settings, cluster, several_users=bool(getattr(health, "multi_user", False)))


def judge_placement(kfp: KfpSettings, cluster: ClusterSettings, *, several_users: bool) -> tuple[str, str] | None:
    """The same for a KFP whose kind is known."""
    if several_users:
        if not kfp.steps_namespace:
            return None
        says = f"KFP has several users and runs steps in kfp.namespace, not in {kfp.steps_namespace}"
        return says, "leave kfp.steps_namespace (kfp.singleUser.namespace of the chart) empty"
    inside = _IN_CLUSTER.match(kfp.url)
    place = inside[1] if inside else ""
    if kfp.steps_namespace or not (kfp.service_account and cluster.namespace) or place == cluster.namespace:
        return None
    says = (
        f"KFP is for a single user and runs steps in its own namespace{f' {place}' if place else ''}, "
        f"where there is no {kfp.service_account} of {cluster.namespace}"
    )
    mend = (
        f"helm upgrade --reuse-values --set kfp.singleUser.namespace={place or 'NAMESPACE-OF-KFP'}"
        f"{f', and copy the Secret {cluster.store_secret} there' if cluster.store_secret else ''}; "
        f"or, where KFP runs in {cluster.namespace}, set kfp.steps_namespace to that"
    )
    return says, mend
