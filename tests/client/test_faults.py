"""Everything that can go wrong on the way, against the simulator's faults."""

from dataclasses import replace
from typing import Never

import pytest

from app.booking.asks import Cancel, Complete, CreateJob, FindJob, Reschedule
from app.booking.outcomes import Accepted, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.servicetitan.caller import CallMade, Errand
from app.servicetitan.desk import Asker
from app.servicetitan.endpoints import LIST_CAMPAIGNS, READ_JOB, RESCHEDULE_APPOINTMENT
from app.servicetitan.pace import Priority
from app.servicetitan.upstream import Upstream
from app.servicetitan.wire import Named, Page
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.server import RunningSimulator
from tests.client.conftest import MakeUpstream
from tests.client.orders import LATER, START, asker, create_job, job_order, value_of


def set_fault(simulator: RunningSimulator, kind: FaultKind, *, count: int | None = 1, **more: object) -> None:
    fields = {"kind": kind, "count": count, **more}
    simulator.state.faults.add(FaultRequest.model_validate(fields), simulator.state.monotonic())


DONE_BUT_UNSURE = [FaultKind.ERROR_AFTER, FaultKind.DROP, FaultKind.HALF, FaultKind.NOT_JSON]
NOT_DONE_BUT_UNSURE = [FaultKind.ERROR_BEFORE, FaultKind.DROP_BEFORE]


@pytest.mark.parametrize("kind", DONE_BUT_UNSURE)
async def test_a_creation_that_was_done_but_not_answered_well_is_unsure_and_found(
    upstream: Upstream, simulator: RunningSimulator, kind: FaultKind
) -> None:
    first = await create_job(upstream, "b0")
    set_fault(simulator, kind, method="POST")
    ask = CreateJob(order=job_order(first.customer_id, first.location_id))
    outcome = await upstream.desk.perform(ask, asker())
    assert isinstance(outcome, Unsure)
    assert (outcome.http_status is None) == (kind in {FaultKind.DROP, FaultKind.HALF})
    assert len(value_of(await upstream.desk.perform(FindJob(booking_id="b1"), asker()))) == 1


@pytest.mark.parametrize("kind", NOT_DONE_BUT_UNSURE)
async def test_a_creation_that_was_not_done_is_unsure_all_the_same(
    upstream: Upstream, simulator: RunningSimulator, kind: FaultKind
) -> None:
    first = await create_job(upstream, "b0")
    set_fault(simulator, kind, method="POST")
    ask = CreateJob(order=job_order(first.customer_id, first.location_id))
    assert isinstance(await upstream.desk.perform(ask, asker()), Unsure)
    assert value_of(await upstream.desk.perform(FindJob(booking_id="b1"), asker())) == ()


async def test_a_creation_that_times_out_is_unsure(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    first = await create_job(make_upstream(), "b0")
    impatient = make_upstream(timeout_seconds=1.0)
    await impatient.auth_test()
    set_fault(simulator, FaultKind.TIMEOUT_AFTER, method="POST", path="*/jobs")
    ask = CreateJob(order=job_order(first.customer_id, first.location_id))
    outcome = await impatient.desk.perform(ask, asker())
    assert isinstance(outcome, Unsure)
    assert outcome.http_status is None


@pytest.mark.parametrize("kind", [*DONE_BUT_UNSURE, *NOT_DONE_BUT_UNSURE])
async def test_a_read_that_goes_wrong_is_failed(
    upstream: Upstream, simulator: RunningSimulator, kind: FaultKind
) -> None:
    set_fault(simulator, kind)
    assert isinstance(await upstream.desk.perform(FindJob(booking_id="b1"), asker()), Failed)


@pytest.mark.parametrize("kind", [FaultKind.ERROR_AFTER, FaultKind.DROP, FaultKind.DROP_BEFORE])
async def test_a_change_that_is_not_answered_well_is_sent_once(
    upstream: Upstream, simulator: RunningSimulator, calls: list[CallMade], kind: FaultKind
) -> None:
    job = await create_job(upstream)
    calls.clear()
    set_fault(simulator, kind)
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    assert isinstance(await upstream.desk.perform(ask, asker()), Unsure)
    assert [call.kind for call in calls] == ["Unsure"]
    total = simulator.state.journal.by_route
    assert total["PATCH /jpm/v2/tenant/{tenant}/appointments/{id}/reschedule"] == 1


async def test_a_page_instead_of_an_empty_answer_says_nothing(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    set_fault(simulator, FaultKind.NOT_JSON, count=2, method="PUT")
    cancel = Cancel(job_id=job.job_id, memo="Customer request")
    # The one is refused for want of a technician, the other done: neither is told.
    for ask in (Complete(job_id=job.job_id, completed_on=START), cancel):
        outcome = await upstream.desk.perform(ask, asker())
        assert isinstance(outcome, Unsure)
        assert (outcome.http_status, "cannot be read" in outcome.detail) == (200, True)
    (found,) = value_of(await upstream.desk.perform(FindJob(booking_id="b1"), asker()))
    assert found.status == "Canceled"
    assert isinstance(await upstream.desk.perform(cancel, asker()), Accepted)


@pytest.mark.parametrize("retry_after", [True, False])
async def test_a_429_stops_every_call_and_the_ask_is_made_again(
    upstream: Upstream, simulator: RunningSimulator, calls: list[CallMade], *, retry_after: bool
) -> None:
    set_fault(simulator, FaultKind.TOO_MANY, seconds=1, retry_after=retry_after)
    assert value_of(await upstream.desk.perform(FindJob(booking_id="b1"), asker())) == ()
    assert [call.http_status for call in calls] == [429, 200]
    assert (calls[1].at - calls[0].at).total_seconds() >= 1.0


async def test_a_403_is_not_permitted(upstream: Upstream, simulator: RunningSimulator) -> None:
    set_fault(simulator, FaultKind.FORBIDDEN)
    outcome = await upstream.desk.perform(FindJob(booking_id="b1"), asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NOT_PERMITTED


async def test_who_is_no_longer_the_owner_sends_nothing(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    class NotOurs(Exception):  # noqa: N818 - read as a sentence
        pass

    def check() -> None:
        raise NotOurs

    job = await create_job(upstream)
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    total = simulator.state.journal.total
    with pytest.raises(NotOurs):
        await upstream.desk.perform(ask, Asker(lane="b1", check=check))
    assert simulator.state.journal.total == total
    assert upstream.pace.snapshot().in_flight == 0
    assert isinstance(await upstream.desk.perform(ask, asker()), Accepted)


async def test_every_call_is_told_with_its_trace(upstream: Upstream, calls: list[CallMade]) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced = Asker(lane="b1", check=lambda: None, traceparent=trace)
    await upstream.desk.perform(FindJob(booking_id="b1"), traced)
    (call,) = calls
    assert (call.method, call.endpoint) == ("GET", "/jpm/v2/tenant/{tenant}/jobs")
    assert (call.lane, call.traceparent, call.kind, call.http_status) == ("b1", trace, "Accepted", 200)
    assert call.seconds > 0
    assert upstream.last_call == call


async def test_what_nobody_thought_of_in_an_answer_is_an_outcome_too(upstream: Upstream) -> None:
    def read(_: bytes) -> Never:
        raise RecursionError

    job = await create_job(upstream)
    errand = Errand(priority=Priority.LOW, since=0.0)
    call = upstream._caller.call
    assert isinstance(await call(replace(READ_JOB, read=read), errand, row=job.job_id), Failed)
    moved = {"start": "2026-12-02T16:00:00Z", "end": "2026-12-02T18:00:00Z"}
    move = replace(RESCHEDULE_APPOINTMENT, read=read)
    assert isinstance(await call(move, errand, row=job.appointment_id, body=moved), Unsure)
    assert (await upstream.check_health()).well


async def test_a_row_that_cannot_be_read_is_left_out_and_counted(
    upstream: Upstream, calls: list[CallMade]
) -> None:
    def read(body: bytes) -> Page[Named]:
        return LIST_CAMPAIGNS.read(body.replace(b'"name":"Website"', b'"name":null'))

    call = upstream._caller.call
    page = await call(replace(LIST_CAMPAIGNS, read=read), Errand(priority=Priority.LOW, since=0.0))
    assert [row.name for row in value_of(page).data] == ["Google Ads", "Referral"]
    assert calls[-1].left_out == 1
