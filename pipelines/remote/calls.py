"""One way to call the KFP API: with a deadline, again where a repeat is harmless, and errors that say what to do next.

Kubeflow's own client brings connection and credentials; its calls are made with a deadline each, since an API behind
a dead proxy never answers.
"""

import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from kfp_server_api.exceptions import ApiException

from clsp.config import KfpSettings
from clsp.errors import ConfigError, KfpError
from clsp.logs import get_logger

TOKEN_VARIABLE = "CLSP_KFP_TOKEN"  # noqa: S105 - a name, not a token
_ACCOUNT_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"  # noqa: S105 - where KFP projects one
_PASSING = frozenset({0, 408, 429, 500, 502, 503, 504})
log = get_logger(__name__)


class NotFoundError(KfpError):
    """What was asked for is not in KFP."""


class ExistsError(KfpError):
    """What was to be made is in KFP already."""


@dataclass(frozen=True)
class Calls:
    """The services of a KFP API and how patiently they are called."""

    client: Any
    settings: KfpSettings

    def read(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call what may be repeated: again after an overloaded server or a cut connection; else ``KfpError``."""
        for attempt in range(1, self.settings.attempts + 1):
            try:
                return self.write(call, *arguments, **options)
            except _PassingError as error:
                if attempt == self.settings.attempts:
                    raise KfpError(f"{error.args[0]} ({attempt} tries)", hint=_reach_hint(self.settings.url)) from error
                log.warning("kfp_retry", attempt=attempt, reason=str(error.args[0]))
                time.sleep(self.settings.backoff_seconds * 2 ** (attempt - 1))
        raise AssertionError("attempts is at least 1")

    def write(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call once; ``_PassingError`` when nobody can know whether it happened."""
        try:
            answer = call(*arguments, _request_timeout=self.settings.timeout_seconds, **options)
        except ApiException as error:
            raise _translated(error, self.settings.url) from error
        except urllib3.exceptions.HTTPError as error:
            raise _PassingError(f"the KFP API at {self.settings.url} does not answer ({_cause(error)})") from error
        except (TypeError, ValueError, AttributeError) as error:  # not the JSON of its OpenAPI
            raise _stranger(self.settings.url) from error
        if "html" in (self.client.runs.api_client.last_response.getheader("Content-Type") or ""):
            raise _stranger(self.settings.url)
        return answer

    def settle(self, find: Callable[[], Any | None], make: Callable[[], Any]) -> Any:
        """What ``find`` finds, else what ``make`` makes, once: after a cut connection it is looked for again."""
        for attempt in range(1, self.settings.attempts + 1):
            if (found := find()) is not None:
                return found
            try:
                return make()
            except (_PassingError, ExistsError) as error:
                if attempt == self.settings.attempts:
                    raise
                log.warning("kfp_retry", attempt=attempt, reason=str(error.args[0]))
                time.sleep(self.settings.backoff_seconds * 2 ** (attempt - 1))
        raise AssertionError("attempts is at least 1")

    def pages(self, call: Callable[..., Any], field: str, **options: Any) -> Iterator[Any]:
        """Every entry of a listing, a page at a time."""
        token = ""
        while True:
            page = self.read(call, page_token=token, page_size=self.settings.page_size, **options)
            yield from getattr(page, field, None) or ()
            token = page.next_page_token or ""
            if not token:
                return


class _PassingError(KfpError):
    """The API is overloaded or out of reach; another try may succeed."""


def connect(settings: KfpSettings) -> Calls:
    """Connect to the API of ``settings.url``; ``ConfigError`` where there is none."""
    if not settings.url.startswith(("http://", "https://")):
        raise ConfigError(f"{settings.url!r} is not the URL of a KFP API", hint="give --kfp http://HOST:PORT")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kfp

        # A namespace keeps the client from asking for the health at once, five times, five seconds apart.
        client = kfp.Client(
            host=settings.url,
            namespace=settings.namespace or "default",
            existing_token=os.environ.get(TOKEN_VARIABLE) or None,
            credentials=_account_credentials(),
            ssl_ca_cert=settings.ca_file or None,
        )
    return Calls(client, settings)


def _account_credentials() -> Any:
    from kfp.client import ServiceAccountTokenVolumeCredentials

    path = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH", _ACCOUNT_TOKEN)
    return ServiceAccountTokenVolumeCredentials(path) if Path(path).exists() else None


def _translated(error: ApiException, url: str) -> KfpError:
    message = _message(error)
    if error.status in {401, 403}:
        return KfpError(
            f"the KFP API refused the credentials: {message}",
            hint=f"set {TOKEN_VARIABLE}; with several users also kfp.namespace to one you may use",
        )
    if error.status == 404:
        return NotFoundError(f"KFP does not have it: {message}", hint="list what it has with: clsp runs list --kfp URL")
    if error.status == 409:
        return ExistsError(f"KFP has it already: {message}", hint="choose another name")
    if error.status in _PASSING:
        return _PassingError(f"the KFP API at {url} failed ({error.status}): {message}", hint=_reach_hint(url))
    return KfpError(f"KFP refused the request ({error.status}): {message}", hint="the message is KFP's own")


def _stranger(url: str) -> KfpError:
    return KfpError(f"{url} did not answer as KFP does", hint="give the URL of the API, past any login page")


def _message(error: ApiException) -> str:
    """The sentence of an error body ``{"error": …, "code": …, "message": …}``, or of the status line."""
    try:
        document = json.loads(error.body)
        return str(document.get("message") or document.get("error") or error.reason)
    except (TypeError, ValueError, AttributeError):
        return str(error.reason)


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return type(reason).__name__ if isinstance(reason, Exception) else type(error).__name__


def _reach_hint(url: str) -> str:
    return f"see that {url} is right and up; from outside: kubectl -n kubeflow port-forward svc/ml-pipeline 8888"
