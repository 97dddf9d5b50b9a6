"""Workload identity against a real S3 server: exchanged, renewed in time, refused with a reason, never told."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from minio.credentials import Credentials, Provider

from clsp.errors import ConfigError, StorageError
from clsp.storage import open_store
from clsp.storage.credentials import Renewed, find_credentials
from tests.storage.fake_identity import Identity, serve_identity

NOON = datetime(2026, 1, 1, 12)


@pytest.fixture
def identity(s3_environment, monkeypatch):
    """A service that gives the S3 server's keys; this process has none of its own."""
    with serve_identity(Identity(s3_environment.access_key, s3_environment.secret_key)) as service:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        yield service


@pytest.fixture
def web_identity(identity, monkeypatch, tmp_path):
    """As EKS sets pods up: a projected token and a role."""
    token = tmp_path / "token"
    token.write_text(identity.token)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", identity.role)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", identity.url)
    return token


@pytest.fixture
def pod_identity(identity, monkeypatch, tmp_path):
    """As EKS Pod Identity sets pods up: an agent, and a token for it."""
    token = tmp_path / "agent-token"
    token.write_text(identity.token)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{identity.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
    return token


def use(uri="s3://clsp/identity"):
    store = open_store(uri)
    store.put_blob("x", b"1")
    return store.get("x")


def test_a_web_identity_is_exchanged_for_keys(identity, web_identity):
    assert use() == b"1"
    (asked,) = identity.asked
    assert asked["RoleArn"] == identity.role


def test_the_agent_of_a_pod_gives_keys(identity, pod_identity):
    assert use() == b"1"
    assert identity.asked == [{"Authorization": identity.token}]


def test_keys_of_the_environment_come_first(identity, web_identity, s3_environment, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_environment.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_environment.secret_key)
    assert use() == b"1"
    assert not identity.asked


def test_a_rotated_token_is_read_again(identity, web_identity):
    identity.lasting = timedelta(seconds=2)
    store = open_store("s3://clsp/identity")
    store.put_blob("x", b"1")
    identity.token = "another-signed-token"
    web_identity.write_text(identity.token)
    while len(identity.asked) < 2:
        assert store.get("x") == b"1"
    assert identity.asked[-1]["WebIdentityToken"] == "another-signed-token"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda identity, token: token.write_text("forged"), "InvalidIdentityToken (HTTP 400)"),
        (lambda identity, token: setattr(identity, "role", "another"), "AccessDenied (HTTP 403)"),
        (lambda identity, token: token.unlink(), "error in reading file"),
    ],
    ids=["token", "role", "file"],
)
def test_a_refusal_says_why(identity, web_identity, fault, says):
    fault(identity, web_identity)
    with pytest.raises(StorageError) as caught:
        use()
    assert says in str(caught.value)
    assert "AWS_ROLE_ARN" in caught.value.hint


@pytest.mark.parametrize("way", ["web_identity", "pod_identity"])
def test_nothing_secret_is_told(identity, way, request, caplog, monkeypatch):
    """Whatever fails, at the level at which libraries talk most: neither the token nor the keys."""
    token = request.getfixturevalue(way)
    monkeypatch.setattr("clsp.storage.credentials._RETRIES", 1)
    caplog.set_level(logging.DEBUG)
    told = []
    assert use() == b"1"
    identity.down = True
    with pytest.raises(StorageError) as caught:
        use()
    told.append(str(caught.value))
    identity.down = False
    token.write_text("forged-and-secret")
    with pytest.raises(StorageError) as caught:
        use()
    told += [str(caught.value), caplog.text]
    assert caught.value.__suppress_context__, "a traceback would show the cause, and with it the URL"
    for secret in (identity.token, identity.secret, "forged-and-secret"):
        assert secret not in "".join(told)


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "an s3:// store needs credentials"),
        ({"AWS_ACCESS_KEY_ID": "a"}, "AWS_SECRET_ACCESS_KEY is missing"),
        ({"AWS_SECRET_ACCESS_KEY": "a"}, "AWS_ACCESS_KEY_ID is missing"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, "AWS_ROLE_ARN is missing"),
    ],
)
def test_what_is_missing_is_named(environment, missing):
    with pytest.raises(ConfigError, match=missing) as caught:
        find_credentials(environment)
    assert caught.value.hint


class Source(Provider):
    """Credentials for an hour, numbered; or nothing."""

    def __init__(self, clock):
        self.clock, self.given, self.down = clock, 0, False

    def retrieve(self):
        if self.down:
            raise ValueError("http://sts/?WebIdentityToken=secret failed with HTTP status code 503")
        self.given += 1
        return Credentials(f"key-{self.given}", "secret", "token", self.clock[0] + timedelta(hours=1))


@pytest.fixture
def renewed():
    clock = [NOON]
    source = Source(clock)
    return clock, source, Renewed(lambda: source, "the test's source", lambda: clock[0])


def test_credentials_are_renewed_five_minutes_before_they_end(renewed):
    clock, source, provider = renewed
    for minutes, key in [(0, "key-1"), (54, "key-1"), (55, "key-2"), (109, "key-2"), (110, "key-3")]:
        clock[0] = NOON + timedelta(minutes=minutes)
        assert provider.retrieve().access_key == key
    assert source.given == 3


def test_a_source_that_is_down_costs_nothing_until_the_last_second(renewed):
    clock, source, provider = renewed
    provider.retrieve()
    source.down = True
    for minutes in (55, 59.9):
        clock[0] = NOON + timedelta(minutes=minutes)
        assert provider.retrieve().access_key == "key-1"
    clock[0] = NOON + timedelta(minutes=61)
    with pytest.raises(StorageError, match="HTTP 503") as caught:
        provider.retrieve()
    assert "secret" not in str(caught.value)
    source.down = False
    assert provider.retrieve().access_key == "key-2"


def test_threads_share_one_exchange(renewed):
    _, source, provider = renewed
    with ThreadPoolExecutor(8) as threads:
        assert {held.access_key for held in threads.map(lambda _: provider.retrieve(), range(32))} == {"key-1"}
    assert source.given == 1
