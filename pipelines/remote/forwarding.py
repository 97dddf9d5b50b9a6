"""Services of a cluster as seen from outside, through ``kubectl port-forward``.

kubectl forwards to one pod and ends with it; pods come and go during a release, so it is started again as often.
"""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from clsp.errors import ClusterError

_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_PAUSE_SECONDS = 0.5


@contextmanager
def forwarding(service: str, namespace: str, context: str = "") -> Iterator[str]:
    """URL of a Service's port 80, the same while the block runs, whichever pod answers there.

    ``ClusterError`` when it cannot be reached at all at first, or kubectl is not installed.
    """
    forwarder = _Forwarder(service, namespace, context)
    try:
        yield forwarder.url
    finally:
        forwarder.close()


class _Forwarder:
    """kubectl, kept running by a thread that also reads what it says about each connection."""

    def __init__(self, service: str, namespace: str, context: str) -> None:
        self._command = ["kubectl", "-n", namespace, *(["--context", context] if context else [])]
        self._command += ["port-forward", "--address=127.0.0.1", f"service/{service}"]
        self._over = threading.Event()
        self._process = self._start("")
        assert self._process.stdout is not None
        found = _FORWARDED.search(self._process.stdout.readline())
        if found is None:
            self._end()
            raise ClusterError(f"service {service} cannot be reached", hint="kubectl's message is above")
        self._port = found[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._keeper = threading.Thread(target=self._keep, name="forwarding", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Forward no longer."""
        self._over.set()
        self._process.terminate()
        self._keeper.join()

    def _keep(self) -> None:
        while True:
            assert self._process.stdout is not None
            for _ in self._process.stdout:
                pass
            self._end()
            if self._over.wait(_PAUSE_SECONDS):
                return
            self._process = self._start(self._port)
            if self._over.is_set():  # closing saw the process before
                self._process.terminate()

    def _start(self, port: str) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen([*self._command, f"{port}:80"], stdout=subprocess.PIPE, text=True)
        except FileNotFoundError as error:
            raise ClusterError(
                "kubectl is not installed", hint="install it, or run in the cluster: --no-forward"
            ) from error

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
