"""The folder store: nothing half-written is ever seen, and the disk's troubles come with a hint."""

import os
import resource
import subprocess
import sys

import pytest

from clsp.errors import StorageError
from clsp.storage import open_store


def test_unfinished_writes_are_not_listed(store, tmp_path):
    (tmp_path / "store" / ".aside" / "torn").write_bytes(b"half")
    store.put_blob("whole", b"x")
    assert list(store.list("")) == ["whole"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError) as caught:
        open_store(str(tmp_path / "taken"))
    assert "permissions" in caught.value.hint


def test_a_write_that_does_not_fit_says_so_and_leaves_nothing(tmp_path):
    script = (
        "import sys\nfrom clsp.errors import StorageError\nfrom clsp.storage import open_store\n"
        "store = open_store(sys.argv[1])\nstore.put_blob('small', b'x')\n"
        "try:\n    store.put_blob('large', bytes(1 << 20))\n"
        "except StorageError as error:\n    print(error.hint)\n"
        "print(list(store.list('')))\n"
    )
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "store")],
        capture_output=True, text=True, timeout=60, preexec_fn=limit, check=True, env=os.environ,
    )  # fmt: skip
    hint, listed = done.stdout.splitlines()
    assert hint
    assert listed == "['small']"
    assert not list((tmp_path / "store" / ".aside").iterdir())
