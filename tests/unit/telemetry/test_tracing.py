"""Traces: a call is a span of its event's trace, sent over OTLP when that is asked for, else not at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.telemetry.tracing import CallSpans, configure, extract

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
AT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
CALL: dict[str, Any] = {
    "method": "POST",
    "endpoint": "/jpm/v2/tenant/{tenant}/jobs",
    "http_status": 200,
    "outcome": "Accepted",
    "booking": "b-1",
    "traceparent": PARENT,
    "at": AT,
    "seconds": 0.5,
}


def spans_of(**changes: object) -> list[ReadableSpan]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    CallSpans(provider).call_made(**{**CALL, **changes})
    return list(exporter.get_finished_spans())


def test_a_call_is_a_span_of_its_event_s_trace_at_its_own_time() -> None:
    (span,) = spans_of()
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert span.name == "POST /jpm/v2/tenant/{tenant}/jobs"
    assert span.kind is SpanKind.CLIENT
    assert span.end_time == int(AT.timestamp() * 1e9)
    assert span.start_time == span.end_time - 500_000_000
    assert span.attributes == {
        "http.request.method": "POST",
        "url.template": "/jpm/v2/tenant/{tenant}/jobs",
        "http.response.status_code": 200,
        "servicetitan_stream.outcome": "Accepted",
        "servicetitan_stream.booking": "b-1",
    }


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("Accepted", StatusCode.UNSET),
        ("Refused", StatusCode.UNSET),
        ("Busy", StatusCode.UNSET),
        ("Failed", StatusCode.ERROR),
        ("Unsure", StatusCode.ERROR),
    ],
)
def test_only_faults_are_errors(outcome: str, status: StatusCode) -> None:
    (span,) = spans_of(outcome=outcome)
    assert span.status.status_code is status


def test_without_an_answer_there_is_no_status_code() -> None:
    (span,) = spans_of(http_status=None, outcome="Unsure")
    assert "http.response.status_code" not in (span.attributes or {})


def test_what_has_no_trace_has_no_span() -> None:
    assert spans_of(traceparent=None) == []


@pytest.mark.parametrize(
    "malformed", [None, "", "nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", PARENT[:-1]]
)
def test_what_is_no_traceparent_names_no_trace(malformed: str | None) -> None:
    assert not trace.get_current_span(extract(malformed)).get_span_context().is_valid


def test_a_traceparent_is_read_whatever_span_is_current() -> None:
    with TracerProvider().get_tracer("other").start_as_current_span("other"):
        found = trace.get_current_span(extract(PARENT)).get_span_context()
    assert f"{found.trace_id:032x}" == TRACE


@pytest.mark.parametrize(
    "environ",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}],
)
def test_nothing_is_set_up_unasked(environ: dict[str, str]) -> None:
    before = trace.get_tracer_provider()
    configure(environ)()
    assert trace.get_tracer_provider() is before


_SENDS = f"""
import os
from datetime import UTC, datetime
from app.telemetry.tracing import CallSpans, configure
end = configure(os.environ)
CallSpans().call_made(**{ {**CALL, "at": None}!r} | {{"at": datetime.now(UTC)}})
end()
"""


async def test_spans_reach_a_collector_over_otlp() -> None:
    received: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        received.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    server = TestServer(app)
    await server.start_server()
    environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": str(server.make_url(""))}
    environ |= {"OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    done = await asyncio.to_thread(run, _SENDS, environ)
    await server.close()
    assert done.returncode == 0, done.stderr
    (batch,) = received
    (resource,) = batch.resource_spans
    (span,) = resource.scope_spans[0].spans
    assert span.trace_id.hex() == TRACE
    assert {each.key: each.value.string_value for each in resource.resource.attributes}[
        "service.name"
    ] == "servicetitan-stream"


def test_without_the_extra_a_line_says_that_nothing_is_sent() -> None:
    hides = "import sys; sys.modules['opentelemetry.sdk.trace'] = None\n"
    environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    done = run(hides + _SENDS, environ)
    assert done.returncode == 0, done.stderr
    assert "no traces are sent" in done.stdout + done.stderr


def run(program: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
