"""Hot swap: when a name comes to mean another version, that is loaded beside the old one and takes its place.

Asked for by SIGHUP, or by itself now and then for aliases. Whatever goes wrong leaves the version before in force.
"""

import asyncio
from dataclasses import dataclass, replace

from clsp.config.serving import ServeSettings
from clsp.errors import ClspError, ModelError
from clsp.logs import get_logger
from clsp.model.embedding import EmbeddingModel
from clsp.model.loading import load_for_serving, version_mark
from serving import metrics
from serving.catalogue import Catalogue, Served
from serving.places import Place
from serving.service import EmbeddingService

log = get_logger(__name__)


@dataclass(frozen=True)
class Watched:
    """A served name, where it comes from, and the mark of the version that was found there."""

    name: str
    place: Place
    mark: str


class Refresher:
    """Loads the first versions, and later ones as their places change."""

    def __init__(self, catalogue: Catalogue, service: EmbeddingService) -> None:
        self._catalogue = catalogue
        self._service = service
        self._watched: list[Watched] = []
        self._asked = asyncio.Event()

    def load(self, places: list[Place]) -> None:
        """Load what is served from the start; raises what is wrong with a model."""
        settings = self._service.settings
        for place in places:
            mark = version_mark(place.uri)
            model = _load(place.uri, settings)
            taken = {served.name for served in self._catalogue}
            chosen = replace(place, name=place.name or ("" if taken else settings.name))
            name = chosen.name_for(model.identity.name, taken)
            self._catalogue.add(self._service.open(name, model))
            self._watched.append(Watched(name, place, mark))

    def ask(self) -> None:
        """Look again now, at every place."""
        self._asked.set()

    async def run(self) -> None:
        """Look when asked, and at what moves by itself every ``refresh_seconds``; ends by being cancelled."""
        seconds = self._service.settings.refresh_seconds or None
        while True:
            try:
                await asyncio.wait_for(self._asked.wait(), seconds)
            except TimeoutError:
                await self.refresh([watched for watched in self._watched if watched.place.moves])
            else:
                self._asked.clear()
                await self.refresh(list(self._watched))

    async def refresh(self, among: list[Watched]) -> None:
        """Swap each name whose place holds another version than before."""
        for watched in among:
            try:
                mark = await asyncio.to_thread(version_mark, watched.place.uri)
                if mark != watched.mark:
                    await self._try(watched, mark)
            except ClspError as error:
                log.warning("model_not_found", name=watched.name, reason=str(error.args[0]))
            except Exception as error:
                metrics.SWAPS.labels(outcome="failed").inc()
                log.exception("model_not_swapped", name=watched.name, reason=type(error).__name__)

    async def _try(self, watched: Watched, mark: str) -> None:
        """Swap; a version that cannot be served is not tried again until the place holds another."""
        try:
            await self._swap(watched.name, watched.place.uri)
        except ModelError as error:
            metrics.SWAPS.labels(outcome="failed").inc()
            log.warning("model_refused", name=watched.name, reason=str(error.args[0]))
        self._watched[self._watched.index(watched)] = replace(watched, mark=mark)

    async def _swap(self, name: str, uri: str) -> None:
        before = self._catalogue.pick(name)
        model = await asyncio.to_thread(_load, uri, self._service.settings)
        served = self._service.open(name, model)
        _check_fits(before, served)
        served.lane.learn_from(before.lane)
        await self._service.warm_up(served)
        self._catalogue.swap(served)
        metrics.SWAPS.labels(outcome="ok").inc()
        log.info("model_swapped", name=name, before=before.identity.version, version=served.identity.version)


def _load(uri: str, settings: ServeSettings) -> EmbeddingModel:
    return load_for_serving(uri, settings.device, settings.dtype, settings)


def _check_fits(before: Served, after: Served) -> None:
    """Callers keep vectors side by side: another size needs another endpoint."""
    if before.model.dimension != after.model.dimension:
        raise ModelError(
            f"the new version has {after.model.dimension} dimensions, not {before.model.dimension}",
            hint="start another server for it",
        )
