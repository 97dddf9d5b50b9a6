"""PID 1 of a node: mounts, network, daemons; started in fresh network, mount and PID namespaces.

When this process ends the kernel kills everything below it, pods included, and takes the namespaces away. It ends with
the process that booted the cluster (standard input closes) unless the cluster is to outlive it. A daemon that stops is
started again, as an init system would. Standard library only: it runs as a script, without the environment.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

RESTART_SECONDS = 0.5


def end_with_owner() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def spawn(daemon: dict[str, Any]) -> int:
    """Start a daemon, its output appended to its log."""
    with Path(daemon["log"]).open("ab") as log:
        process = subprocess.Popen(
            daemon["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **daemon.get("env", {})},
            cwd="/",
        )
    process.returncode = 0  # reaped below, together with the orphans
    return process.pid


def supervise(daemons: list[dict[str, Any]]) -> None:
    """Start all, then reap for ever: daemons again into life, orphans into peace."""
    running = {spawn(daemon): daemon for daemon in daemons}
    while True:
        pid, _ = os.waitpid(-1, 0)
        if daemon := running.pop(pid, None):
            time.sleep(RESTART_SECONDS)
            running[spawn(daemon)] = daemon


def main() -> None:
    """Run the node that the specification (first argument, JSON) describes."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    pid_file = Path(spec["pid_file"])
    pid_file.with_suffix(".part").write_text(str(Path("/proc/self").readlink()))  # still the machine's /proc
    pid_file.with_suffix(".part").rename(pid_file)
    if os.read(0, 1) != b"\n":  # the machine's side of the network is not there yet
        return
    for argv in spec["setup"]:
        subprocess.run(argv, check=True)
    if spec["tethered"]:
        threading.Thread(target=end_with_owner, daemon=True).start()
    supervise(spec["daemons"])


if __name__ == "__main__":
    main()
