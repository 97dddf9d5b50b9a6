"""From a URI to a store."""

import pytest

from clsp.errors import ConfigError
from clsp.storage import open_store


def test_folders_by_path_and_by_uri(tmp_path):
    open_store(str(tmp_path / "a")).put_blob("x", b"1")
    assert open_store(f"file://{tmp_path}/a").get("x") == b"1"


def test_other_schemes_are_refused():
    with pytest.raises(ConfigError, match="unknown store"):
        open_store("ftp://example.org/data")
