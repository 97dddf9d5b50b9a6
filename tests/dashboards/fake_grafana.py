"""Grafana's HTTP API as its documentation gives it, for folders, dashboards and search, with faults on request."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
TOKEN = "glsa_example"


@dataclass
class FakeGrafana:
    """State of one Grafana; ``fault`` answers every request with that status, ``prefix`` is a sub-path."""

    url: str = ""
    prefix: str = ""
    fault: int = 0
    role: str = "Editor"
    folders: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)

    def answer(self, method: str, path: str, body: Json, token: str) -> tuple[int, Any]:
        """Status and body of one request."""
        if self.fault:
            return self.fault, {"message": "told to fail"}
        if token != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401, "traceID": ""}
        parts = urlsplit(path.removeprefix(self.prefix))
        route = parts.path.removeprefix("/api")
        if method != "GET" and self.role == "Viewer":
            return 403, {"message": "You'll need additional permissions to perform this action."}
        if method == "GET" and (found := re.fullmatch(r"/folders/([\w-]+)", route)):
            folder = self.folders.get(found[1])
            return (200, folder) if folder else (404, {"message": "folder not found", "status": "not-found"})
        match method, route:
            case "POST", "/folders":
                return self._make_folder(body)
            case "POST", "/dashboards/db":
                return self._save(body)
            case "GET", "/search":
                return 200, self._search(parse_qs(parts.query))
        return 404, {"message": "Not found"}

    def _make_folder(self, body: Json) -> tuple[int, Json]:
        if not body.get("title"):
            return 400, {"message": "folder title cannot be empty"}
        if body["uid"] in self.folders:
            return 412, {"message": "the folder has been changed by someone else", "status": "version-mismatch"}
        folder = {"id": len(self.folders) + 1, "uid": body["uid"], "title": body["title"], "version": 1}
        self.folders[body["uid"]] = folder
        return 200, folder

    def _save(self, body: Json) -> tuple[int, Json]:
        board = body["dashboard"]
        if not board.get("title"):
            return 400, {"message": "Dashboard title cannot be empty", "status": "empty-name"}
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", board.get("uid", "")):
            return 400, {"message": "uid contains illegal characters"}
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found", "status": "not-found"}
        if board["uid"] in self.provisioned:
            return 412, {"message": "Cannot save provisioned dashboard", "status": "provisioned-dashboard"}
        known = self.dashboards.get(board["uid"])
        if known and not body.get("overwrite"):
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        slug = re.sub(r"[^a-z0-9]+", "-", board["title"].lower()).strip("-")
        saved = {
            "id": known["id"] if known else len(self.dashboards) + 1,
            "uid": board["uid"],
            "url": f"{self.prefix}/d/{board['uid']}/{slug}",
            "version": known["version"] + 1 if known else 1,
            "slug": slug,
            "folderUid": body["folderUid"],
        }
        self.dashboards[board["uid"]] = {**saved, "dashboard": board}
        return 200, {**saved, "status": "success"}

    def _search(self, query: dict[str, list[str]]) -> list[Json]:
        hits = []
        for one in self.dashboards.values():
            board, folder = one["dashboard"], self.folders[one["folderUid"]]
            if set(query.get("tag", [])) <= set(board.get("tags", [])):
                hit = {"id": one["id"], "uid": one["uid"], "title": board["title"], "url": one["url"]}
                hits.append({**hit, "type": "dash-db", "tags": board["tags"], "folderTitle": folder["title"]})
        return hits


@contextmanager
def running_grafana(prefix: str = "") -> Iterator[FakeGrafana]:
    """A Grafana on a free port of this machine."""
    grafana = FakeGrafana(prefix=prefix)

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null") or {}
            status, answer = grafana.answer(self.command, self.path, body, self.headers.get("Authorization", ""))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    grafana.url = f"http://127.0.0.1:{server.server_port}{prefix}"
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
