"""KServe's ModelServer, bound to the address we choose, with our routes, limits, errors and an orderly end.

On SIGTERM it takes no more connections, finishes what it accepted within the grace time, and exits with 0.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import orjson
import uvicorn
from fastapi import FastAPI

from clsp.config.serving import ServeSettings
from clsp.errors import ConfigError
from clsp.logs import get_logger
from serving.answers import StatusInterceptor, add_error_answers
from serving.authentication import Authentication, CallAuthentication
from serving.body_limit import BodyLimit
from serving.keys import ApiKeys
from serving.kserve_sdk import (
    InferenceServicer,
    ModelRepositoryExtension,
    ModelServer,
    RESTServer,
    add_GRPCInferenceServiceServicer_to_server,
    aio,
    app,
)
from serving.protocols import EmbedderModel, unsupported
from serving.routes import build_router
from serving.service import EmbeddingService

log = get_logger(__name__)


class EmbeddingServer(ModelServer):  # type: ignore[misc]
    """One process that serves one model over HTTP and gRPC until it is told to stop."""

    def __init__(self, service: EmbeddingService) -> None:
        settings = service.settings
        super().__init__(
            http_port=settings.port,
            grpc_port=settings.grpc_port,
            enable_grpc=settings.grpc,
            enable_latency_logging=False,
            grace_period=settings.grace_seconds,
        )
        self._service = service
        self._keys = ApiKeys(settings.api_keys_file)
        self.model_repository_extension = _FixedRepository(model_registry=self.registered_models)
        self.register_model(EmbedderModel(service))

    def run(self) -> None:
        """Serve; returns when a SIGTERM or SIGINT has been obeyed."""
        listener = _bind(self._service.settings)
        asyncio.run(self._run(listener))

    async def _run(self, listener: socket.socket) -> None:
        self._service.start()
        await self._service.warm_up()
        grpc, grpc_port = await self._start_grpc()
        http = _Http(
            _uvicorn_config(self._application(), self._service.settings), lambda: _announce(listener, grpc_port)
        )
        _on_signals(http)
        await http.serve(sockets=[listener])
        if grpc:
            await grpc.stop(self._service.settings.grace_seconds)
        await asyncio.to_thread(self._service.close)
        log.info("server_stopped")

    def _application(self) -> FastAPI:
        app.include_router(build_router(self._service))  # before KServe's, whose /v1/models has another shape
        rest = RESTServer("", self.dataplane, self.model_repository_extension, self.http_port)
        rest.create_application()
        add_error_answers(app)
        app.add_middleware(BodyLimit, max_bytes=self._service.settings.max_body_bytes)
        if self._keys.required:  # outermost, so that a stranger's body is not read
            app.add_middleware(Authentication, keys=self._keys)
        fastapi: FastAPI = app
        return fastapi

    async def _start_grpc(self) -> tuple[aio.Server | None, int]:
        settings = self._service.settings
        if not settings.grpc:
            return None, 0
        limits = [("grpc.max_receive_message_length", settings.max_body_bytes), ("grpc.so_reuseport", 0)]
        guards = [CallAuthentication(self._keys)] if self._keys.required else []
        server = aio.server(interceptors=[*guards, StatusInterceptor()], options=limits)
        servicer = InferenceServicer(self.dataplane, self.model_repository_extension)
        add_GRPCInferenceServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
        await server.start()
        return server, port


class _FixedRepository(ModelRepositoryExtension):  # type: ignore[misc]
    """A caller may not load or unload models."""

    async def load(self, model_name: str) -> None:  # noqa: ARG002
        raise unsupported("loading models")

    async def unload(self, model_name: str) -> None:  # noqa: ARG002
        raise unsupported("unloading models")


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


def _uvicorn_config(application: FastAPI, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        application, log_config=None, access_log=False, timeout_graceful_shutdown=settings.grace_seconds
    )


def _bind(settings: ServeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", hint="choose another host or port"
        ) from error
    return listener


def _announce(listener: socket.socket, grpc_port: int) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    place = {"url": f"http://{shown}:{port}", "grpc": f"{shown}:{grpc_port}" if grpc_port else ""}
    sys.stdout.write(orjson.dumps(place).decode() + "\n")
    sys.stdout.flush()


def _on_signals(http: uvicorn.Server) -> None:
    def stop() -> None:
        log.info("server_draining")
        http.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
