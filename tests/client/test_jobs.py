"""Asks about jobs, against the simulator."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.booking.asks import (
    Cancel,
    Complete,
    CreateCustomer,
    CreateJob,
    Dispatch,
    FindCustomers,
    FindJob,
    JobSeen,
    Note,
    PutBack,
    Reschedule,
    Slot,
)
from app.booking.creation import CLOCKS_APART
from app.booking.outcomes import Accepted, Failed, Refused
from app.booking.reasons import Reason
from app.servicetitan.caller import CallMade
from app.servicetitan.desk import Change
from app.servicetitan.upstream import Upstream
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.server import RunningSimulator
from app.simulator.state import jobs, visits
from app.simulator.state.world import unindex_external
from app.simulator.wire.jpm import AppointmentStatus, JobStatus, Priority, ReasonAndMemo
from tests.client.conftest import MakeUpstream
from tests.client.orders import LATER, SLOT, asker, create_job, customer_order, job_order, value_of

NOW = datetime(2026, 12, 1, 18, tzinfo=UTC)


async def test_a_created_job_is_as_ordered(upstream: Upstream, simulator: RunningSimulator) -> None:
    job = await create_job(upstream)
    world = simulator.state.world
    row = world.jobs.rows[job.job_id]
    assert (row.customer_id, row.location_id) == (job.customer_id, job.location_id)
    assert (row.business_unit_id, row.job_type_id, row.campaign_id) == (104, 202, 301)
    assert row.priority is Priority.HIGH
    visit = world.appointments.rows[job.appointment_id]
    assert (visit.start, visit.end) == (SLOT.start, SLOT.end)
    assert (visit.arrival_window_start, visit.arrival_window_end) == (SLOT.window_start, SLOT.window_end)
    assert job.status == "Scheduled"


async def test_a_new_customers_job_takes_three_calls_once_the_lists_are_known(
    upstream: Upstream, calls: list[CallMade]
) -> None:
    await create_job(upstream, "b1")
    calls.clear()
    value_of(await upstream.desk.perform(FindCustomers(phone="+16025550000"), asker()))
    await create_job(upstream, "b2")
    made = [(call.method, call.endpoint.rsplit("/", 1)[1]) for call in calls]
    assert made == [("GET", "customers"), ("POST", "customers"), ("POST", "jobs")]


async def test_a_job_is_found_by_its_booking(upstream: Upstream, calls: list[CallMade]) -> None:
    job = await create_job(upstream)
    await create_job(upstream, "b2")
    calls.clear()
    found = value_of(await upstream.desk.perform(FindJob(booking_id="b1"), asker()))
    assert [row.job_id for row in found] == [job.job_id]
    assert len(calls) == 1


async def test_two_jobs_of_one_booking_are_given_oldest_first(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    one, other = await create_job(upstream), await create_job(upstream)
    rows = simulator.state.world.jobs.rows
    rows[other.job_id].created_on = rows[one.job_id].created_on - timedelta(minutes=1)
    found = value_of(await upstream.desk.perform(FindJob(booking_id="b1"), asker()))
    assert [row.job_id for row in found] == [other.job_id, one.job_id]


async def test_a_strangers_job_is_never_taken_for_the_bookings(upstream: Upstream) -> None:
    job = await create_job(upstream, "b2")
    ask = FindJob(
        booking_id="b1",
        customer_id=job.customer_id,
        created_on_or_after=job.created_on - timedelta(minutes=1),
    )
    assert value_of(await upstream.desk.perform(ask, asker())) == ()


async def test_a_booking_id_with_a_comma_is_found_through_its_customer(upstream: Upstream) -> None:
    job = await create_job(upstream, "b,1")
    ask = FindJob(booking_id="b,1", customer_id=job.customer_id, created_on_or_after=job.created_on)
    assert [row.job_id for row in value_of(await upstream.desk.perform(ask, asker()))] == [job.job_id]


async def test_a_second_job_that_the_look_up_by_booking_does_not_show_is_found_through_the_customer(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    one = await create_job(upstream)
    again = CreateJob(order=job_order(one.customer_id, one.location_id))
    other = value_of(await upstream.desk.perform(again, asker()))
    world = simulator.state.world
    unindex_external(world.jobs_by_external, other.job_id, world.jobs.rows[other.job_id].external)
    # Made later, and shown to the second only, as some rows are: by its time it is the older one.
    second = one.created_on.replace(microsecond=0)
    world.jobs.rows[one.job_id].created_on = second + timedelta(microseconds=1)
    world.jobs.rows[other.job_id].created_on = second
    ask = FindJob(
        booking_id="b1",
        customer_id=one.customer_id,
        created_on_or_after=one.created_on - CLOCKS_APART,
    )
    found = value_of(await upstream.desk.perform(ask, asker()))
    assert [row.job_id for row in found] == [other.job_id, one.job_id]


async def test_what_the_look_up_by_booking_shows_is_believed_though_that_by_customer_fails(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    def fail_from_now_on(call: CallMade) -> None:
        if call.method == "GET":
            simulator.state.faults.add(FaultRequest(kind=FaultKind.ERROR_BEFORE), 0.0)

    upstream = make_upstream()
    job = await create_job(upstream)
    failing = make_upstream(observe=fail_from_now_on)
    for booking_id, jobs_found in (("b1", [job.job_id]), ("b2", None)):
        simulator.state.faults.clear()
        ask = FindJob(booking_id=booking_id, customer_id=job.customer_id)
        outcome = await failing.desk.perform(ask, asker(booking_id))
        if jobs_found is None:
            assert isinstance(outcome, Failed)
        else:
            assert [row.job_id for row in value_of(outcome)] == jobs_found


async def test_a_visit_is_moved_and_moving_it_again_changes_nothing(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    for _ in range(2):
        value_of(await upstream.desk.perform(ask, asker()))
    visit = simulator.state.world.appointments.rows[job.appointment_id]
    assert (visit.start, visit.end, visit.arrival_window_start) == (LATER.start, LATER.end, None)


async def test_a_reschedule_that_is_refused_though_it_is_so_is_accepted(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    _set_visit(simulator, job.appointment_id, AppointmentStatus.DONE)
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=SLOT)
    value_of(await upstream.desk.perform(ask, asker()))


async def test_a_reschedule_that_is_refused_and_not_so_stays_refused(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    _set_visit(simulator, job.appointment_id, AppointmentStatus.DONE)
    ask = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)
    outcome = await upstream.desk.perform(ask, asker())
    assert isinstance(outcome, Refused)
    assert outcome.http_status == 409


async def test_a_job_is_cancelled_with_the_first_reason_and_again_without_harm(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    for _ in range(2):
        value_of(await upstream.desk.perform(Cancel(job_id=job.job_id, memo="moved away"), asker()))
    row = simulator.state.world.jobs.rows[job.job_id]
    assert row.status is JobStatus.CANCELED
    assert [(log.reason_id, log.memo) for log in row.cancellations] == [(401, "moved away")]


async def test_a_completed_job_cannot_be_cancelled(upstream: Upstream, simulator: RunningSimulator) -> None:
    job = await create_job(upstream)
    simulator.state.world.jobs.rows[job.job_id].status = JobStatus.COMPLETED
    outcome = await upstream.desk.perform(Cancel(job_id=job.job_id, memo="late"), asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REFUSED


async def test_a_cancelled_job_is_put_back_and_again_without_harm(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    value_of(await upstream.desk.perform(Cancel(job_id=job.job_id, memo="x"), asker()))
    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=True, assigned=False)
    for _ in range(2):
        value_of(await upstream.desk.perform(ask, asker()))
    assert simulator.state.world.jobs.rows[job.job_id].status is JobStatus.SCHEDULED


async def test_a_job_on_hold_with_technicians_is_put_back_to_scheduled(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    await _dispatch(upstream, job.job_id, job.appointment_id, (507, 508))
    world = simulator.state.world
    visit = world.appointments.rows[job.appointment_id]
    assert visits.hold(world, visit, ReasonAndMemo(reason_id=451, memo="parts")) is None
    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=False, assigned=True)
    for _ in range(2):
        value_of(await upstream.desk.perform(ask, asker()))
    assert visit.status is AppointmentStatus.SCHEDULED
    assert [row for row in world.assignments_of(visit) if row.active] == []


async def test_a_job_that_may_be_cancelled_and_is_on_hold_is_put_back_to_scheduled(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    world = simulator.state.world
    visit = world.appointments.rows[job.appointment_id]
    assert visits.hold(world, visit, ReasonAndMemo(reason_id=451, memo="parts")) is None
    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=True, assigned=False)

    value_of(await upstream.desk.perform(ask, asker()))

    assert (visit.status, world.jobs.rows[job.job_id].status) == ("Scheduled", "Scheduled")


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_dispatched_job_that_may_be_cancelled_is_put_back_to_scheduled(
    upstream: Upstream, simulator: RunningSimulator, *, cancelled: bool
) -> None:
    job = await create_job(upstream)
    await _dispatch(upstream, job.job_id, job.appointment_id, (507,))
    if cancelled:
        value_of(await upstream.desk.perform(Cancel(job_id=job.job_id, memo="x"), asker()))
    world = simulator.state.world
    visit = world.appointments.rows[job.appointment_id]
    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=True, assigned=True)

    value_of(await upstream.desk.perform(ask, asker()))

    assert (visit.status, world.jobs.rows[job.job_id].status) == ("Scheduled", "Scheduled")
    assert [row for row in world.assignments_of(visit) if row.active] == []


@pytest.mark.parametrize(("only", "left"), [((507, 509), {508}), ((509,), {507, 508})])
async def test_only_the_technicians_that_are_named_are_taken_off(
    upstream: Upstream, simulator: RunningSimulator, only: tuple[int, ...], left: set[int]
) -> None:
    job = await create_job(upstream)
    await _dispatch(upstream, job.job_id, job.appointment_id, (507, 508))
    world = simulator.state.world
    visit = world.appointments.rows[job.appointment_id]
    ask = PutBack(
        job_id=job.job_id,
        appointment_id=job.appointment_id,
        cancelled=False,
        assigned=True,
        technician_ids=only,
    )

    value_of(await upstream.desk.perform(ask, asker()))

    assert {row.technician_id for row in world.assignments_of(visit) if row.active} == left


async def test_a_completed_job_that_may_be_cancelled_is_not_put_back(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    simulator.state.world.jobs.rows[job.job_id].status = JobStatus.COMPLETED
    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=True, assigned=True)

    outcome = await upstream.desk.perform(ask, asker())

    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REFUSED


async def test_a_job_that_is_scheduled_already_was_so_when_its_visit_was_looked_at(
    make_upstream: MakeUpstream, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime(2026, 3, 2, 9, tzinfo=UTC)
    calls: list[CallMade] = []
    monkeypatch.setattr(simulator.state.world, "now", lambda: began + timedelta(seconds=len(calls)))
    upstream = make_upstream(observe=calls.append)
    job = await create_job(upstream)
    calls.clear()
    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=False, assigned=True)

    outcome = await upstream.desk.perform(ask, asker())

    assert len(calls) == 2
    assert isinstance(outcome, Accepted)
    assert outcome.at == began


@pytest.mark.parametrize("held", [True, False], ids=["hold", "assignment"])
async def test_a_job_that_is_put_back_by_another_meanwhile_is_put_back(
    make_upstream: MakeUpstream, simulator: RunningSimulator, *, held: bool
) -> None:
    world = simulator.state.world

    def lands_late(call: CallMade) -> None:
        """What an earlier attempt of ours asked for is done right after we looked."""
        if held and call.endpoint.endswith("/appointments/{id}") and visit.status is AppointmentStatus.HOLD:
            assert visits.remove_hold(world, visit) is None
        if call.endpoint.endswith("/appointment-assignments") and world.assignments_of(visit):
            assert visits.unassign_technicians(world, visit, (507,)) is visit

    upstream = make_upstream(observe=lands_late)
    job = await create_job(upstream)
    visit = world.appointments.rows[job.appointment_id]
    if held:
        assert visits.hold(world, visit, ReasonAndMemo(reason_id=451, memo="parts")) is None
    else:
        await _dispatch(upstream, job.job_id, job.appointment_id, (507,))

    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=False, assigned=True)
    value_of(await upstream.desk.perform(ask, asker()))

    assert (visit.status, world.assignments_of(visit)) == (AppointmentStatus.SCHEDULED, [])


async def test_a_put_back_that_is_refused_and_not_so_stays_refused(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    world = simulator.state.world

    def begins(call: CallMade) -> None:
        if call.endpoint.endswith("/appointment-assignments"):
            visit.status = AppointmentStatus.WORKING

    upstream = make_upstream(observe=begins)
    job = await create_job(upstream)
    visit = world.appointments.rows[job.appointment_id]
    await _dispatch(upstream, job.job_id, job.appointment_id, (507,))

    ask = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=False, assigned=True)
    outcome = await upstream.desk.perform(ask, asker())

    assert isinstance(outcome, Refused)
    assert outcome.http_status == 400


@pytest.mark.parametrize("technicians", [(), (507,)])
async def test_a_job_that_the_office_cancelled_is_neither_scheduled_nor_dispatched(
    upstream: Upstream, simulator: RunningSimulator, technicians: tuple[int, ...]
) -> None:
    job = await create_job(upstream)
    if technicians:
        await _dispatch(upstream, job.job_id, job.appointment_id, technicians)
    world = simulator.state.world
    cancelled = jobs.cancel_job(
        world, world.jobs.rows[job.job_id], ReasonAndMemo(reason_id=401, memo="by the office")
    )
    assert cancelled is None

    back = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=False, assigned=True)
    put_back = await upstream.desk.perform(back, asker())
    dispatch = Dispatch(job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=(507,), note="")
    dispatched = await upstream.desk.perform(dispatch, asker())

    assert isinstance(put_back, Refused)
    assert put_back.reason is Reason.ILLEGAL_TRANSITION
    assert put_back.detail == "the visit is Canceled"
    assert isinstance(dispatched, Refused)


async def test_technicians_are_assigned_and_again_without_harm(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    for _ in range(2):
        await _dispatch(upstream, job.job_id, job.appointment_id, (507, 508))
    world = simulator.state.world
    rows = world.assignments_of(world.appointments.rows[job.appointment_id])
    assert sorted(row.technician_id for row in rows if row.active) == [507, 508]


async def test_an_unknown_technician_is_refused(upstream: Upstream) -> None:
    job = await create_job(upstream)
    ask = Dispatch(job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=(99,), note="")
    outcome = await upstream.desk.perform(ask, asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REFUSED


async def test_a_dispatch_without_technicians_is_a_note(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    ask = Dispatch(
        job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=(), note="dispatched e1"
    )
    value_of(await upstream.desk.perform(ask, asker()))
    assert [note.text for note in simulator.state.world.jobs.rows[job.job_id].notes] == ["dispatched e1"]


async def test_a_note_that_may_be_there_already_is_looked_for(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    for text in ("one", "one", "two"):
        value_of(await upstream.desk.perform(Note(job_id=job.job_id, text=text), asker(again=True)))
    assert [note.text for note in simulator.state.world.jobs.rows[job.job_id].notes] == ["one", "two"]


async def test_a_job_is_completed_and_again_without_harm(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    job = await create_job(upstream)
    await _dispatch(upstream, job.job_id, job.appointment_id, (507,))
    for _ in range(2):
        value_of(await upstream.desk.perform(Complete(job_id=job.job_id, completed_on=NOW), asker()))
    row = simulator.state.world.jobs.rows[job.job_id]
    assert (row.status, row.completed_on) == (JobStatus.COMPLETED, NOW)


async def test_what_was_so_already_is_so_since_it_became_so(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    first, second = await create_job(upstream), await create_job(upstream, "b2")
    await _dispatch(upstream, first.job_id, first.appointment_id, (507,))
    rows = simulator.state.world.jobs.rows
    for ask in (Complete(job_id=first.job_id, completed_on=NOW), Cancel(job_id=second.job_id, memo="x")):
        value_of(await upstream.desk.perform(ask, asker()))
        rows[ask.job_id].modified_on = since = NOW - timedelta(days=1)
        again = await upstream.desk.perform(ask, asker())
        assert isinstance(again, Accepted)
        assert again.at == since


async def test_a_job_that_nobody_is_assigned_to_cannot_be_completed(upstream: Upstream) -> None:
    job = await create_job(upstream)
    outcome = await upstream.desk.perform(Complete(job_id=job.job_id, completed_on=NOW), asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NO_TECHNICIAN


async def test_a_cancelled_job_cannot_be_completed_for_another_reason(upstream: Upstream) -> None:
    job = await create_job(upstream)
    value_of(await upstream.desk.perform(Cancel(job_id=job.job_id, memo="x"), asker()))
    outcome = await upstream.desk.perform(Complete(job_id=job.job_id, completed_on=NOW), asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REFUSED


async def test_a_job_that_does_not_exist_is_refused(upstream: Upstream) -> None:
    outcome = await upstream.desk.perform(Cancel(job_id=9999, memo="x"), asker())
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.http_status) == (Reason.REFUSED, 404)


async def test_a_missing_business_unit_is_refused_and_the_detail_says_what_there_is(
    upstream: Upstream, calls: list[CallMade]
) -> None:
    customer = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker()))
    order = job_order(customer.customer_id, customer.location_id or 0, business_unit="Tucson")
    outcome = await upstream.desk.perform(CreateJob(order=order), asker())
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REFUSED
    assert "'Tucson' is not among ServiceTitan's active business units" in outcome.detail
    assert "Mesa_East" in outcome.detail
    assert not any(call.endpoint.endswith("/jobs") for call in calls)


async def _dispatch(
    upstream: Upstream, job_id: int, appointment_id: int, technicians: tuple[int, ...]
) -> None:
    ask = Dispatch(job_id=job_id, appointment_id=appointment_id, technician_ids=technicians, note="")
    value_of(await upstream.desk.perform(ask, asker()))


def _set_visit(simulator: RunningSimulator, appointment_id: int, status: AppointmentStatus) -> None:
    simulator.state.world.appointments.rows[appointment_id].status = status


def dispatched(job: JobSeen) -> Dispatch:
    return Dispatch(job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=(507,), note="x")


@pytest.mark.parametrize(
    ("change", "reads"),
    [
        (lambda job: Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER), 1),
        (lambda job: Cancel(job_id=job.job_id, memo="x"), 1),
        (dispatched, 2),
        (lambda job: Note(job_id=job.job_id, text="x"), 1),
    ],
)
async def test_a_change_that_may_have_been_sent_is_read_first_and_sent_once(
    upstream: Upstream, calls: list[CallMade], change: Callable[[JobSeen], Change], reads: int
) -> None:
    ask = change(await create_job(upstream))
    calls.clear()

    for again in (False, True, True):
        value_of(await upstream.desk.perform(ask, asker(again=again)))

    made = [call.method for call in calls if not call.endpoint.endswith("cancel-reasons")]
    assert (len(made) - made.count("GET"), made.count("GET")) == (1, 2 * reads)


async def test_a_window_that_the_account_sets_itself_is_no_reason_to_move_a_visit_again(
    upstream: Upstream, simulator: RunningSimulator, calls: list[CallMade]
) -> None:
    job = await create_job(upstream)
    slot = Slot(start=LATER.start, end=LATER.end)
    move = Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=slot)
    value_of(await upstream.desk.perform(move, asker()))
    visit = simulator.state.world.appointments.rows[job.appointment_id]
    visit.arrival_window_start, visit.arrival_window_end = LATER.start, LATER.end
    calls.clear()

    value_of(await upstream.desk.perform(move, asker(again=True)))

    assert [call.method for call in calls] == ["GET"]


async def test_a_completion_and_a_put_back_that_may_have_been_sent_are_read_first(
    upstream: Upstream, calls: list[CallMade]
) -> None:
    job = await create_job(upstream)
    back = PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=True, assigned=False)
    value_of(await upstream.desk.perform(Cancel(job_id=job.job_id, memo="x"), asker()))
    for ask in (back, dispatched(job), Complete(job_id=job.job_id, completed_on=NOW)):
        value_of(await upstream.desk.perform(ask, asker(again=True)))
        calls.clear()
        value_of(await upstream.desk.perform(ask, asker(again=True)))
        assert {call.method for call in calls} == {"GET"}
