"""Traces: each call to ServiceTitan as a span of the trace that its booking event came with.

The trace's id travels without any of this: from the event's `traceparent` through retries and signals into
calls, announcements, dead letters and the timeline (`app.stream.codec.traceparent`). Spans are made only when
the extra `tracing` is installed and OpenTelemetry's own variables say where to send them
(`OTEL_EXPORTER_OTLP_ENDPOINT`, or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; `OTEL_SDK_DISABLED` turns them off).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.telemetry.log import get_logger

NAME = "servicetitan-stream"
_WHERE_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FAULTS = frozenset({"Failed", "Unsure"})
_log = get_logger(__name__)


def extract(traceparent: str | None) -> Context:
    """The context that a W3C traceparent names; an empty one when there is none or it is malformed."""
    carrier = {} if traceparent is None else {"traceparent": traceparent}
    return TraceContextTextMapPropagator().extract(carrier, context=Context())


class CallSpans:
    """Makes a span of every call to ServiceTitan, once it is over."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = (provider or trace.get_tracer_provider()).get_tracer(NAME, version(NAME))

    def call_made(
        self,
        *,
        method: str,
        endpoint: str,
        http_status: int | None,
        outcome: str,
        booking: str,
        traceparent: str | None,
        at: datetime,
        seconds: float,
    ) -> None:
        """A call ended `at` this time after so many seconds. Calls of no event's trace have no span."""
        if traceparent is None:
            return
        ended = int(at.timestamp() * 1e9)
        span = self._tracer.start_span(
            f"{method} {endpoint}",
            context=extract(traceparent),
            kind=SpanKind.CLIENT,
            start_time=ended - int(seconds * 1e9),
            attributes={
                "http.request.method": method,
                "url.template": endpoint,
                "servicetitan_stream.outcome": outcome,
                "servicetitan_stream.booking": booking,
            },
        )
        if http_status is not None:
            span.set_attribute("http.response.status_code", http_status)
        if outcome in _FAULTS:
            span.set_status(Status(StatusCode.ERROR, outcome))
        span.end(ended)


def configure(environ: Mapping[str, str]) -> Callable[[], None]:
    """Have spans sent to where the environment says; gives what sends the last ones at the end.

    Without an address, or without the extra `tracing`, spans cost nothing and go nowhere.
    """
    if not any(environ.get(name) for name in _WHERE_TO) or environ.get("OTEL_SDK_DISABLED") == "true":
        return _nothing
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace import TracerProvider as SdkProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
    except ImportError:
        _log.warning("no traces are sent: the extra `tracing` is not installed")
        return _nothing
    resource = Resource.create({"service.name": NAME, "service.version": version(NAME)})
    provider = SdkProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def _nothing() -> None:
    """There is nothing to send."""
