"""From a URI to a store: the one place that knows which kinds there are.

``file:///path`` or a plain path is a folder; ``s3://bucket/prefix`` is any S3 endpoint, found and signed by the usual
AWS_* environment variables.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio

from clsp.errors import ConfigError
from clsp.storage.credentials import find_credentials
from clsp.storage.local import LocalStore
from clsp.storage.objects import ObjectStore
from clsp.storage.s3 import S3Store

_TIMEOUT = urllib3.Timeout(connect=5, read=60)
_RETRIES = urllib3.Retry(total=4, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504))


def open_store(uri: str) -> ObjectStore:
    """Open the store at ``uri``; raises ``ConfigError`` for another scheme or missing S3 settings."""
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return S3Store(_client(), parts.netloc, parts.path)
    if parts.scheme == "file":
        return LocalStore(Path(parts.path))
    if parts.scheme == "":
        return LocalStore(Path(uri))
    raise ConfigError(f"unknown store {uri!r}", hint="use a folder, file:///path or s3://bucket/prefix")


def _client() -> Minio:
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "https://s3.amazonaws.com"))
    return Minio(
        endpoint=endpoint.netloc,
        credentials=find_credentials(os.environ),
        secure=endpoint.scheme == "https",
        region=os.environ.get("AWS_REGION", "us-east-1"),
        http_client=urllib3.PoolManager(timeout=_TIMEOUT, retries=_RETRIES, maxsize=16),
    )
