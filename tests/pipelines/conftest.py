"""A finished run that the tests of the report share."""

import pytest

from clsp.storage import open_store
from tests.pipelines.report_run import make_run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A store with one whole run, and its manifests by step."""
    store = open_store(str(tmp_path_factory.mktemp("run") / "store"))
    return store, make_run(store)
