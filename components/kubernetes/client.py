"""The Kubernetes client of the platform: apply, get, list, delete, observe until a deadline, read logs.

It is level-triggered: callers look at the objects as they are whenever one changes, so that a missed event, an expired
watch or a restarted API server makes nothing wrong, only later.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson

from clsp.config import ClusterSettings
from clsp.errors import ClusterError
from components.kubernetes.objects import CONFIG_MAP, Kind, Object, Ref, owned, ref_of
from components.kubernetes.requests import AbsentError, ExpiredError, Patience, Requests

T = TypeVar("T")
FIELD_MANAGER = "clsp"
DEFAULT_PATIENCE = Patience()
_SOON_SECONDS = 1.0
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Cluster:
    """One namespace of a cluster, through the API server. Every method raises ``ClusterError`` with a hint."""

    def __init__(self, requests: Requests, namespace: str, owner: Object | None = None) -> None:
        self._requests = requests
        self._plurals: dict[Kind, str] = {}
        self._owner = owner
        self.namespace = namespace

    def owned_by(self, ref: Ref) -> "Cluster":
        """This cluster, where what is applied without an owner is the object's and goes with it."""
        owner = self.get(ref)
        if owner is None:
            raise ClusterError(
                f"there is no {ref} in namespace {self.namespace}, which was to own what this run starts",
                hint="install the release, take its clsp.yaml anew, or leave cluster.owner empty",
            )
        return Cluster(self._requests, self.namespace, owner)

    def apply(self, item: Object) -> Object:
        """Make the object so (server-side apply, ours wins) and return it as the cluster holds it."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        wanted = owned(item, self._owner) if self._owner and "ownerReferences" not in item["metadata"] else item
        applied: Object = self._requests.json("PATCH", self._path(ref_of(item)), query, wanted)
        return applied

    def get(self, ref: Ref) -> Object | None:
        """The object, or None."""
        try:
            found: Object = self._requests.json("GET", self._path(ref))
        except AbsentError:
            return None
        return found

    def read(self, path: str, **query: Any) -> Any | None:
        """What the API answers at ``path`` (of any namespace, or of none), or None: for those who only look."""
        try:
            return self._requests.json("GET", path, query)
        except AbsentError:
            return None

    def review(self, path: str, body: Object) -> Object:
        """The status of a review (of access, say), which the API fills in and does not keep."""
        answered: Object = self._requests.json("POST", path, {}, body)
        status: Object = answered["status"]
        return status

    def find(self, kind: Kind, selector: str = "", fields: str = "") -> list[Object]:
        """Objects of a kind that match the label and field selectors."""
        items, _ = self._list(kind, {"labelSelector": selector, "fieldSelector": fields})
        return items

    def delete(self, ref: Ref, wait_seconds: float = 0.0) -> None:
        """Remove the object with all that it owns; wait until it is gone, if asked to."""
        try:
            self._requests.json("DELETE", self._path(ref), {"propagationPolicy": "Foreground"})
        except AbsentError:
            return
        if wait_seconds:
            self.wait_for(ref, lambda item: item is None, wait_seconds, "be gone")

    def observe(
        self,
        kind: Kind,
        selector: str,
        seconds: float,
        tick: float,
        soon: Callable[[Collection[Object]], bool] = lambda _: False,
    ) -> Iterator[list[Object]]:
        """All matching objects: now, after every change, and at least every ``tick`` seconds, for ``seconds``.

        ``soon`` tells from the objects that what owns them is about to change, which no event of theirs will say: then
        they are given every second.
        """
        query = {"labelSelector": selector}
        yield from self._observe(kind, query, seconds, lambda items: min(tick, _SOON_SECONDS) if soon(items) else tick)

    def wait_for(self, ref: Ref, check: Callable[[Object | None], T | None], seconds: float, purpose: str) -> T:
        """The first result of ``check`` over the object (None while there is none) that is neither None nor False."""
        for items in self._observe(
            ref.kind, {"fieldSelector": f"metadata.name={ref.name}"}, seconds, lambda _: seconds
        ):
            result = check(items[0] if items else None)
            if result is not None and result is not False:
                return result
        raise ClusterError(
            f"{ref} did not {purpose} within {seconds:g} s",
            hint=f"kubectl -n {self.namespace} describe {ref.kind.name.lower()} {ref.name}",
        )

    def read_log(
        self, pod: str, container: str, since: str = "", limit_bytes: int = 2**20
    ) -> Iterator[tuple[str, str]]:
        """Time stamps and lines of a container from ``since`` on (RFC 3339); nothing while it has not started."""
        query = {"container": container, "timestamps": "true", "limitBytes": limit_bytes}
        path = f"{self._path(Ref(Kind('v1', 'Pod'), pod))}/log"
        try:
            text = self._requests.read("GET", path, query | ({"sinceTime": since} if since else {}))
        except ClusterError:  # not started, already gone, or its node is: the log is a comfort, not a result
            return
        for line in text.decode(errors="replace").splitlines():
            stamp, _, rest = line.partition(" ")
            yield stamp, rest

    def _observe(
        self, kind: Kind, query: Mapping[str, Any], seconds: float, tick: Callable[[Collection[Object]], float]
    ) -> Iterator[list[Object]]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            items, version = self._list(kind, query)
            known = {item["metadata"]["uid"]: item for item in items}
            yield list(known.values())
            for change in self._changes(kind, query, version, deadline, partial(tick, known.values())):
                _update(known, change)
                yield list(known.values())

    def _changes(
        self, kind: Kind, query: Mapping[str, Any], version: str, deadline: float, tick: Callable[[], float]
    ) -> Iterator[Object | None]:
        """Changes after ``version``, and None at every tick; ends when the objects have to be listed again."""
        while (left := deadline - time.monotonic()) > 0:
            pace = tick()
            wanted = {"watch": "true", "resourceVersion": version, "timeoutSeconds": max(1, int(min(pace, left)))}
            try:
                for change in self._watch(kind, {**query, **wanted}, pace):
                    version = change["object"]["metadata"]["resourceVersion"]
                    yield change
                    if tick() < pace:
                        break
            except ExpiredError:
                self._requests.pause()
                return
            yield None

    def _watch(self, kind: Kind, query: Mapping[str, Any], tick: float) -> Iterator[Object]:
        """Changes until the server ends the watch or the connection breaks."""
        from urllib3.exceptions import HTTPError

        with self._requests.stream(self._collection(kind), query, tick + 10) as response:
            try:
                for line in response:
                    change: Object = orjson.loads(line)
                    if change["type"] == "ERROR":
                        raise ExpiredError(str(change["object"].get("message", "")))
                    yield change
            except (HTTPError, orjson.JSONDecodeError):
                self._requests.pause()  # cut in mid-line: the next watch goes on from the last whole change

    def _list(self, kind: Kind, query: Mapping[str, Any]) -> tuple[list[Object], str]:
        answer = self._requests.json(
            "GET", self._collection(kind), {name: value for name, value in query.items() if value}
        )
        named = {"apiVersion": kind.api_version, "kind": kind.name}  # lists leave it out of their items
        return [{**named, **item} for item in answer["items"]], str(answer["metadata"]["resourceVersion"])

    def _path(self, ref: Ref) -> str:
        return f"{self._collection(ref.kind)}/{ref.name}"

    def _collection(self, kind: Kind) -> str:
        return f"{_root(kind)}/namespaces/{self.namespace}/{self._plural(kind)}"

    def _plural(self, kind: Kind) -> str:
        if kind not in self._plurals:
            try:
                resources = self._requests.json("GET", _root(kind))["resources"]
            except AbsentError:
                resources = []
            names = [item["name"] for item in resources if item["kind"] == kind.name and "/" not in item["name"]]
            if not names:
                raise ClusterError(
                    f"the cluster does not know {kind.name} ({kind.api_version})",
                    hint="install its operator, or choose another backend in the cluster section of the configuration",
                )
            self._plurals[kind] = names[0]
        return self._plurals[kind]


def connect(namespace: str = "", context: str = "", patience: Patience = DEFAULT_PATIENCE) -> Cluster:
    """The cluster this pod runs in, or that of the kubectl context (the current one unless named)."""
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and not context:
            config.load_incluster_config(client_configuration=settings)
            here = _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.exists() else ""
        else:
            file = os.environ.get("KUBECONFIG")  # as it is now: the SDK keeps what it was when it was imported
            config.load_kube_config(file, context=context or None, client_configuration=settings)
            here = _context_namespace(file, context)
    except config.ConfigException as error:
        raise ClusterError(
            f"there is no cluster to talk to: {error}",
            hint="run inside a pod with a service account, or set KUBECONFIG and choose a kubectl context",
        ) from error
    settings.retries = False  # ours know which requests may be repeated, and say so
    return Cluster(Requests(client.ApiClient(settings), patience), namespace or here or "default")


def connect_release(settings: ClusterSettings) -> Cluster:
    """The cluster as a step uses it: what it applies belongs to the release, so that uninstalling takes all of it."""
    cluster = connect(settings.namespace)
    return cluster.owned_by(Ref(CONFIG_MAP, settings.owner)) if settings.owner else cluster


def _context_namespace(file: str | None, context: str) -> str:
    from kubernetes import config

    contexts, active = config.list_kube_config_contexts(file)
    chosen = next((item for item in contexts if item["name"] == context), active)
    return str(chosen["context"].get("namespace", ""))


def _root(kind: Kind) -> str:
    return f"/api/{kind.api_version}" if "/" not in kind.api_version else f"/apis/{kind.api_version}"


def _update(known: dict[str, Object], change: Object | None) -> None:
    if change is None:
        return
    item = change["object"]
    if change["type"] == "DELETED":
        known.pop(item["metadata"]["uid"], None)
    else:
        known[item["metadata"]["uid"]] = item
