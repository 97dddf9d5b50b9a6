"""The one door to the KServe SDK.

Importing it parses the command line of whatever process imports it; here it sees none of ours. Its loggers write to
standard error, so that standard output holds nothing but the line that says where the server is.
"""

import logging
import sys
import warnings

_OURS = sys.argv
sys.argv = sys.argv[:1]
try:
    from grpc import StatusCode, aio, ssl_server_credentials  # type: ignore[import-untyped]
    from grpc_interceptor import AsyncServerInterceptor
    from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]
    from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
    from kserve.errors import (
        InferenceError,
        InvalidInput,
        ModelNotFound,
        ModelNotReady,
        ServerNotLive,
        ServerNotReady,
        UnsupportedProtocol,
    )
    from kserve.model_server import app
    from kserve.protocol.dataplane import DataPlane
    from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
    from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
    from kserve.protocol.grpc.servicer import InferenceServicer
    from kserve.protocol.model_repository_extension import ModelRepositoryExtension
    from kserve.protocol.rest.server import RESTServer
finally:
    sys.argv = _OURS

__all__ = [
    "AsyncServerInterceptor", "DataPlane", "ExceptionToStatusInterceptor", "InferOutput", "InferRequest",
    "InferResponse", "InferenceError", "InferenceServicer", "InvalidInput", "Model", "ModelNotFound", "ModelNotReady",
    "ModelRepositoryExtension", "ModelServer", "RESTServer", "ServerNotLive", "ServerNotReady", "StatusCode",
    "UnsupportedProtocol",
    "add_GRPCInferenceServiceServicer_to_server", "aio", "app", "quiet_logs",
    "reflection", "ssl_server_credentials",
]  # fmt: skip


def quiet_logs() -> None:
    """Send warnings and worse of KServe and uvicorn to standard error, and nothing else anywhere."""
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
    handler = logging.StreamHandler(sys.stderr)
    for name in ("kserve", "kserve.trace", "uvicorn", "uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if "." not in name else []
        logger.propagate = "." in name
        logger.setLevel(logging.WARNING)
