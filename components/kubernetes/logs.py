"""The structured lines of other pods' logs, passed on as if the step had written them itself."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from components.kubernetes.client import Cluster
from components.kubernetes.objects import Object
from components.kubernetes.states import has_run


@dataclass
class LogTail:
    """Reads on where it stopped, pod by pod; lines that are no JSON events stay in the pods' own logs."""

    cluster: Cluster
    container: str
    _read: dict[str, str] = field(default_factory=dict)

    def show(self, pods: Iterable[Object]) -> None:
        """Write the new events of these pods to standard error."""
        for pod in pods:
            if has_run(pod):
                self._show(pod["metadata"]["name"], pod["metadata"]["uid"])

    def _show(self, name: str, uid: str) -> None:
        last = self._read.get(uid, "")
        for stamp, line in self.cluster.read_log(name, self.container, last):
            if stamp <= last:
                continue  # the API gives whole seconds back
            self._read[uid] = stamp
            if _is_event(line):
                sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _is_event(line: str) -> bool:
    try:
        return line.startswith("{") and "event" in orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
