"""A finished run that the tests of the report share."""

import pytest

from clsp.storage import open_store
from pipelines.remote.calls import connect
from tests.pipelines.kfp_api.connecting import patient
from tests.pipelines.kfp_api.server import running
from tests.pipelines.report_run import make_run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A store with one whole run, and its manifests by step."""
    store = open_store(str(tmp_path_factory.mktemp("run") / "store"))
    return store, make_run(store)


@pytest.fixture
def kfp_api():
    """An empty KFP that a test may fill, script and break."""
    with running() as api:
        yield api


@pytest.fixture
def calls(kfp_api):
    """A connection to it that waits for nothing."""
    return connect(patient(kfp_api.url))
