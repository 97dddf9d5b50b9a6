"""One undisturbed run of the whole flow on a very small synthetic corpus: what every other run must equal.

Its store is on S3. The killed run's is in a folder: that their manifests are the same says so of both kinds of store.
"""

import uuid
from pathlib import Path

import pytest

from clsp.config import Config, load_config
from clsp.storage import open_store
from tests.flow.small_flow import SMALL, Flow, remember, run_small_flow, write_small_corpus


@pytest.fixture(scope="session")
def small_config() -> Config:
    return load_config(str(SMALL))


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory) -> Path:
    return write_small_corpus(tmp_path_factory.mktemp("corpus") / "audio")


@pytest.fixture(scope="session")
def undisturbed(small_corpus, small_config, s3_server, pytestconfig) -> Flow:
    store = f"s3://{s3_server.bucket}/{uuid.uuid4().hex}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        reports = run_small_flow(small_corpus, store, "undisturbed", small_config)
        remember(pytestconfig, reports)
        return Flow(small_corpus, small_config, open_store(store), reports)
