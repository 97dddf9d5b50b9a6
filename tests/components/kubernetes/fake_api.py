"""A small API server for faults that a real one does not show on demand: it holds objects, lists and watches them.

Faults are queued by the test; each is spent on one request.
"""

import threading
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import orjson
from kubernetes import client

from components.kubernetes.client import Cluster
from components.kubernetes.requests import Patience, Requests

KINDS = {
    "/api/v1": {"ConfigMap": "configmaps", "Pod": "pods", "Service": "services"},
    "/apis/apps/v1": {"Deployment": "deployments"},
    "/apis/batch/v1": {"Job": "jobs"},
    "/apis/kubeflow.org/v1": {"PyTorchJob": "pytorchjobs"},
    "/apis/policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "/apis/serving.kserve.io/v1beta1": {"InferenceService": "inferenceservices"},
}
PLURALS = {plural for kinds in KINDS.values() for plural in kinds.values()}
NAMESPACE = "team-a"


class FakeApi:
    """Objects and logs by path, the history that watches replay, and the faults still to come.

    A fault is ``(status, headers)``, ``"drop"`` (the connection is cut before an answer), ``"cut"`` (a watch ends in
    mid-line) or ``"expired"`` (a watch answers 410).
    """

    def __init__(self):
        self.objects, self.logs, self.history, self.faults, self.requests = {}, {}, [], deque(), []
        self.changed = threading.Condition()

    def put(self, path, item):
        with self.changed:
            kind = "MODIFIED" if path in self.objects else "ADDED"
            version = str(len(self.history) + 1)
            metadata = {"uid": path, **item.get("metadata", {}), "resourceVersion": version}
            self.objects[path] = {**item, "metadata": metadata}
            self.history.append((kind, path, self.objects[path]))
            self.changed.notify_all()
            return self.objects[path]

    def remove(self, path):
        with self.changed:
            gone = self.objects.pop(path, None)
            if gone:
                self.history.append(("DELETED", path, gone))
                self.changed.notify_all()
            return gone


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, between which it waits 40 ms

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, query = self._begin()
        if path is None:
            return
        if path in KINDS:
            named = [{"kind": kind, "name": name, "namespaced": True} for kind, name in KINDS[path].items()]
            self._answer(200, {"resources": named})
        elif path.rpartition("/")[2] in PLURALS:
            self._watch(path, query) if "watch" in query else self._list(path)
        elif path in self.api.logs:
            self._answer(200, text=self.api.logs[path])
        elif path in self.api.objects:
            self._answer(200, self.api.objects[path])
        else:
            self._answer(404, {"message": f"{path} not found"})

    def do_PATCH(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _ = self._begin()
        if path is not None:
            assert self.headers["Content-Type"] == "application/apply-patch+yaml"
            self._answer(200, self.api.put(path, orjson.loads(body)))

    def do_DELETE(self):
        path, _ = self._begin()
        if path is not None:
            gone = self.api.remove(path)
            self._answer(200 if gone else 404, gone or {"message": f"{path} not found"})

    @property
    def api(self):
        return self.server.api

    def _begin(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.api.requests.append((self.command, parts.path, query))
        fault = self.api.faults[0] if self.api.faults else None
        if fault in ("cut", "expired") and "watch" not in query:
            fault = None
        self._fault = self.api.faults.popleft() if fault else None
        if self._fault == "drop":
            self.close_connection = True
            return None, query
        if isinstance(self._fault, tuple):
            self._answer(self._fault[0], {"message": "injected"}, self._fault[1])
            return None, query
        return parts.path, query

    def _answer(self, status, value=None, headers=(), text=""):
        data = text.encode() if text else orjson.dumps(value)
        self.send_response(status)
        for name, header in dict(headers).items():
            self.send_header(name, header)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _list(self, path):
        with self.api.changed:
            items = [item for name, item in self.api.objects.items() if name.rpartition("/")[0] == path]
            self._answer(200, {"metadata": {"resourceVersion": str(len(self.api.history))}, "items": items})

    def _watch(self, path, query):
        self.close_connection = True
        self.send_response(200)
        self.end_headers()
        if self._fault == "expired":
            self._event("ERROR", {"code": 410, "message": "too old resource version"})
            return
        if self._fault == "cut":
            self.wfile.write(b'{"type": "MODIF')
            return
        seen = int(query["resourceVersion"])
        with self.api.changed:
            self.api.changed.wait_for(lambda: len(self.api.history) > seen, float(query["timeoutSeconds"]))
            for kind, name, item in self.api.history[seen:]:
                if name.rpartition("/")[0] == path:
                    self._event(kind, item)

    def _event(self, kind, item):
        self.wfile.write(orjson.dumps({"type": kind, "object": item}) + b"\n")


@contextmanager
def fake_cluster(tries=4):
    """An API server and a client of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.api = FakeApi()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    settings = client.Configuration(host=f"http://127.0.0.1:{server.server_address[1]}")
    settings.retries = False
    try:
        requests = Requests(client.ApiClient(settings), Patience(tries=tries, first_wait=0.001, read_seconds=5))
        yield server.api, Cluster(requests, NAMESPACE)
    finally:
        server.shutdown()
        server.server_close()
