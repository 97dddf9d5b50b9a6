"""The HTTP face of the describer: /v1/chat/completions, /v1/models and /health, in OpenAI's shape.

Plain standard library: it starts in a fraction of a second, which every run of the embedded describer pays.
"""

import hmac
import sys
import threading
import traceback
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import orjson

from clsp.config.captions import DescriberSettings
from clsp.errors import ClspError
from clsp.hashing import digest
from clsp.logs import get_logger
from components.describer.chat import MODELS, Chat, UnknownModelError
from components.describer.faults import HUGE_BYTES, Fault, Troublemaker

log = get_logger(__name__)
WRONG_JSON = '{"verdict": "fine"}'
CANNED = {"empty": "", "huge": "a" * HUGE_BYTES, "wrong_json": WRONG_JSON}


@dataclass(frozen=True)
class Service:
    """What all requests share; ``key`` '' asks for no credentials."""

    settings: DescriberSettings = field(default_factory=DescriberSettings)
    key: str = field(default="", repr=False)
    faults: tuple[Fault, ...] = ()

    def start(self, host: str, port: int) -> "DescriberServer":
        """Listen; port 0 takes a free one."""
        return DescriberServer((host, port), self)


class DescriberServer(ThreadingHTTPServer):
    """A thread a connection; connections are kept open between requests."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        super().__init__(address, Handler)
        self.service = service
        self.chat = Chat(service.settings.cached_clips)
        self.trouble = Troublemaker(service.faults)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; anything else is reported as ever."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Base URL of the API."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/v1"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600  # seconds a kept connection may be idle

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(HTTPStatus.OK, {"status": "ok"})
        elif self.path == "/v1/models":
            models = [{"id": name, "object": "model", "owned_by": "clsp"} for name in MODELS]
            self._send(HTTPStatus.OK, {"object": "list", "data": models})
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        body = self._read()
        if body is None:
            return
        if self.path != "/v1/chat/completions":
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")
        elif not self._may_enter():
            self._refuse(HTTPStatus.UNAUTHORIZED, "wrong or missing API key")
        elif not any(self._suffer(fault, body) for fault in self._server.trouble.hit(body)):
            self._answer(body)

    @property
    def _server(self) -> DescriberServer:
        return cast("DescriberServer", self.server)

    def _read(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
            return None
        if int(length) > self._server.service.settings.max_body_bytes:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too large")
            return None
        return self.rfile.read(int(length))

    def _may_enter(self) -> bool:
        key = self._server.service.key
        return not key or hmac.compare_digest(self.headers.get("Authorization", ""), f"Bearer {key}")

    def _answer(self, body: bytes) -> None:
        try:
            model, text = self._server.chat.answer(body)
        except UnknownModelError as error:
            self._refuse(HTTPStatus.NOT_FOUND, f"no model {error}; there are {', '.join(MODELS)}")
        except ClspError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # noqa: BLE001 - one request must not cost a connection the others use
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("request_broke", error=type(error).__name__, module=place.filename, line=place.lineno)
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "the describer has a defect, see its log")
        else:
            self._say(body, model, text)

    def _say(self, body: bytes, model: str, text: str) -> None:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        name = f"chatcmpl-{digest(body)[:24]}"
        reply = {"id": name, "object": "chat.completion", "created": 0, "model": model, "choices": [choice]}
        self._send(HTTPStatus.OK, {**reply, "usage": usage})

    def _suffer(self, fault: Fault, body: bytes) -> bool:
        """Act a fault out; True when the request has had its answer by that."""
        match fault.name:
            case "delay":
                threading.Event().wait(float(fault.value))
                return False
            case "hang" | "drop":
                threading.Event().wait(float(fault.value or 3600) if fault.name == "hang" else 0)
                self.close_connection = True
            case "garbage":
                self._write(HTTPStatus.OK, b"\x00\xff<html>", {})
            case "500" | "503" | "429":
                waits = {"Retry-After": fault.value} if fault.value else {}
                self._write(HTTPStatus(int(fault.name)), b'{"error": {"message": "on purpose"}}', waits)
            case _:
                self._say(body, "faulty", CANNED.get(fault.name, fault.value))
        return True

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": status.phrase, "code": status.value}})

    def _send(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._write(status, orjson.dumps(value), {})

    def _write(self, status: HTTPStatus, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        shared = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, value in {**shared, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the library calls it by
        """Stay quiet: a line a request would drown the step's own log."""
