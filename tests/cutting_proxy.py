"""A TCP proxy before a real server that loses connections in the middle of what is put through them."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

BODY_BYTES = 64  # of a body get through before it is cut
_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)


class Cuts:
    """Which PUTs lose their connection. ``where`` gives ``body`` (cut in the middle), ``answer`` (all is put, and the
    answer is lost) or '' for each by its path; ``made`` lists those that were cut. Thread-safe.
    """

    def __init__(self, where: Callable[[str], str]) -> None:
        self._where = where
        self._lock = threading.Lock()
        self.made: list[str] = []

    def decide(self, path: str) -> str:
        """What happens to the next PUT, of ``path``."""
        with self._lock:
            cut = self._where(path)
            self.made += [path] if cut else []
            return cut


@contextmanager
def cutting_proxy(host: str, port: int, cuts: Cuts) -> Iterator[int]:
    """The port of a proxy before ``host:port``, while the block runs."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, port)) as server, suppress(OSError):
                _relay(self.request, server, cuts)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, request_queue_size = True, 64

    with Server(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield proxy.server_address[1]
        finally:
            proxy.shutdown()


def _relay(client: socket.socket, server: socket.socket, cuts: Cuts) -> None:
    """Requests one way, answers the other, one request at a time as HTTP/1.1 has it."""
    while head := _head(client):
        line, _, _ = head.partition(b"\r\n")
        method, path = line.decode().split(" ")[:2]
        cut = cuts.decide(path) if method == "PUT" else ""
        length = _length(head)
        server.sendall(head)
        _pass(client, server, min(length, BODY_BYTES) // 2 if cut == "body" else length)
        if cut == "answer":
            _head(server)  # it has answered, so it has what was put
        if cut:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return
        answer = _head(server)
        client.sendall(answer)
        _pass(server, client, 0 if method == "HEAD" else _length(answer))


def _head(side: socket.socket) -> bytes:
    """Up to the empty line; b'' when the other side is gone."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := side.recv(1)):
            return b""
        head += byte
    return head


def _length(head: bytes) -> int:
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    assert b"transfer-encoding" not in fields, "a length was expected"
    return int(fields.get(b"content-length", b"0"))


def _pass(source: socket.socket, target: socket.socket, length: int) -> None:
    while length > 0 and (data := source.recv(min(length, _CHUNK))):
        target.sendall(data)
        length -= len(data)
