"""kubectl as a function, against the cluster of a kubeconfig."""

import json
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Manifest = Mapping[str, Any]


NOT_YET = ("accessor error", "(NotFound)", "no matching resources found")
RETRY_SECONDS = 0.5


class KubectlError(RuntimeError):
    """kubectl said no; the message is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl with a kubeconfig and a namespace.

    Attributes:
        program: path of kubectl.
        kubeconfig: file; its current context is the cluster.
        namespace: for every call; empty takes the context's.
    """

    program: Path
    kubeconfig: Path
    namespace: str = ""

    def within(self, namespace: str) -> "Kubectl":
        """The same in another namespace."""
        return Kubectl(self.program, self.kubeconfig, namespace)

    def command(self, *arguments: str) -> list[str]:
        """The command line, for those who start it themselves (port-forward, logs -f)."""
        options = {"--kubeconfig": self.kubeconfig, "--namespace": self.namespace}
        return [str(self.program), *(f"{name}={value}" for name, value in options.items() if value), *arguments]

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 300) -> str:
        """What kubectl prints.

        Raises:
            KubectlError: it failed.
        """
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """`kubectl get … -o json`, read."""
        found: dict[str, Any] = json.loads(self("get", *arguments, "-o", "json"))
        return found

    def apply(self, manifests: Iterable[Manifest]) -> str:
        """Server-side apply of objects; field conflicts are ours."""
        together = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        return self("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(together))

    def wait(self, condition: str, *what: str, timeout: float = 240) -> str:
        """`kubectl wait --for=…` until it holds.

        An object that is not there yet, or has no status yet, is waited for too: kubectl itself gives up on both.

        Raises:
            KubectlError: it did not hold in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            left = max(deadline - time.monotonic(), 1)
            try:
                return self("wait", f"--for={condition}", f"--timeout={left:.0f}s", *what, timeout=left + 30)
            except KubectlError as error:
                if time.monotonic() > deadline or not any(sign in str(error) for sign in NOT_YET):
                    raise
                time.sleep(RETRY_SECONDS)
