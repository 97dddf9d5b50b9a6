"""A real server process of a tiny model, and the same model in this process to compare with."""

import pytest

import clsp
from clsp.config import ServeSettings
from clsp.registry import publish
from clsp.storage import open_store
from serving.client import EmbeddingClient
from serving.launch import running_server
from tests.tiny_model import write_tiny_model

SETTINGS = ServeSettings(
    max_body_bytes=2**20, max_items=8, max_audio_seconds=5.0, max_text_characters=400, threads=1, access_log=False
)


@pytest.fixture
def anyio_backend():
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def version(tmp_path_factory):
    """A registered version of a tiny model named ``clsp``."""
    root = tmp_path_factory.mktemp("serving")
    store = open_store(f"file://{root}/store")
    folder = write_tiny_model(root / "model")
    return publish(store, "clsp", folder, licences={"cc0": 1}, manifests={"model": "m"})


@pytest.fixture(scope="session")
def model(version):
    return clsp.load_model(version.uri)


@pytest.fixture(scope="session")
def objects_root(tmp_path_factory):
    """The folder of which callers of ``server`` may name sounds by key."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture(scope="session")
def server(version, objects_root):
    """Where a server of ``version`` listens."""
    with running_server(version.uri, SETTINGS.model_copy(update={"objects_root": str(objects_root)})) as place:
        yield place


@pytest.fixture(scope="session")
def client(server):
    with EmbeddingClient(server.url) as made:
        yield made
