"""Rights and secrets: may the steps' account do what steps do, and do the secrets hold the keys that pods are given."""

from collections.abc import Iterator
from typing import Any

from components.kubernetes.requests import ForbiddenError
from pipelines.doctor.records import Finding, Release, View, fails, skipped, warns, works

RIGHTS, SECRETS = "rights", "secret"
STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_OWN = ("create", "patch", "get", "list", "watch", "delete")
_READ = ("get", "list", "watch")
_REVIEWS = "/apis/authorization.k8s.io/v1"
_TRAINING = {"pytorchjob": ("kubeflow.org", "pytorchjobs"), "trainjob": ("trainer.kubeflow.org", "trainjobs")}


def rights_of(release: Release) -> dict[tuple[str, str], tuple[str, ...]]:
    """(API group, resource, or resource/subresource or resource=name) → verbs that steps use."""
    owner = release.cluster.owner
    return {
        **({("", f"configmaps={owner}"): ("get",)} if owner else {}),
        ("batch", "jobs"): _OWN,
        ("apps", "deployments"): _OWN,
        ("", "services"): _OWN,
        ("policy", "poddisruptionbudgets"): _OWN,
        _TRAINING[release.cluster.train.backend]: _OWN,
        ("serving.kserve.io", "inferenceservices"): _OWN,
        ("", "pods"): _READ,
        ("", "pods/log"): ("get",),
    }


def check_rights(view: View, release: Release) -> list[Finding]:
    """Every right that steps use, asked of the API itself, for the steps' account or for this one."""
    if not release.cluster.enabled:
        return [skipped(RIGHTS, "cluster.enabled is false: steps start nothing")]
    who = release.steps_account or "this account"
    wanted = rights_of(release)
    try:
        missing = [
            f"{verb} {resource}{'.' if group else ''}{group}"
            for (group, resource), verbs in wanted.items()
            for verb in verbs
            if not _may(view, release, group, resource, verb)
        ]
    except ForbiddenError:
        mend = "grant it create on localsubjectaccessreviews (rbac.create does), or run doctor as an administrator"
        return [skipped(RIGHTS, f"this account may not ask what {who} may do", mend)]
    if missing:
        lacks = f"{who} may not {', '.join(missing[:4])}{f' and {len(missing) - 4} more' if len(missing) > 4 else ''}"
        return [fails(RIGHTS, lacks, "set rbac.create to true, or bind the account to a Role with these verbs")]
    return [works(RIGHTS, f"{who} may do all that steps do in {view.namespace}")]


def _may(view: View, release: Release, group: str, resource: str, verb: str) -> bool:
    kind, _, name = resource.partition("=")
    base, _, sub = kind.partition("/")
    asked = {"namespace": view.namespace, "group": group, "resource": base, "subresource": sub, "verb": verb}
    asked |= {"name": name} if name else {}
    if not release.steps_account:
        body = _review("SelfSubjectAccessReview", asked, {})
        return bool(view.review(f"{_REVIEWS}/selfsubjectaccessreviews", body)["allowed"])
    accounts, where = "system:serviceaccounts", release.kfp.steps_namespace or view.namespace
    subject = {
        "user": f"system:serviceaccount:{where}:{release.steps_account}",
        "groups": [accounts, f"{accounts}:{where}", "system:authenticated"],
    }
    path = f"{_REVIEWS}/namespaces/{view.namespace}/localsubjectaccessreviews"
    body = _review("LocalSubjectAccessReview", asked, subject)
    return bool(view.review(path, {**body, "metadata": {"namespace": view.namespace}})["allowed"])


def _review(kind: str, asked: dict[str, str], subject: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": kind,
        "spec": {"resourceAttributes": asked, **subject},
    }


def check_secrets(view: View, release: Release) -> list[Finding]:
    """The store's secret with its keys, and the pull secrets."""
    if not release.cluster.enabled:
        return [skipped(SECRETS, "cluster.enabled is false: pods are given none")]
    return [*_store_secret(view, release), *_pull_secrets(view, release)]


def _store_secret(view: View, release: Release) -> Iterator[Finding]:
    name = release.cluster.store_secret
    if not name:
        yield skipped(SECRETS, "none is named: credentials come from the cloud's workload identity")
        return
    make = (
        f"kubectl -n {view.namespace} create secret generic {name} "
        "--from-literal=AWS_ACCESS_KEY_ID=… --from-literal=AWS_SECRET_ACCESS_KEY=…"
    )
    try:
        secret = view.read(f"/api/v1/namespaces/{view.namespace}/secrets/{name}")
    except ForbiddenError:
        yield skipped(SECRETS, f"this account may not read {name} (as it should be)")
        return
    if secret is None:
        yield fails(SECRETS, f"there is no secret {name} in {view.namespace}", make)
        return
    if missing := [key for key in STORE_KEYS if not secret.get("data", {}).get(key)]:
        yield fails(SECRETS, f"secret {name} lacks {', '.join(missing)}", make)
        return
    yield works(SECRETS, f"{name} has {', '.join(STORE_KEYS)}")


def _pull_secrets(view: View, release: Release) -> Iterator[Finding]:
    for name in release.cluster.images.pull_secrets:
        try:
            secret = view.read(f"/api/v1/namespaces/{view.namespace}/secrets/{name}")
        except ForbiddenError:
            continue
        if secret is None or secret.get("type") != "kubernetes.io/dockerconfigjson":
            yield warns(
                SECRETS,
                f"pull secret {name} is {'missing' if secret is None else 'of another type'}",
                f"kubectl -n {view.namespace} create secret docker-registry {name} --docker-server=…",
            )
