"""What is served under which name. A name keeps its place while the version behind it is swapped.

A request picks its version once and keeps it to its end, so a swap changes no answer half-way and drops none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from clsp.errors import ConfigError
from clsp.model.embedding import EmbeddingModel
from clsp.records import ModelVersion
from serving import metrics
from serving.errors import RequestError
from serving.lanes import Lane


@dataclass(frozen=True, eq=False)
class Served:
    """One version in memory: what requests call it, the model, and where its work waits."""

    name: str
    model: EmbeddingModel
    lane: Lane

    @property
    def identity(self) -> ModelVersion:
        """Which version this is."""
        return self.model.identity

    def answers_to(self, name: str) -> bool:
        """Whether ``name`` means this version: its name, or that or the model's own with the version."""
        own, version = self.identity.name, self.identity.version
        return name in {self.name, *(f"{known}{sign}{version}" for known in (self.name, own) for sign in "/@")}


class Catalogue:
    """The versions that are served now, in the order they were named at the start."""

    def __init__(self) -> None:
        self._served: dict[str, Served] = {}

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def add(self, served: Served) -> None:
        """Serve another name; ``ConfigError`` when it is taken."""
        if served.name in self._served:
            raise ConfigError(
                f"two models would be called {served.name!r}", hint="name them: clsp serve MODEL other=MODEL"
            )
        self._put(served)

    def swap(self, served: Served) -> None:
        """Serve another version under a name that is there; what runs with the one before ends with that."""
        metrics.MODEL.remove(*_labels(self._served[served.name]))
        self._put(served)

    def pick(self, name: str) -> Served:
        """The version that ``name`` means ('' is the first that was named); ``RequestError`` 404 when there is none."""
        if not name:
            return next(iter(self._served.values()))
        exact = self._served.get(name) or next((each for each in self if each.answers_to(name)), None)
        if exact is None:
            known = ", ".join(self._served)
            raise RequestError(404, "model_not_found", "this server has no such model", hint=f"it serves {known}")
        return exact

    def _put(self, served: Served) -> None:
        self._served[served.name] = served
        metrics.MODEL.labels(*_labels(served)).set(1)


def _labels(served: Served) -> tuple[str, str, str]:
    return served.name, served.identity.version, served.identity.sha256
