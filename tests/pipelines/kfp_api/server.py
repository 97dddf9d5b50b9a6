"""The HTTP side: routes, pages, filters, uploads, credentials, and the faults that a test queues.

A fault is spent on one request: a status code; ``"cut"`` (the connection ends before anything happens), ``"lost"``
(it happens, then the connection ends before the answer), ``"page"`` (a login page of a proxy), ``"slow"`` (no answer
until the test ends).
"""

import json
import re
import threading
from collections import deque
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.pipelines.kfp_api.errors import Refused
from tests.pipelines.kfp_api.state import State, found

ROOT = "/apis/v2beta1"


class KfpApi:
    """A running server: its state, what it was asked, the faults still to come."""

    def __init__(self, token: str = "", multi_user: bool = False):
        self.state, self.token = State(multi_user), token
        self.faults, self.requests = deque(), []
        self.released = threading.Event()
        self.url = ""

    def asked(self, method: str, path: str) -> int:
        return sum(request[:2] == (method, path) for request in self.requests)


@contextmanager
def running(host="127.0.0.1", **options):
    api = KfpApi(**options)
    server = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"api": api}))
    server.daemon_threads = True
    api.url = f"http://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.released.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


class _Handler(BaseHTTPRequestHandler):
    api: KfpApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, between which it waits 40 ms

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def do_DELETE(self):
        self._serve()

    def _serve(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.api.requests.append((self.command, parts.path, query))
        fault = self.api.faults.popleft() if self.api.faults else None
        if fault == "slow":
            self.api.released.wait(30)
        if fault in {"cut", "slow"}:
            self.close_connection = True
            return
        if fault == "page":
            self._send(200, b"<html>log in</html>", "text/html")
            return
        status, answer = self._answer(parts.path, query, body, fault)
        if fault == "lost":
            self.close_connection = True
            return
        if isinstance(answer, str):
            self._send(status, answer.encode(), "text/plain")
        else:
            self._send(status, json.dumps(answer).encode(), "application/json")

    def _answer(self, path, query, body, fault):
        try:
            if isinstance(fault, int):
                raise Refused(fault, "upstream request failed")
            if self.api.token and self.headers.get("Authorization") != f"Bearer {self.api.token}":
                raise Refused(401, "Failed to authenticate: Unauthenticated: there is no user identity header")
            for method, pattern, act in ROUTES:
                match = re.fullmatch(pattern, path)
                if match and method == self.command:
                    with self.api.state.lock:
                        return 200, act(self.api.state, match.groups(), query, _parsed(self.headers, body))
            raise Refused(404, "Not Found")
        except Refused as refusal:
            return refusal.status, refusal.body()

    def _send(self, status, data, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _parsed(headers, body):
    kind = headers.get("Content-Type", "")
    if kind.startswith("multipart/form-data"):
        parts = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        files = [part for part in parts.get_payload() if 'name="uploadfile"' in part["Content-Disposition"]]
        return files[0].get_payload(decode=True).decode()
    return json.loads(body) if body else {}


def _page(items, field, query):
    """One page of a listing: filtered by equality, sorted by one field, with a token for the rest."""
    for predicate in json.loads(query.get("filter") or "{}").get("predicates", []):
        if predicate["operation"] != "EQUALS":
            raise Refused(400, f"InvalidInputError: operation {predicate['operation']} is not here")
        value = predicate.get("stringValue", predicate.get("string_value"))
        items = [item for item in items if item.get(predicate["key"]) == value]
    if query.get("sort_by"):
        name, _, way = query["sort_by"].partition(" ")
        items = sorted(items, key=lambda item: item[name], reverse=way == "desc")
    start, size = int(query.get("page_token") or 0), int(query.get("page_size") or 20)
    more = {"next_page_token": str(start + size)} if start + size < len(items) else {}
    return {field: items[start : start + size], "total_size": len(items), **more}


def _in_namespace(state, items, query):
    if state.multi_user and not query.get("namespace"):
        raise Refused(400, "Failed to list: InvalidInputError: a namespace is required in multi-user mode")
    return [item for item in items.values() if item.get("namespace", "") == query.get("namespace", "")]


def _set_status(state, identity, status):
    found(state.recurring, identity, "Job")["status"] = status
    return {}


def _set_storage(state, identity, storage):
    found(state.runs, identity, "Run")["storage_state"] = storage
    return {}


def _delete_recurring(state, identity):
    found(state.recurring, identity, "Job")
    del state.recurring[identity]
    return {}


def _log(state, run, pod):
    if (run, pod) not in state.logs:
        raise Refused(404, f"pods {pod!r} not found")
    return state.logs[run, pod]


ID = r"([^/:]+)"
ROUTES = [
    ("GET", f"{ROOT}/healthz", lambda s, g, q, b: {"multi_user": s.multi_user}),
    ("GET", f"{ROOT}/experiments", lambda s, g, q, b: _page(_in_namespace(s, s.experiments, q), "experiments", q)),
    ("POST", f"{ROOT}/experiments", lambda s, g, q, b: s.put_experiment(b)),
    ("GET", f"{ROOT}/experiments/{ID}", lambda s, g, q, b: found(s.experiments, g[0], "Experiment")),
    ("GET", f"{ROOT}/pipelines", lambda s, g, q, b: _page(_in_namespace(s, s.pipelines, q), "pipelines", q)),
    ("POST", f"{ROOT}/pipelines/upload", lambda s, g, q, b: s.put_pipeline(q["name"], q.get("namespace", ""), b)),
    ("POST", f"{ROOT}/pipelines/upload_version", lambda s, g, q, b: s.put_version(q["pipelineid"], q["name"], b)),
    ("GET", f"{ROOT}/pipelines/{ID}", lambda s, g, q, b: found(s.pipelines, g[0], "Pipeline")),
    ("GET", f"{ROOT}/pipelines/{ID}/versions", lambda s, g, q, b: _page(
        [item for item in s.versions.values() if item["pipeline_id"] == g[0]], "pipeline_versions", q)),
    ("GET", f"{ROOT}/pipelines/{ID}/versions/{ID}", lambda s, g, q, b: found(s.versions, g[1], "PipelineVersion")),
    ("GET", f"{ROOT}/runs", lambda s, g, q, b: _page(
        [run for run in s.runs.values() if q.get("experiment_id") in {None, run["experiment_id"]}], "runs", q)),
    ("POST", f"{ROOT}/runs", lambda s, g, q, b: s.put_run(b)),
    ("GET", f"{ROOT}/runs/{ID}", lambda s, g, q, b: s.look(g[0])),
    ("POST", f"{ROOT}/runs/{ID}:terminate", lambda s, g, q, b: s.terminate(g[0])),
    ("POST", f"{ROOT}/runs/{ID}:archive", lambda s, g, q, b: _set_storage(s, g[0], "ARCHIVED")),
    ("POST", f"{ROOT}/runs/{ID}:unarchive", lambda s, g, q, b: _set_storage(s, g[0], "AVAILABLE")),
    ("GET", f"{ROOT}/recurringruns", lambda s, g, q, b: _page(list(s.recurring.values()), "recurringRuns", q)),
    ("POST", f"{ROOT}/recurringruns", lambda s, g, q, b: s.put_recurring(b)),
    ("GET", f"{ROOT}/recurringruns/{ID}", lambda s, g, q, b: found(s.recurring, g[0], "Job")),
    ("POST", f"{ROOT}/recurringruns/{ID}:enable", lambda s, g, q, b: _set_status(s, g[0], "ENABLED")),
    ("POST", f"{ROOT}/recurringruns/{ID}:disable", lambda s, g, q, b: _set_status(s, g[0], "DISABLED")),
    ("DELETE", f"{ROOT}/recurringruns/{ID}", lambda s, g, q, b: _delete_recurring(s, g[0])),
    ("GET", f"/apis/v1alpha1/runs/{ID}/nodes/{ID}/log", lambda s, g, q, b: _log(s, g[0], g[1])),
]  # fmt: skip
