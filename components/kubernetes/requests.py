"""One request to the API server: repeated while the trouble may pass, and explained when it does not.

Every request of ours may be repeated without harm (get, list, server-side apply, delete), so all of them are.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from clsp.errors import ClusterError
from clsp.logs import get_logger

log = get_logger(__name__)
T = TypeVar("T")
_APPLY, _JSON = "application/apply-patch+yaml", "application/json"
_PASSING = frozenset({0, 408, 429, 500, 502, 503, 504})
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Patience:
    """How long requests are repeated: ``tries`` times, waiting ``first_wait`` seconds, then twice that, …"""

    tries: int = 6
    first_wait: float = 0.25
    read_seconds: float = 30.0

    def wait(self, attempt: int, asked: str | None = None) -> None:
        """Sleep after this failed try; as long as the server asked for, if it did."""
        time.sleep(float(asked) if asked and asked.isdigit() else self.first_wait * 2 ** (attempt - 1))


class Requests:
    """Requests through the official client's ``ApiClient`` (authentication, TLS, connection pool)."""

    def __init__(self, api: Any, patience: Patience) -> None:
        self._api = api
        self._patience = patience

    def json(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The answer's JSON. Raises ``ClusterError``; ``AbsentError`` when there is no such thing."""
        return orjson.loads(self.read(method, path, query, body))

    def read(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> bytes:
        """The answer's bytes, whole."""

        def whole() -> bytes:
            with self._call(method, path, query or {}, body, self._patience.read_seconds) as response:
                return bytes(response.data)

        return self._repeat(f"{method} {path}", whole)

    def stream(self, path: str, query: Mapping[str, Any], seconds: float) -> Any:
        """An open answer, to be read line by line and closed; reading fails when nothing comes for ``seconds``."""
        return self._repeat(f"GET {path}", lambda: self._call("GET", path, query, None, seconds))

    def pause(self) -> None:
        """Wait as before a second try: for callers that repeat what broke on the way."""
        self._patience.wait(1)

    def _call(self, method: str, path: str, query: Mapping[str, Any], body: Any, seconds: float) -> Any:
        return self._api.call_api(
            path,
            method,
            query_params=list(query.items()),
            header_params={"Accept": "application/json", "Content-Type": _APPLY if method == "PATCH" else _JSON},
            body=body,
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _preload_content=False,
            _request_timeout=(_CONNECT_SECONDS, seconds),
        )

    def _repeat(self, what: str, call: Callable[[], T]) -> T:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        for attempt in range(1, self._patience.tries + 1):
            try:
                return call()
            except ApiException as error:
                if error.status not in _PASSING or attempt == self._patience.tries:
                    raise explain(what, error.status, error.body) from error
                self._patience.wait(attempt, (error.headers or {}).get("Retry-After"))
            except HTTPError as error:
                if attempt == self._patience.tries:
                    raise explain(what, 0, type(error).__name__) from error
                self._patience.wait(attempt)
            log.warning("cluster_request_repeated", request=what, attempt=attempt)
        raise AssertionError("the last try returns or raises")


class AbsentError(ClusterError):
    """The API server knows no such object, or no such kind."""


class ForbiddenError(ClusterError):
    """The account may not do this."""


class ExpiredError(ClusterError):
    """The version to watch from is too old: list again."""


def explain(what: str, status: int, body: Any) -> ClusterError:
    """The error of an answer that is final, with what its reader can do about it."""
    reason = _message(body)
    if status == 404:
        return AbsentError(f"{what}: {reason}", hint="is its operator installed? `clsp doctor` lists what is missing")
    if status == 410:
        return ExpiredError(f"{what}: {reason}")
    if status in (400, 422) or "admission webhook" in reason:  # webhooks answer 403 to what they do not like
        return ClusterError(
            f"the cluster refuses the object: {reason}", hint="look at the cluster section of the configuration"
        )
    if status in (401, 403):
        return ForbiddenError(
            f"not allowed: {reason}",
            hint="give the step's service account this verb (the chart's Role has it), or use another kubectl context",
        )
    return ClusterError(
        f"{what} failed ({status or 'no connection'}): {reason}",
        hint="check that the API server is up and reachable from here: kubectl get --raw /readyz",
    )


def _message(body: Any) -> str:
    try:
        return str(orjson.loads(body)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body.decode(errors="replace")[:500] if isinstance(body, bytes) else str(body)[:500]
