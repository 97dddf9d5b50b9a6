"""Child processes that never outlive who started them, and how a process tree takes memory.

A step killed with SIGKILL cannot clean up; the kernel can, when each child asks for it at its start (Linux).
"""

import ctypes
import os
import resource
import select
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_KEPT_BYTES = 2**30
PARENT_VARIABLE = "CLSP_DIE_WITH"  # process id of an ancestor that a step or server must not outlive


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


def die_with_ancestor() -> None:
    """Kill this process when the one named by ``CLSP_DIE_WITH`` ends; for children started through a shell."""
    name = os.environ.get(PARENT_VARIABLE)
    if not name or sys.platform != "linux":
        return
    try:
        ancestor = os.pidfd_open(int(name))
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        threading.Thread(target=_kill_after, args=(ancestor,), daemon=True).start()


def obey_termination() -> None:
    """Let SIGTERM end this process although it is the first of its container, where the kernel ignores it otherwise."""
    unheard = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if os.getpid() == 1 and unheard and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _kill_after(ancestor: int) -> None:
    select.select([ancestor], [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def keep_large_blocks() -> None:
    """Let freed memory be used again instead of going back to the kernel, which clears each page once more.

    By default glibc maps every block over 32 MiB anew, which nearly halves a CPU's speed over large batches
    (bench/serve.md). Call it first in a process that computes. An operator's ``MALLOC_…`` variables win; without glibc
    nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt(_M_ARENA_MAX, 1)  # other arenas cannot hold blocks of that size
    mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def peak_rss_bytes() -> int:
    """Largest resident size so far of this process or of any child that it has waited for, in bytes."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usages) * (1 if sys.platform == "darwin" else 1024)
