"""Fixtures every test may use: stores in a folder and on a real S3 server."""

import pytest

from clsp.storage import ObjectStore, open_store


@pytest.fixture
def store(tmp_path) -> ObjectStore:
    """An empty store in a folder."""
    return open_store(str(tmp_path / "store"))
