"""Who we are at an S3 endpoint: keys in the environment, a web identity, or what the container's agent hands out.

The last two are given for an hour or so. They are renewed well before they end, in whatever thread asks next, and
neither they nor the tokens that they are exchanged for get into a log or an error.
"""

import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3
from minio.credentials import Credentials, IamAwsProvider, Provider, StaticProvider

from clsp.errors import ConfigError, StorageError
from clsp.logs import get_logger

log = get_logger(__name__)
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
TOKEN_FILE, ROLE, STS = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ENDPOINT_URL_STS"
CONTAINER = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
WAYS = (
    f"set {' and '.join(KEYS)} (and AWS_ENDPOINT_URL), or give the pod's service account an identity: "
    f"{TOKEN_FILE} with {ROLE} (EKS; with {STS} also MinIO), or {CONTAINER[0]} (EKS Pod Identity)"
)
_AHEAD = timedelta(minutes=5)
_PAUSE = timedelta(seconds=30)
_TIMEOUT = urllib3.Timeout(connect=5, read=15)
_RETRIES = urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods=None)
_UNREAD = "error in reading file "  # how minio says that a token cannot be read


def find_credentials(environment: Mapping[str, str]) -> Provider:
    """What gives the credentials that ``environment`` describes, in the order of the AWS SDKs.

    Raises:
        ConfigError: it describes none, or half of one; the message says which half is missing.
    """
    access, secret = (environment.get(name, "") for name in KEYS)
    if access and secret:
        return StaticProvider(access, secret, environment.get("AWS_SESSION_TOKEN") or None)
    if access or secret:
        raise ConfigError(f"an s3:// store needs credentials: {KEYS[bool(access)]} is missing", hint=WAYS)
    if environment.get(TOKEN_FILE):
        return _web_identity(environment)
    if any(environment.get(name) for name in CONTAINER):
        return Renewed(lambda: IamAwsProvider(http_client=_pool()), "the container's credentials agent")
    raise ConfigError("an s3:// store needs credentials", hint=WAYS)


def _web_identity(environment: Mapping[str, str]) -> Provider:
    service = environment.get(STS)
    if not service and not environment.get(ROLE):
        raise ConfigError(
            f"{TOKEN_FILE} is set, and {ROLE} is missing",
            hint="annotate the service account with eks.amazonaws.com/role-arn (store.workloadIdentity.annotations)",
        )
    return Renewed(
        lambda: IamAwsProvider(custom_endpoint=service, http_client=_FormPool(timeout=_TIMEOUT, retries=_RETRIES)),
        "the security token service",
    )


class Renewed:
    """Credentials of a source, asked for again five minutes before they end; safe to share between threads.

    While the source fails, those at hand are used to their last second.
    """

    def __init__(self, source: Callable[[], Provider], name: str, now: Callable[[], datetime] | None = None) -> None:
        self._source = source
        self._name = name
        self._now = now or (lambda: datetime.now(UTC).replace(tzinfo=None))
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._next = datetime.min

    def retrieve(self) -> Credentials:
        """The credentials of now; raises ``StorageError`` when there are none, without a word of what is secret."""
        with self._lock:
            held, now = self._held, self._now()
            if held is None or now >= self._next:
                self._held = held = self._renew(held, now)
            return held

    def _renew(self, held: Credentials | None, now: datetime) -> Credentials:
        try:
            # A new provider each time: one of minio's own keeps what it has until ten seconds before its end.
            given = self._source().retrieve()
        except (ValueError, KeyError, OSError, urllib3.exceptions.HTTPError) as error:
            if held is None or held.expiration is None or held.expiration <= now:
                raise StorageError(f"{self._name} gave no credentials: {_reason(error)}", hint=_HINT) from None
            log.warning("credentials_not_renewed", source=self._name, reason=_reason(error), until=str(held.expiration))
            self._next = now + _PAUSE
            return held
        lasting = (given.expiration or datetime.max) - now
        self._next = now + max(lasting - _AHEAD, lasting / 2)
        return given


_HINT = (
    f"check the service account's identity and its trust: {TOKEN_FILE}, {ROLE} and {STS}, or {CONTAINER[0]} and "
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; clsp doctor --store tries them"
)


def _reason(error: Exception) -> str:
    """What went wrong, without the URL that minio's own words repeat: a query may hold a token."""
    if isinstance(error, _RefusedError) or str(error).startswith(_UNREAD):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    status = re.search(r"status code (\d+)$", str(error))
    return f"HTTP {status[1]}" if status else type(error).__name__


class _RefusedError(ValueError):
    """The token service said no."""


class _FormPool(urllib3.PoolManager):
    """Sends a query as the form that STS takes as well: logs and errors tell URLs, and this one holds a token."""

    def urlopen(self, method: str, url: str, **more: Any) -> Any:  # type: ignore[override]
        address, _, query = url.partition("?")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = super().urlopen(method, address, **{**more, "redirect": False, "body": query, "headers": headers})
        if answer.status != 200:
            code = re.search(rb"<Code>([A-Za-z0-9.]+)</Code>", answer.data)
            raise _RefusedError(f"{address} says {code[1].decode() if code else 'no'} (HTTP {answer.status})")
        return answer


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(timeout=_TIMEOUT, retries=_RETRIES)
