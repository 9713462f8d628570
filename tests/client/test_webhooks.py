"""A webhook whose visit is looked at: it waits out what is nobody's fault, and blocks nobody for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from app.booking.status import Status
from app.servicetitan.breaker import ENOUGH_LANES, Trouble
from app.servicetitan.pace import Priority
from app.servicetitan.watch import Away
from app.servicetitan.wire import print_instant
from app.simulator.control import Outage, outage
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.life import Act, play
from app.stream.codec import encode_observed
from app.stream.errors import NotMine
from app.stream.message import Message
from app.telemetry.metric_list import WebhookResult
from app.worker.webhooks import Webhooks
from tests.support.rows import a_job, with_job
from tests.support.simulated import add_customer, add_job

if TYPE_CHECKING:
    from app.booking.events import Unusable
    from app.booking.inputs import Observed
    from app.servicetitan.caller import CallMade
    from app.servicetitan.upstream import Upstream
    from app.simulator.server import RunningSimulator
    from app.simulator.state.records import JobRow
    from tests.support.web import FedView

VISIT = "/jpm/v2/tenant/*/appointments/*"
TENANT = 1000001


class Worked:
    """Webhooks, and what they came to."""

    def __init__(self, view: FedView) -> None:
        self.reported: list[tuple[str, Observed]] = []
        self.counted: list[WebhookResult] = []
        self.going = False
        self.webhooks = Webhooks(
            view,
            report=self._report,
            dead_letter=self._dead_letter,
            count=self.counted.append,
            give_up=self._give_up,
            retry_delays=(0, 0, 0),
            tenant=TENANT,
        )

    async def moved(self, job: JobRow, upstream: Upstream, **data: object) -> None:
        """A webhook that tells that the visit was moved, and not where."""
        visit = {"appointmentId": job.appointment_ids[0], "appointmentNumber": "1"}
        told = {"job": {"id": job.id, "jobStatus": "Scheduled"}, "tenantId": TENANT, **visit, **data}
        await self.take("tn.jpm.job-rescheduled", told, upstream)

    async def take(self, event_type: str, data: dict[str, object], upstream: Upstream) -> None:
        event = {"specversion": "1.0", "type": event_type, "userassignedid": "u", "data": data}
        await self.read(orjson.dumps(event), upstream)

    async def read(self, body: bytes, upstream: Upstream) -> None:
        message = Message(
            topic="servicetitan-webhooks",
            partition=0,
            offset=0,
            timestamp=datetime.now(UTC).timestamp(),
            key=b"1",
            value=body,
        )
        async with asyncio.timeout(30):
            await self.webhooks.on_webhook(message, upstream.watch)

    async def _report(self, booking_id: str, seen: Observed) -> None:
        self.reported.append((booking_id, seen))

    async def _dead_letter(self, unusable: Unusable) -> None:
        raise AssertionError(unusable)

    def _give_up(self, partition: int) -> None:
        if self.going:
            raise NotMine(partition)


def our_job(simulator: RunningSimulator, view: FedView) -> JobRow:
    world = simulator.state.world
    job = add_job(world, add_customer(world), booking="b-1")
    ours = replace(a_job(job.id), appointment_id=job.appointment_ids[0], visit_at=job.created_on)
    view.put(replace(with_job("b-1", job.id), job=ours))
    return job


def break_calls(simulator: RunningSimulator, **fault: object) -> None:
    simulator.state.faults.add(FaultRequest.model_validate(fault), simulator.state.monotonic())


def asked(simulator: RunningSimulator) -> int:
    return simulator.state.journal.by_route["GET /jpm/v2/tenant/{tenant}/appointments/{id}"]


@pytest.mark.parametrize("kind", [FaultKind.FORBIDDEN, FaultKind.CONFLICT])
async def test_a_job_that_is_refused_is_left_to_the_sweep_at_once(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, kind: FaultKind
) -> None:
    worked = Worked(view)
    break_calls(simulator, kind=kind, path=VISIT)
    await worked.moved(our_job(simulator, view), upstream)
    assert (worked.counted, worked.reported) == ([WebhookResult.UNSHOWN], [])
    assert asked(simulator) == 1


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.DROP_BEFORE, FaultKind.NOT_JSON])
async def test_a_job_that_lastingly_fails_is_left_to_the_sweep_after_all_attempts(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, kind: FaultKind
) -> None:
    worked = Worked(view)
    break_calls(simulator, kind=kind, path=VISIT)
    await worked.moved(our_job(simulator, view), upstream)
    assert (worked.counted, worked.reported) == ([WebhookResult.UNSHOWN], [])
    assert asked(simulator) == 4


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.UNAUTHORIZED])
async def test_a_job_that_fails_alone_is_left_to_the_sweep_also_while_it_stops_calls_itself(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, kind: FaultKind
) -> None:
    worked = Worked(view)
    break_calls(simulator, kind=kind, path=VISIT)
    upstream.gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    await worked.moved(our_job(simulator, view), upstream)
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
    job = our_job(simulator, view)
    upstream.gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    simulator.state.faults.add(outage(Outage(seconds=600)), simulator.state.monotonic())
    waiting = asyncio.create_task(worked.moved(job, upstream))
    async with asyncio.timeout(30):
        while simulator.state.journal.total < 5:
            await asyncio.sleep(0.01)
    assert not waiting.done()
    assert asked(simulator) == 0, "it knocked with something cheap"
    simulator.state.faults.clear()
    await waiting
    assert worked.counted == [WebhookResult.OBSERVED]
    assert [seen.visit is not None for _, seen in worked.reported] == [False, True]


async def test_no_token_is_asked_for_while_calls_are_stopped(
    simulator: RunningSimulator, upstream: Upstream
) -> None:
    now = asyncio.get_running_loop().time()
    upstream.gate.breaker.no_token(Trouble.AUTHENTICATION, now, "too many", wait=600.0)
    with pytest.raises(Away, match="too many"):
        await upstream.watch.visit(1)
    assert simulator.state.journal.total == 0


async def test_a_wait_ends_when_the_partition_goes(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    worked = Worked(view)
    now = asyncio.get_running_loop().time()
    upstream.gate.breaker.no_token(Trouble.OUTAGE, now, "down", wait=600.0)
    waiting = asyncio.create_task(worked.moved(our_job(simulator, view), upstream))
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
    await worked.moved(our_job(simulator, view), upstream)
    assert len(worked.reported) == 2
    assert upstream.gate.trouble is Trouble.REFUSALS


async def test_webhooks_of_jobs_that_are_not_ours_cost_no_call(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    worked, world = Worked(view), simulator.state.world
    stranger = add_job(world, add_customer(world), booking="b-9")
    ours = our_job(simulator, view)
    await worked.moved(stranger, upstream)
    await worked.moved(ours, upstream, tenantId=7)
    await worked.take("tn.dis.zone-updated", {"tenantId": TENANT}, upstream)
    assert worked.counted == [WebhookResult.NOT_OURS, WebhookResult.NOT_OURS, WebhookResult.OTHER]
    assert (worked.reported, simulator.state.journal.total) == ([], 0)


async def test_fifty_webhooks_of_strangers_jobs_cost_no_call(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    """A tenant's call centre makes most of a tenant's jobs."""
    worked, world = Worked(view), simulator.state.world
    strangers = [add_job(world, add_customer(world)) for _ in range(50)]
    await asyncio.gather(*(worked.moved(job, upstream) for job in strangers))
    assert worked.counted == [WebhookResult.NOT_OURS] * 50
    assert (worked.reported, simulator.state.journal.total) == ([], 0)


async def test_a_move_costs_one_call_and_each_delivery_of_it_is_one_occurrence(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, calls: list[CallMade]
) -> None:
    worked, job = Worked(view), our_job(simulator, view)
    assert play(simulator.state.world, job, Act.RESCHEDULE) is None
    await worked.moved(job, upstream)
    assert [(call.endpoint.rsplit("/", 2)[1], call.priority) for call in calls] == [
        ("appointments", Priority.LOW)
    ]
    await worked.moved(job, upstream)
    ids = [orjson.loads(encode_observed(name, seen, now=seen.at))["id"] for name, seen in worked.reported]
    assert (len(ids), len(set(ids))) == (4, 2), "the job's status, and where its visit stands"


async def test_a_status_without_a_time_is_a_hint_only(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    """The same body may be sent again when it is long untrue."""
    worked, job = Worked(view), our_job(simulator, view)
    assert play(simulator.state.world, job, Act.COMPLETE) is None
    body = {"eventId": "e", "jobId": job.id, "status": "dispatched"}
    await worked.read(orjson.dumps(body), upstream)
    ((_, seen),) = worked.reported
    assert seen.status is Status.COMPLETED
    assert abs(seen.at - job.modified_on) < timedelta(milliseconds=1)


async def test_a_job_under_way_is_told_apart_by_its_visit(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    worked, job = Worked(view), our_job(simulator, view)
    assert play(simulator.state.world, job, Act.DISPATCH) is None
    at = print_instant(job.modified_on)
    told = {"job": {"id": job.id, "jobStatus": "InProgress", "modifiedOn": at}, "tenantId": TENANT}
    await worked.take("tn.jpm.job-updated", told, upstream)
    assert [seen.status for _, seen in worked.reported] == [Status.DISPATCHED]
