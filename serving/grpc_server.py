"""KServe's V2 over gRPC, with our keys, limits and errors, and reflection for tools that know no schema."""

from pathlib import Path

from clsp.config.serving import ServeSettings
from clsp.errors import ConfigError
from serving.access import CallAccess
from serving.answers import StatusInterceptor
from serving.keys import ApiKeys
from serving.kserve_sdk import (
    InferenceServicer,
    add_GRPCInferenceServiceServicer_to_server,
    aio,
    reflection,
    ssl_server_credentials,
)

SERVICE = "inference.GRPCInferenceService"


async def start_grpc(servicer: InferenceServicer, settings: ServeSettings, keys: ApiKeys) -> tuple[aio.Server, int]:
    """A server that answers, and its port."""
    limits = [("grpc.max_receive_message_length", settings.max_body_bytes), ("grpc.so_reuseport", 0)]
    interceptors = [CallAccess(keys, logged=settings.access_log), StatusInterceptor()]
    server = aio.server(interceptors=interceptors, options=limits)
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), server)
    port = _listen(server, settings)
    await server.start()
    return server, port


def _listen(server: aio.Server, settings: ServeSettings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.grpc_port}"
    try:
        if not settings.tls_cert_file:
            return int(server.add_insecure_port(address))
        pair = (Path(settings.tls_key_file).read_bytes(), Path(settings.tls_cert_file).read_bytes())
        return int(server.add_secure_port(address, ssl_server_credentials([pair])))
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"gRPC cannot listen on {address}", hint="choose another grpc_port or certificate") from error
