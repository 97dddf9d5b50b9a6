"""Child processes that never outlive their parent, and how much memory a process tree took.

A step killed with SIGKILL cannot clean up; the kernel can, when each child asks for it at its start (Linux).
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "CLSP_DIE_WITH_PARENT"  # process id of a starter that this process must not outlive


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends; does nothing outside Linux.

    ``parent`` is the process id of the starter, which may have ended before the kernel was asked; 0 where
    it is not known.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def peak_rss_bytes() -> int:
    """Largest resident size so far of this process or of any child that it has waited for, in bytes."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usages) * (1 if sys.platform == "darwin" else 1024)
