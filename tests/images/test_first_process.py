"""A step that is the first process of its container ends when it is told to, not when it is killed."""

import os
import subprocess
import sys

import pytest

from clsp.processes import obey_termination

FIRST = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
PROGRAM = """
import os, signal
from clsp.processes import obey_termination
obey_termination()
if os.getpid() == 1:
    os.kill(1, signal.SIGTERM)
print("went on", os.getpid())
"""


def test_the_first_process_obeys():
    done = subprocess.run(
        [*FIRST, sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (143, ""), done.stderr


def test_any_other_process_keeps_what_it_has(monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: pytest.fail("a handler was set"))
    assert os.getpid() != 1
    obey_termination()
