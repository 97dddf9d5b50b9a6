"""Takes a cluster away, from its record alone: after its end, after its crash, and after the crash of a teardown.

Killing PID 1 of each node ends all its processes, pods too, and takes its network and mounts away. What is left are
control groups, perhaps the machine's end of the link, and the folder.
"""

import os
import signal
import subprocess
import time

from tests.cluster.harness.cgroups import POLL_SECONDS, remove_group
from tests.cluster.harness.record import Record, Started, all_records, boot_id, forget, own

DEATH_SECONDS = 60.0


def kill(process: Started) -> None:
    """Kill and wait until it is gone. Nothing happens to another process that has its number by now."""
    if process.alive():
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
    deadline = time.monotonic() + DEATH_SECONDS
    while process.alive():
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {process.pid} does not die")
        time.sleep(POLL_SECONDS)


def tear_down(record: Record) -> None:
    """Remove everything that the record names.

    Raises:
        TimeoutError: the kernel did not let go of something; the record stays, so that another try can.
    """
    if record.boot == boot_id():
        for process in record.processes:
            kill(process)
        for group in record.cgroups:
            remove_group(group, DEATH_SECONDS)
        subprocess.run(["ip", "link", "delete", record.addresses.link], check=False, capture_output=True)
    forget(record)


def usable(record: Record) -> bool:
    """A kept cluster whose nodes run."""
    return record.kept and record.boot == boot_id() and all(one.alive() for one in record.processes)


def sweep() -> list[str]:
    """Tear down what crashed runs left; clusters that are owned or kept stay. Returns the names of what went."""
    gone = []
    with all_records() as records:
        for record in records:
            if usable(record):
                continue
            lock = own(record.name)
            if lock is None:
                continue
            try:
                tear_down(record)
                gone.append(record.name)
            finally:
                os.close(lock)
    return gone
