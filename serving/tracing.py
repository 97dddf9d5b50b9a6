"""Spans of requests for an OpenTelemetry collector; without an endpoint every span is a no-op of the API package.

A request continues its caller's trace (W3C ``traceparent``). Spans carry ids, counts and times, never content.
"""

from collections.abc import Callable, Mapping

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Tracer

from clsp.errors import ConfigError
from clsp.version import __version__


def start_tracing(endpoint: str) -> Callable[[], None]:
    """Send spans to ``endpoint`` (OTLP over HTTP, ending in /v1/traces); returns what sends the last ones.

    ``ConfigError`` where the packages that send are not installed.
    """
    if not endpoint:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError(
            "spans cannot be sent: the OpenTelemetry packages are not installed",
            hint="pip install 'clsp-platform[serving]', or leave serve.trace_endpoint empty",
        ) from error
    facts = {"service.name": "clsp-serving", "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(facts))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def tracer() -> Tracer:
    """What makes spans."""
    return trace.get_tracer("clsp.serving")


def parent_of(headers: Mapping[str, str]) -> Context:
    """The trace that a call's headers (lower-case names) continue, or a new one."""
    return propagate.extract(headers)
