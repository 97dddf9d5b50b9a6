"""An object store on any S3 endpoint (MinIO, SeaweedFS, AWS …) through the minio client.

Credentials come from the environment only (see ``credentials.py``) and never appear in a URI, a manifest or an error.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error

from clsp.errors import StorageError

_ABSENT = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchBucket", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"})


class S3Store:
    """Implements ``ObjectStore`` under ``bucket/prefix`` of an endpoint."""

    def __init__(self, client: Minio, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @property
    def uri(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def get(self, key: str) -> bytes:
        return self._read(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self._read(key, start, length) if length else b""

    def get_file(self, key: str, path: Path) -> None:
        with _explained(key):
            self._client.fget_object(self._bucket, self._name(key), str(path))

    def put_blob(self, key: str, data: bytes) -> None:
        with _explained(key):
            self._client.put_object(self._bucket, self._name(key), io.BytesIO(data), len(data))

    def put_file(self, key: str, path: Path) -> None:
        with _explained(key):
            self._client.fput_object(self._bucket, self._name(key), str(path))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        # The client's public put_object cannot send If-None-Match; its request method signs any header.
        with _explained(key):
            try:
                self._client._execute("PUT", self._bucket, self._name(key), body=data, headers={"If-None-Match": "*"})
            except S3Error as error:
                if error.code in _TAKEN:
                    return False
                raise
            return True

    def exists(self, key: str) -> bool:
        with _explained(key):
            try:
                self._client.stat_object(self._bucket, self._name(key))
            except S3Error as error:
                if error.code in _ABSENT:
                    return False
                raise
            return True

    def list(self, prefix: str) -> Iterator[str]:
        with _explained(prefix):
            found = self._client.list_objects(self._bucket, self._name(prefix), recursive=True)
            yield from sorted(str(item.object_name)[len(self._prefix) :] for item in found)

    def delete(self, key: str) -> None:
        with _explained(key):
            self._client.remove_object(self._bucket, self._name(key))

    def _name(self, key: str) -> str:
        if key.startswith("/") or ".." in key.split("/"):
            raise StorageError(f"object key {key!r} leaves its prefix", hint="keys are relative, without '..'")
        return self._prefix + key

    def _read(self, key: str, start: int = 0, length: int = 0) -> bytes:
        with _explained(key):
            response = self._client.get_object(self._bucket, self._name(key), offset=start, length=length)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()


@contextmanager
def _explained(key: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise _translated(key, error.code) from error
    except InvalidResponseError as error:
        raise StorageError(
            f"the endpoint did not answer as S3 does for {key!r}", hint="check AWS_ENDPOINT_URL"
        ) from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise StorageError(
            f"cannot reach the object store for {key!r} ({type(error).__name__})",
            hint="check AWS_ENDPOINT_URL and that the server is up",
        ) from error


def _translated(key: str, code: str | None) -> StorageError:
    if code in _ABSENT:
        return StorageError(f"no object {key!r} ({code})", hint="check bucket, prefix and the manifest that names it")
    if code in _DENIED:
        return StorageError(
            f"the object store refused the credentials for {key!r} ({code})",
            hint="check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the workload identity, and its policy",
        )
    return StorageError(f"the object store failed on {key!r} ({code})", hint="try again; then look at the server's log")
