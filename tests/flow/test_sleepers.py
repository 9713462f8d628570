"""A worker that slept between its last check and its socket says what it sent too late."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.support.flow import Flow, environment, flow_on, simulated
from tests.support.worker_process import PATIENCE_SECONDS, worker_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.worker_process import WorkerProcess

SESSION = {"KAFKA_SESSION_TIMEOUT_SECONDS": "2"}
EARLY, LATE = "2027-04-01T00:00:00Z", "2027-05-01T00:00:00Z"


@asynccontextmanager
async def sleeping_at(
    point: str, kafka: str, prefix: str, folder: Path
) -> AsyncIterator[tuple[Flow, WorkerProcess]]:
    """A world with one worker, which will fall asleep at this point."""
    async with simulated() as simulator, flow_on(kafka, prefix, folder, simulator, **SESSION) as flow:
        environ = {**flow.environ, "STREAM_STOP_AT": point}
        async with worker_process(environ, folder / "sleeper.log") as sleeper:
            yield flow, sleeper


@asynccontextmanager
async def successor(flow: Flow, folder: Path) -> AsyncIterator[None]:
    """A worker that takes over what the sleeper had."""
    servers, prefix = flow.environ["KAFKA_BOOTSTRAP_SERVERS"], flow.environ["TOPIC_PREFIX"]
    environ = environment(servers, prefix, folder / "successor", flow.simulator, **SESSION)
    async with worker_process(environ, folder / "successor.log"):
        yield


async def says(worker: WorkerProcess, asked: str) -> None:
    """Returns once it has said that it sent this too late."""
    wanted = f'"asked":"{asked}"'.encode()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(
            b"a worker that had lost the booking" in line and wanted in line
            for line in worker.log.read_bytes().splitlines()
        ):
            await asyncio.sleep(0.05)


async def test_a_stale_reschedule_is_told_of(kafka: str, unique_prefix: str, tmp_path: Path) -> None:
    async with sleeping_at("before-call:Reschedule", kafka, unique_prefix, tmp_path) as (flow, sleeper):
        await flow.send("created", "b-1")
        await flow.view("b-1", state="active")
        await flow.send("rescheduled", "b-1", {"scheduledDate": EARLY})
        await sleeper.until_asleep()
        async with successor(flow, tmp_path):
            await flow.send("rescheduled", "b-1", {"scheduledDate": LATE})
            await flow.until(lambda: flow.types("b-1").count("job.updated") == 2)
            sleeper.wake()
            await says(sleeper, "Reschedule")
    assert flow.effects("b-1") == ["job.created", *["appointment.rescheduled"] * 3]


async def test_a_second_customer_is_told_of(kafka: str, unique_prefix: str, tmp_path: Path) -> None:
    async with sleeping_at("before-call:CreateCustomer", kafka, unique_prefix, tmp_path) as (flow, sleeper):
        await flow.send("created", "b-1")
        await sleeper.until_asleep()
        async with successor(flow, tmp_path):
            await flow.view("b-1", state="active")
            sleeper.wake()
            await says(sleeper, "CreateCustomer")
    assert len(flow.simulator.state.world.customers.in_order) == 2
    assert len(flow.jobs("b-1")) == 1
