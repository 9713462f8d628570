"""A trace from the booking's event through a worker's calls, to a collector and to what is announced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.flow import booking, event, flow_on, simulated
from tests.support.worker_process import worker_process

if TYPE_CHECKING:
    from pathlib import Path

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_the_calls_of_a_traced_booking_are_spans_of_its_trace(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    spans: dict[str, set[str]] = {}

    async def take(request: web.Request) -> web.Response:
        batch = ExportTraceServiceRequest.FromString(await request.read())
        for span in (s for r in batch.resource_spans for scope in r.scope_spans for s in scope.spans):
            spans.setdefault(span.trace_id.hex(), set()).add(span.name)
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    collector = TestServer(app)
    await collector.start_server()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": str(collector.make_url("")),
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    async with simulated() as simulator, flow_on(kafka, unique_prefix, tmp_path, simulator) as flow:
        async with worker_process({**flow.environ, **variables}, tmp_path / "worker.log") as worker:
            traced = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01".encode()}
            await flow.send_raw(b"b-1", event("created", "b-1", booking()), headers=traced)
            await flow.send("created", "b-2", booking(lastName="Untraced", phone="(602) 555-0199"))
            await flow.view("b-1", state="active")
            await flow.view("b-2", state="active")
            assert await worker.stop() == 0
        row = flow.row("b-1")
    await collector.close()
    assert set(spans) == {TRACE}
    assert "POST /jpm/v2/tenant/{tenant}/jobs" in spans[TRACE]
    assert "POST /crm/v2/tenant/{tenant}/customers" in spans[TRACE]
    assert flow.announced("b-1")[-1]["traceparent"].split("-")[1] == TRACE
    assert row is not None
    assert {entry.trace_id for entry in row.timeline} == {TRACE}
