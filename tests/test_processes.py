"""What a process asks of its allocator: a large block that was freed is there again, without the kernel."""

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
import numpy as np
from clsp.processes import keep_large_blocks
if sys.argv[1] == "kept":
    keep_large_blocks()
for _ in range(3):
    np.ones(2**25)  # 256 MiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    np.ones(2**25)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str, **variables: str) -> int:
    """Pages that the kernel had to hand out while four blocks of 256 MiB came and went."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], env=environment | variables, check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_blocks_are_used_again_unless_the_operator_says_otherwise():
    kept = faults("kept")
    assert 10 * kept < faults("usual")  # pages may be of 4 KiB or of 2 MiB, as the kernel has them
    assert 10 * kept < faults("kept", MALLOC_ARENA_MAX="1")
