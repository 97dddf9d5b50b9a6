"""The one door to Grafana: puts the boards into a folder through its HTTP API and says what is there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from clsp.errors import ConfigError, EndpointError
from pipelines.dashboards.records import Board
from pipelines.dashboards.rendering import TAG, render_board

T = TypeVar("T")
FOLDER_UID = "clsp"
_MESSAGE = "clsp dashboards push"


class Grafana:
    """A Grafana and an account of it. Every method raises ``EndpointError`` with what to do next."""

    def __init__(self, url: str, token: str, timeout: float = 10.0) -> None:
        if not token:
            raise ConfigError(
                "Grafana needs a token",
                hint="make a service account with the role Editor and set CLSP_GRAFANA_TOKEN to its token",
            )
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigError(f"{url!r} is no URL of a Grafana", hint="write it whole, as https://grafana.example")
        from grafana_client import GrafanaApi  # requests and its friends take a moment to load

        self.url = url.rstrip("/")
        # The client puts "api" right behind the path of its URL.
        self._api = GrafanaApi.from_url(f"{self.url}/", credential=token, timeout=timeout)

    def push(self, boards: tuple[Board, ...], folder: str) -> list[str]:
        """Make the folder and put every board into it, over an older one; the boards' URLs."""
        place = self._folder(folder)
        return [self._put(board, place) for board in boards]

    def boards(self) -> list[dict[str, Any]]:
        """Boards of ours that Grafana has: uid, title, folder and URL."""
        found = self._ask(lambda: self._api.search.search_dashboards(tag=TAG, type_="dash-db"))
        return [
            {"uid": one["uid"], "title": one["title"], "folder": one.get("folderTitle", ""), "url": self._link(one)}
            for one in found
        ]

    def _folder(self, title: str) -> str:
        from grafana_client.client import GrafanaClientError

        with _explained(self.url):
            try:
                return str(self._api.folder.get_folder(FOLDER_UID)["uid"])
            except GrafanaClientError as error:
                if error.status_code != 404:
                    raise
            return str(self._api.folder.create_folder(title, FOLDER_UID)["uid"])

    def _put(self, board: Board, folder: str) -> str:
        body = {"dashboard": render_board(board), "folderUid": folder, "overwrite": True, "message": _MESSAGE}
        return self._link(self._ask(lambda: self._api.dashboard.update_dashboard(body)))

    def _link(self, answer: dict[str, Any]) -> str:
        # Grafana's own paths already hold the sub-path that it is served under.
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{answer['url']}"

    def _ask(self, call: Callable[[], T]) -> T:
        with _explained(self.url):
            return call()


@contextmanager
def _explained(url: str) -> Iterator[None]:
    from grafana_client.client import GrafanaClientError, GrafanaException
    from requests.exceptions import RequestException

    try:
        yield
    except GrafanaClientError as error:
        raise EndpointError(f"Grafana refused: {error.message}", hint=_HINTS.get(error.status_code, _OTHER)) from error
    except GrafanaException as error:
        raise EndpointError(f"Grafana failed: {error.message}", hint="look at its log and push again") from error
    except (RequestException, ValueError, KeyError, TypeError) as error:
        raise EndpointError(
            f"{url} did not answer as Grafana does ({type(error).__name__})", hint="check the URL and that it is up"
        ) from error


_OTHER = "check the URL, and the version of Grafana (10 or later)"
_HINTS = {
    401: "the token is wrong or has ended: make another and set CLSP_GRAFANA_TOKEN",
    403: "give the service account the role Editor",
    412: "a board of this name was provisioned by a file or a ConfigMap: change it there",
}
