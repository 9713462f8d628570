"""A webhook whose job must be looked up: it waits out what is nobody's fault, and blocks nobody for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest

from app.booking.status import Status
from app.servicetitan.breaker import ENOUGH_LANES, Trouble
from app.servicetitan.watch import Away
from app.simulator.control import Outage, outage
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.wire.jpm import JobStatus
from app.stream.errors import NotMine
from app.stream.message import Message
from app.telemetry.metric_list import WebhookResult
from app.worker.webhooks import Webhooks
from tests.support.simulated import add_customer, add_job

if TYPE_CHECKING:
    from app.booking.events import Unusable
    from app.booking.inputs import Observed
    from app.servicetitan.upstream import Upstream
    from app.simulator.server import RunningSimulator
    from tests.support.web import FedView

JOB = "/jpm/v2/tenant/*/jobs/*"


class Worked:
    """Webhooks, and what they came to."""

    def __init__(self, view: FedView) -> None:
        self.reported: list[tuple[str, Status]] = []
        self.counted: list[WebhookResult] = []
        self.going = False
        self.webhooks = Webhooks(
            view,
            report=self._report,
            dead_letter=self._dead_letter,
            count=self.counted.append,
            give_up=self._give_up,
            retry_delays=(0, 0, 0),
        )

    async def hint(self, job_id: int, upstream: Upstream) -> None:
        """A webhook that only names its job."""
        await self.sent({"eventType": "appointment.updated", "data": {"jobId": job_id}}, job_id, upstream)

    async def sent(self, said: object, job_id: int, upstream: Upstream) -> None:
        """A webhook with this body."""
        body = orjson.dumps(said)
        message = Message(
            topic="servicetitan-webhooks",
            partition=0,
            offset=0,
            timestamp=0.0,
            key=str(job_id).encode(),
            value=body,
        )
        async with asyncio.timeout(30):
            await self.webhooks.on_webhook(message, upstream.watch)

    async def _report(self, booking_id: str, seen: Observed) -> None:
        self.reported.append((booking_id, seen.status))

    async def _dead_letter(self, unusable: Unusable) -> None:
        raise AssertionError(unusable)

    def _give_up(self, partition: int) -> None:
        if self.going:
            raise NotMine(partition)


def our_job(simulator: RunningSimulator) -> int:
    world = simulator.state.world
    return add_job(world, add_customer(world), booking="b-1").id


def break_calls(simulator: RunningSimulator, **fault: object) -> None:
    simulator.state.faults.add(FaultRequest.model_validate(fault), simulator.state.monotonic())


def asked(simulator: RunningSimulator) -> int:
    return simulator.state.journal.by_route["GET /jpm/v2/tenant/{tenant}/jobs/{id}"]


@pytest.mark.parametrize("kind", [FaultKind.FORBIDDEN, FaultKind.CONFLICT])
async def test_a_job_that_is_refused_is_left_to_the_sweep_at_once(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, kind: FaultKind
) -> None:
    worked = Worked(view)
    break_calls(simulator, kind=kind, path=JOB)
    await worked.hint(our_job(simulator), upstream)
    assert (worked.counted, worked.reported) == ([WebhookResult.UNSHOWN], [])
    assert asked(simulator) == 1


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.DROP_BEFORE, FaultKind.NOT_JSON])
async def test_a_job_that_lastingly_fails_is_left_to_the_sweep_after_all_attempts(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, kind: FaultKind
) -> None:
    worked = Worked(view)
    break_calls(simulator, kind=kind, path=JOB)
    await worked.hint(our_job(simulator), upstream)
    assert (worked.counted, worked.reported) == ([WebhookResult.UNSHOWN], [])
    assert asked(simulator) == 4


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.UNAUTHORIZED])
async def test_a_job_that_fails_alone_is_left_to_the_sweep_also_while_it_stops_calls_itself(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, kind: FaultKind
) -> None:
    worked = Worked(view)
    break_calls(simulator, kind=kind, path=JOB)
    upstream.gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    await worked.hint(our_job(simulator), upstream)
    assert worked.counted == [WebhookResult.UNSHOWN]
    # The last attempt may have stopped calls; whoever knocks next finds that all else is well.
    async with asyncio.timeout(30):
        while not (await upstream.check_health()).well:
            await asyncio.sleep(0.01)
    assert not upstream.gate.is_open


async def test_an_outage_costs_no_webhook(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    worked = Worked(view)
    job_id = our_job(simulator)
    upstream.gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    simulator.state.faults.add(outage(Outage(seconds=600)), simulator.state.monotonic())
    waiting = asyncio.create_task(worked.hint(job_id, upstream))
    async with asyncio.timeout(30):
        while simulator.state.journal.total < 5:
            await asyncio.sleep(0.01)
    assert not waiting.done()
    assert asked(simulator) == 0, "it knocked with something cheap"
    simulator.state.faults.clear()
    await waiting
    assert (worked.counted, worked.reported) == ([WebhookResult.OBSERVED], [("b-1", Status.SCHEDULED)])


async def test_no_token_is_asked_for_while_calls_are_stopped(
    simulator: RunningSimulator, upstream: Upstream
) -> None:
    now = asyncio.get_running_loop().time()
    upstream.gate.breaker.no_token(Trouble.AUTHENTICATION, now, "too many", wait=600.0)
    with pytest.raises(Away, match="too many"):
        await upstream.watch.job(our_job(simulator))
    assert simulator.state.journal.total == 0


async def test_a_wait_ends_when_the_partition_goes(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    worked = Worked(view)
    now = asyncio.get_running_loop().time()
    upstream.gate.breaker.no_token(Trouble.OUTAGE, now, "down", wait=600.0)
    waiting = asyncio.create_task(worked.hint(our_job(simulator), upstream))
    await asyncio.sleep(0)
    worked.going = True
    with pytest.raises(NotMine):
        await waiting


async def test_reading_goes_on_while_writes_are_refused(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    worked = Worked(view)
    for lane in range(ENOUGH_LANES):
        upstream.gate.breaker.lane_ended(f"b{lane}", 0.0, refused=True, why="403")
    await worked.hint(our_job(simulator), upstream)
    assert worked.reported == [("b-1", Status.SCHEDULED)]
    assert upstream.gate.trouble is Trouble.REFUSALS


async def test_a_body_without_a_time_that_is_sent_again_does_not_take_its_job_back(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    """What counts is what ServiceTitan shows now: so nothing needs to be kept to know a replay by."""
    worked = Worked(view)
    job_id = our_job(simulator)
    simulator.state.world.jobs.rows[job_id].status = JobStatus.COMPLETED
    for _ in range(2):
        await worked.sent({"eventId": "e-1", "jobId": job_id, "status": "dispatched"}, job_id, upstream)
    assert worked.reported == [("b-1", Status.COMPLETED)] * 2
