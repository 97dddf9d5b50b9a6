"""KServe's ModelServer, bound to the address we choose, with our routes, limits, errors and an orderly end.

On SIGTERM it drains (see departure.py), takes no more connections, finishes what it accepted within the grace time, and
exits with 0; on SIGHUP it looks for new versions of what it serves.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import uvicorn
from starlette.types import ASGIApp

from clsp.config.serving import ServeSettings
from clsp.errors import ConfigError
from clsp.logs import get_logger
from clsp.version import __version__
from serving.access import Access
from serving.answers import add_error_answers
from serving.body_limit import BodyLimit
from serving.catalogue import Catalogue
from serving.departure import Departure, Farewell
from serving.docs import add_docs
from serving.grpc_server import start_grpc
from serving.keys import ApiKeys
from serving.kserve_sdk import (
    DataPlane,
    InferenceServicer,
    InferRequest,
    InvalidInput,
    ModelRepositoryExtension,
    ModelServer,
    RESTServer,
    app,
)
from serving.protocols import EmbedderModel, forbidden
from serving.refresh import Refresher
from serving.routes import build_router
from serving.service import EmbeddingService

log = get_logger(__name__)


class EmbeddingServer(ModelServer):  # type: ignore[misc]
    """One process that serves what is in the catalogue over HTTP and gRPC until it is told to stop."""

    def __init__(self, catalogue: Catalogue, service: EmbeddingService, refresher: Refresher) -> None:
        settings = service.settings
        super().__init__(
            http_port=settings.port,
            grpc_port=settings.grpc_port,
            enable_grpc=settings.grpc,
            enable_latency_logging=False,
            grace_period=settings.grace_seconds,
        )
        self._catalogue = catalogue
        self._service = service
        self._refresher = refresher
        self._settings = settings
        self._keys = ApiKeys(settings.api_keys_file)
        self._departure = Departure(settings.drain_seconds)
        self.dataplane = _Reader(self.registered_models, self._departure)
        self.model_repository_extension = _FixedRepository(model_registry=self.registered_models)
        for served in catalogue:
            self.register_model(EmbedderModel(served.name, catalogue, service))

    def run(self) -> None:
        """Serve; returns when a SIGTERM or SIGINT has been obeyed."""
        listener = _bind(self._settings)
        asyncio.run(self._run(listener))

    async def _run(self, listener: socket.socket) -> None:
        self._service.start()
        for served in self._catalogue:
            await self._service.warm_up(served)
        gc.collect()
        gc.freeze()  # a million objects of libraries: looking through them halts every thread for a fifth of a second
        grpc, grpc_port = None, 0
        if self._settings.grpc:
            servicer = InferenceServicer(self.dataplane, self.model_repository_extension)
            grpc, grpc_port = await start_grpc(servicer, self._settings, self._keys)
        config = _uvicorn_config(self._application(), self._settings)
        http = _Http(config, lambda: _announce(listener, grpc_port, self._settings))
        _on_signals(self._departure, self._refresher)
        refreshing = asyncio.create_task(self._refresher.run())
        stopping = asyncio.create_task(self._stop(http, grpc))
        await http.serve(sockets=[listener])
        refreshing.cancel()
        self._departure.end()
        await stopping
        await asyncio.to_thread(self._service.close)
        log.info("server_stopped")

    async def _stop(self, http: uvicorn.Server, grpc: Any) -> None:
        """Both servers stop at once, so that the grace time is one and not two."""
        await self._departure.over()
        http.should_exit = True
        if grpc:
            await grpc.stop(self._settings.grace_seconds)

    def _application(self) -> ASGIApp:
        app.title, app.version = "CLSP embeddings", __version__
        app.include_router(build_router(self._catalogue, self._service))  # before KServe's /v1/models
        rest = RESTServer("", self.dataplane, self.model_repository_extension, self.http_port)
        rest.create_application()
        add_docs(app)
        add_error_answers(app)
        limited = BodyLimit(app, self._settings.max_body_bytes)
        access = Access(limited, self._keys, logged=self._settings.access_log)  # a stranger's body is not even read
        return Farewell(access, self._departure)


class _Reader(DataPlane):  # type: ignore[misc]
    """KServe's reading of V2 bodies, whose accidents over bad ones are the caller's errors and not ours.

    Not ready once the server departs.
    """

    def __init__(self, models: Any, departure: Departure) -> None:
        super().__init__(model_registry=models)
        self._departure = departure

    async def ready(self) -> bool:
        return not self._departure.begun

    def decode_inference_request(self, body: Any, headers: Any, model_name: str) -> InferRequest:
        try:
            return super().decode_inference_request(body, headers, model_name)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput("the body is no V2 inference request, or is split where it does not end") from error


class _FixedRepository(ModelRepositoryExtension):  # type: ignore[misc]
    """A caller may not load or unload models."""

    async def load(self, model_name: str) -> None:  # noqa: ARG002
        raise forbidden("loading models")

    async def unload(self, model_name: str) -> None:  # noqa: ARG002
        raise forbidden("unloading models")


class _Http(uvicorn.Server):
    """Uvicorn that says when it is ready and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn_config(application: ASGIApp, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.grace_seconds,
        ssl_certfile=settings.tls_cert_file or None,
        ssl_keyfile=settings.tls_key_file or None,
    )


def _bind(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only on sockets that name the protocol: else they wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", hint="choose another host or port"
        ) from error
    return listener


def _announce(listener: socket.socket, grpc_port: int, settings: ServeSettings) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.tls_cert_file else "http"
    place = {"url": f"{scheme}://{shown}:{port}", "grpc": f"{shown}:{grpc_port}" if grpc_port else ""}
    sys.stdout.write(orjson.dumps(place).decode() + "\n")
    sys.stdout.flush()


def _on_signals(departure: Departure, refresher: Refresher) -> None:
    def stop() -> None:
        log.info("server_draining")
        departure.begin()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, refresher.ask)
