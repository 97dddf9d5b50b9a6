"""Endpoints that serve an alias, as the chart's values name one: a release moves the alias when it promotes.

The values then stay true, and the next upgrade of the chart undoes nothing. An alias that every new version takes over
(``latest``) is followed by the servers themselves and leaves nothing to release.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clsp.errors import ClusterError, StorageError
from clsp.registry import current_alias, move_alias, parse_uri, resolve
from clsp.registry.references import FOLDER, parse_reference
from clsp.storage import open_store
from components.kubernetes.objects import Object


@dataclass(frozen=True)
class Alias:
    """``name@label`` of a store; ``uri`` is how an endpoint names it."""

    store: str
    name: str
    label: str

    @property
    def uri(self) -> str:
        """STORE/models/NAME@ALIAS."""
        return f"{self.store}/{FOLDER}/{self.name}@{self.label}"

    def current(self) -> str | None:
        """The version that it means."""
        return current_alias(open_store(self.store), self.name, self.label)

    def move(self, version: str, expected: str) -> bool:
        """Let it mean ``version``; False when it no longer means ``expected``."""
        return move_alias(open_store(self.store), self.name, self.label, version, expected)


def pinned(uri: str) -> str:
    """The URI of the version that ``uri`` means now, so that a release is of one version however aliases move."""
    if (parsed := parse_uri(uri)) is None:
        raise ClusterError(
            f"{uri!r} is no version in a store",
            hint="servers fetch STORE/models/NAME/VERSION or STORE/models/NAME@ALIAS",
        )
    return resolve(open_store(parsed[0]), parsed[1]).uri


def followed_alias(stable: Object, uri: str) -> Alias | None:
    """The alias that an InferenceService serves, where it can come to mean the version at ``uri``; None for others."""
    arguments = stable["spec"]["predictor"].get("model", {}).get("args", ())
    served, wanted = parse_uri(arguments[0]) if arguments else None, parse_uri(uri)
    if served is None or wanted is None or served[0] != wanted[0] or "@" not in served[1]:
        return None
    reference = parse_reference(served[1])
    if reference.name != parse_reference(wanted[1]).name:
        return None
    return Alias(served[0], reference.name, reference.label)


def refuse_followers(aliases: Iterable[Alias], version: str) -> None:
    """``ClusterError`` when an alias means the version already: its servers have it, or are about to."""
    for alias in aliases:
        if alias.current() == version:
            raise ClusterError(
                f"the endpoints follow {alias.name}@{alias.label}, which means version {version} already",
                hint="let serving.model.uri name an alias that only releases move, such as "
                f"{alias.name}@production, or a version",
            )


@contextmanager
def moved(aliases: Iterable[Alias], version: str) -> Iterator[None]:
    """The aliases mean ``version`` from now on; what they meant before again when the block fails."""
    done: list[tuple[Alias, str]] = []
    try:
        for alias in aliases:
            before = alias.current() or ""
            if not alias.move(version, before):
                raise StorageError(f"somebody else moves {alias.uri}", hint="find out who, and release again")
            done.append((alias, before))
        yield
    except BaseException:
        for alias, before in done:
            alias.move(before, version)
        raise
