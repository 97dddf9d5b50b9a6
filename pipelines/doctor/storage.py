"""The object store, by doing what steps do: put, get, list, commit once and delete, with the very same credentials."""

import os
import secrets
from urllib.parse import urlsplit

from clsp.errors import ClspError
from clsp.storage import ObjectStore, open_store
from pipelines.doctor.records import Finding, Release, fails, skipped, works

PART = "storage"
_CONTENT = b"clsp doctor: may be deleted\n"


def check_storage(release: Release) -> list[Finding]:
    """One real round trip below ``doctor/`` in the store; nothing of it stays."""
    if not release.store:
        return [skipped(PART, "no store is named", "give --store s3://BUCKET/PREFIX, or set CLSP_STORE")]
    try:
        store = open_store(release.store)
        _round_trip(store, f"doctor/{secrets.token_hex(8)}")
    except ClspError as error:
        return [fails(PART, f"{release.store}: {Exception.__str__(error)}{_where(release.store)}", error.hint)]
    return [works(PART, f"{store.uri}: put, get, list, commit once and delete work")]


def _round_trip(store: ObjectStore, key: str) -> None:
    try:
        store.put_blob(key, _CONTENT)
        if store.get(key) != _CONTENT or key not in store.list("doctor/"):
            raise ClspError("what was put is not what is there", hint="use a store that lists what it has just taken")
        if store.put_if_absent(key, b"other"):
            raise ClspError(
                "the store overwrites what must be committed once",
                hint="use an S3 server that honours If-None-Match (MinIO, SeaweedFS, AWS): hand-overs rely on it",
            )
    finally:
        store.delete(key)


def _where(uri: str) -> str:
    if urlsplit(uri).scheme != "s3":
        return ""
    return f" (endpoint {os.environ.get('AWS_ENDPOINT_URL', 'https://s3.amazonaws.com')})"
