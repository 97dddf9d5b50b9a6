"""What goes wrong with a real S3 server has a name and a hint, and never shows a secret."""

import pytest

from clsp.errors import ConfigError, StorageError
from clsp.storage import open_store


def refused(monkeypatch, uri, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError) as caught:
        open_store(uri).put_blob("key", b"x")
    return caught.value


def test_a_wrong_secret_is_refused(s3_environment, monkeypatch):
    error = refused(monkeypatch, f"s3://{s3_environment.bucket}/x", AWS_SECRET_ACCESS_KEY="wrong-wrong")
    assert "refused the credentials" in str(error)
    assert "AWS_SECRET_ACCESS_KEY" in error.hint
    assert "wrong-wrong" not in str(error)


def test_an_unknown_key_is_refused(s3_environment, monkeypatch):
    error = refused(monkeypatch, f"s3://{s3_environment.bucket}/x", AWS_ACCESS_KEY_ID="nobody")
    assert "refused the credentials" in str(error)


def test_a_wrong_secret_cannot_ask_whether_an_object_exists(s3_environment, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-wrong")
    with pytest.raises(StorageError):
        open_store(f"s3://{s3_environment.bucket}/x").exists("key")


def test_a_server_that_is_down_is_named(s3_environment, monkeypatch):
    monkeypatch.setattr("clsp.storage.open._RETRIES", False)
    error = refused(monkeypatch, "s3://clsp/x", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert "cannot reach" in str(error)
    assert "AWS_ENDPOINT_URL" in error.hint


def test_no_credentials_no_store(s3_environment, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigError, match="credentials"):
        open_store("s3://clsp/x")


def test_prefixes_do_not_see_each_other(s3_store):
    s3_store.put_blob("one", b"1")
    assert list(open_store(f"{s3_store.uri}2").list("")) == []
