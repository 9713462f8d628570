"""The sweep: what webhooks missed is found in ServiceTitan's own list, told once, and never pushed back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from app.booking.record import Technician
from app.booking.status import Status
from app.servicetitan.wire import PAGE_SIZE
from app.simulator.control import Outage, outage
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.life import Act, play
from app.simulator.state.records import Refusal
from app.simulator.state.visits import assign_technicians, unassign_technicians
from app.worker.sweep import Sweep
from tests.support.rows import a_job, held, with_job
from tests.support.simulated import add_customer, add_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.booking.inputs import Observed
    from app.booking.record import Record
    from app.servicetitan.caller import CallMade
    from app.servicetitan.upstream import Upstream
    from app.simulator.server import RunningSimulator
    from app.simulator.state.records import JobRow
    from app.simulator.state.world import World
    from tests.client.conftest import MakeUpstream
    from tests.support.web import FedView


def now() -> datetime:
    return datetime.now(UTC)


class Told:
    """A sweep and what it reported."""

    def __init__(self, view: FedView, clock: Callable[[], datetime] = now) -> None:
        self.reported: list[tuple[str, Observed]] = []
        self.sweep = Sweep(view, self._report, clock)

    async def _report(self, booking_id: str, seen: Observed) -> None:
        self.reported.append((booking_id, seen))

    def statuses(self) -> list[tuple[str, Status | None]]:
        return [(booking, seen.status) for booking, seen in self.reported]


def job_of(simulator: RunningSimulator, booking: str | None) -> JobRow:
    world = simulator.state.world
    return add_job(world, add_customer(world), booking=booking)


def known(job: JobRow, booking: str, status: Status = Status.SCHEDULED, at: datetime | None = None) -> Record:
    """Our record of that job: it was seen in this status at that time, by default at its creation."""
    at = at or job.created_on
    ours = a_job(job.id, status=status, reported=status, status_at=at)
    return replace(with_job(booking, job.id), job=ours)


def known_visit(world: World, job: JobRow, booking: str) -> Record:
    """The same, with the visit as it is now."""
    record, visit = known(job, booking), world.appointments_of(job)[0]
    assert record.job is not None
    ours = replace(
        record.job,
        appointment_id=visit.id,
        start=visit.start,
        end=visit.end,
        window_start=visit.arrival_window_start,
        window_end=visit.arrival_window_end,
        visit_at=visit.modified_on,
    )
    return replace(record, job=ours)


def by_technicians(seen: Observed) -> int:
    return len(seen.technicians)


async def test_a_change_that_no_webhook_told_is_reported(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    job, same = job_of(simulator, "b-1"), job_of(simulator, "b-2")
    view.put(known(job, "b-1"), known(same, "b-2"))
    assert play(simulator.state.world, job, Act.COMPLETE) is None
    told = Told(view)
    assert await told.sweep.look(upstream.watch) == 1
    ((booking, seen),) = told.reported
    assert (booking, seen.job_id, seen.status, seen.seen_by) == ("b-1", job.id, Status.COMPLETED, "sweep")
    assert abs(seen.at - job.modified_on) < timedelta(milliseconds=1)
    assert told.sweep.counts.read == 2
    view.put(known(job, "b-1", Status.COMPLETED, seen.at))
    assert await told.sweep.look(upstream.watch) == 0


async def test_what_the_office_moved_and_whom_it_sent_is_reported_by_one_call_each(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, calls: list[CallMade]
) -> None:
    world = simulator.state.world
    jobs = {f"b-{number}": job_of(simulator, f"b-{number}") for number in range(3)}
    view.put(*(known_visit(world, job, booking) for booking, job in jobs.items()))
    for job in (*jobs.values(), job_of(simulator, None)):
        assert play(world, job, Act.ASSIGN) is None
        assert play(world, job, Act.RESCHEDULE) is None
    told = Told(view)
    calls.clear()
    assert await told.sweep.look(upstream.watch) == 6
    for booking, job in jobs.items():
        visit = world.appointments_of(job)[0]
        moved, sent = sorted((seen for name, seen in told.reported if name == booking), key=by_technicians)
        assert moved.visit is not None
        assert (moved.visit.start, moved.visit.end) == (visit.start, visit.end)
        (technician,) = sent.technicians
        assert (technician.assigned, technician.name != "") == (True, True)
    listed = [call.endpoint.rsplit("/", 1)[1] for call in calls]
    assert sorted(listed) == ["appointment-assignments", "appointments", "jobs"]


async def test_who_is_taken_off_a_visit_is_reported(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    world, job = simulator.state.world, job_of(simulator, "b-1")
    assert play(world, job, Act.ASSIGN) is None
    visit = world.appointments_of(job)[0]
    (there,) = world.assignments_of(visit)
    ours = known_visit(world, job, "b-1")
    assert ours.job is not None
    technicians = (Technician(id=there.technician_id, name="Rosa"),)
    view.put(replace(ours, job=replace(ours.job, technicians=technicians)))
    taken_off = unassign_technicians(world, visit, (there.technician_id,))
    assert not isinstance(taken_off, Refusal)
    told = Told(view)
    await told.sweep.look(upstream.watch)
    ((_, seen),) = told.reported
    assert [one.assigned for one in seen.technicians] == [False]


async def test_who_was_taken_off_and_put_on_again_comes(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    """Each turn is a row of its own, and the list shows them all."""
    world, job = simulator.state.world, job_of(simulator, "b-1")
    visit = world.appointments_of(job)[0]
    ours = known_visit(world, job, "b-1")
    for change in (assign_technicians, unassign_technicians, assign_technicians):
        assert not isinstance(change(world, visit, (501,)), Refusal)
    assert not isinstance(assign_technicians(world, visit, (502,)), Refusal)
    names = {row.id: row.name for row in world.catalogue.technicians.rows.values()}
    there: tuple[int, ...]
    for there, news in (((), [(501, True), (502, True)]), ((501, 502), [])):
        assert ours.job is not None
        technicians = tuple(Technician(id=one, name=names[one]) for one in there)
        view.put(replace(ours, job=replace(ours.job, technicians=technicians)))
        told = Told(view)
        await told.sweep.look(upstream.watch)
        shown = [(one.id, one.assigned) for _, seen in told.reported for one in seen.technicians]
        assert sorted(shown) == news


async def test_what_we_know_better_is_not_reported(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    """Our own change may be newer than the list; and the list shows what is dispatched as in progress."""
    cancelled, sent = job_of(simulator, "b-1"), job_of(simulator, "b-2")
    assert play(simulator.state.world, sent, Act.DISPATCH) is None
    later = now() + timedelta(minutes=1)
    view.put(
        known(cancelled, "b-1", Status.CANCELLED, later),
        known(sent, "b-2", Status.DISPATCHED, sent.modified_on),
    )
    told = Told(view)
    assert await told.sweep.look(upstream.watch) == 0
    # Somebody changed something else of it.
    simulator.state.world.jobs.touch(sent, now() + timedelta(seconds=1))
    assert await told.sweep.look(upstream.watch) == 0
    assert play(simulator.state.world, sent, Act.WORK) is None
    assert await told.sweep.look(upstream.watch) == 1
    assert told.statuses() == [("b-2", Status.IN_PROGRESS)]


async def test_a_job_that_was_changed_in_the_future_hides_nothing_that_comes_after(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    ahead, job = job_of(simulator, "b-1"), job_of(simulator, "b-2")
    view.put(known(ahead, "b-1"), known(job, "b-2"))
    assert play(simulator.state.world, ahead, Act.COMPLETE) is None
    simulator.state.world.jobs.touch(ahead, datetime(2099, 1, 1, tzinfo=UTC))
    told = Told(view)
    await told.sweep.look(upstream.watch)
    ((_, seen),) = told.reported
    assert seen.at <= now()
    view.put(known(ahead, "b-1", Status.COMPLETED, seen.at))
    assert play(simulator.state.world, job, Act.COMPLETE) is None
    await told.sweep.look(upstream.watch)
    assert told.statuses() == [("b-1", Status.COMPLETED), ("b-2", Status.COMPLETED)]


async def test_a_job_on_whose_way_somebody_is_is_told_as_dispatched(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    sent, begun = job_of(simulator, "b-1"), job_of(simulator, "b-2")
    view.put(known(sent, "b-1"), known(begun, "b-2"))
    assert play(simulator.state.world, sent, Act.DISPATCH) is None
    assert play(simulator.state.world, begun, Act.WORK) is None
    told = Told(view)
    assert await told.sweep.look(upstream.watch) == 2
    assert sorted(told.statuses()) == [("b-1", Status.DISPATCHED), ("b-2", Status.IN_PROGRESS)]


async def test_a_sweep_is_cut_short_when_a_visit_cannot_be_read(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    job = job_of(simulator, "b-1")
    view.put(known(job, "b-1"))
    assert play(simulator.state.world, job, Act.DISPATCH) is None
    told = Told(view)
    visits = "/jpm/v2/tenant/*/appointments/*"
    fault = FaultRequest.model_validate({"kind": "error_before", "path": visits})
    simulator.state.faults.add(fault, simulator.state.monotonic())
    assert await told.sweep.look(upstream.watch) is None
    assert told.reported == []


async def test_a_visit_that_is_gone_tells_nothing_better_than_its_job(
    simulator: RunningSimulator, upstream: Upstream
) -> None:
    job = job_of(simulator, "b-1")
    assert play(simulator.state.world, job, Act.DISPATCH) is None
    (glimpse,) = [seen async for seen in upstream.watch.jobs_since(job.created_on - timedelta(minutes=1))]
    assert (await upstream.watch.closer(glimpse)).status is Status.DISPATCHED
    for without in (None, 9999):
        gone = replace(glimpse, appointment_id=without)
        assert await upstream.watch.closer(gone) == gone


async def test_jobs_without_a_booking_and_second_jobs_are_counted(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    first, second = job_of(simulator, "b-1"), job_of(simulator, "b-1")
    job_of(simulator, "nobody-knows-it")
    job_of(simulator, None)
    job_of(simulator, "b-3")
    view.put(known(first, "b-1"), held("b-3"))
    told = Told(view)
    assert await told.sweep.look(upstream.watch) == 0
    assert told.reported == []
    counts = told.sweep.counts
    assert (counts.read, counts.without_booking, counts.second_jobs) == (5, 1, 1)
    # A second job that was cancelled is no trouble any more.
    assert play(simulator.state.world, second, Act.CANCEL) is None
    await told.sweep.look(upstream.watch)
    assert told.sweep.counts.second_jobs == 1


async def test_what_a_sweep_that_was_cut_short_did_not_see_is_found_by_the_next(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    job = job_of(simulator, "b-1")
    view.put(known(job, "b-1"))
    told = Told(view)
    assert play(simulator.state.world, job, Act.COMPLETE) is None
    simulator.state.faults.add(outage(Outage(seconds=600)), simulator.state.monotonic())
    assert await told.sweep.look(upstream.watch) is None
    assert told.reported == []
    simulator.state.faults.clear()
    async with asyncio.timeout(30):
        while await told.sweep.look(upstream.watch) is None:
            await asyncio.sleep(0.05)
            await upstream.check_health()
    assert told.statuses() == [("b-1", Status.COMPLETED)]


async def test_a_visit_that_cannot_be_read_keeps_no_other_job_from_being_seen(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    first, then = job_of(simulator, "b-1"), job_of(simulator, "b-2")
    view.put(known(first, "b-1"), known(then, "b-2"))
    assert play(simulator.state.world, first, Act.DISPATCH) is None
    assert play(simulator.state.world, then, Act.COMPLETE) is None
    simulator.state.world.jobs.touch(then, now() + timedelta(hours=1))
    told = Told(view)
    visits = "/jpm/v2/tenant/*/appointments/*"
    fault = FaultRequest.model_validate({"kind": "error_before", "path": visits})
    simulator.state.faults.add(fault, simulator.state.monotonic())
    assert await told.sweep.look(upstream.watch) is None
    assert told.statuses() == [("b-2", Status.COMPLETED)]
    simulator.state.faults.clear()
    view.put(known(then, "b-2", Status.COMPLETED, then.modified_on))
    assert await told.sweep.look(upstream.watch) == 1
    assert told.statuses()[1:] == [("b-1", Status.DISPATCHED)]


@pytest.mark.parametrize(("days", "found"), [(20, 1), (40, 0)])
async def test_after_a_long_time_away_all_is_read_that_may_have_changed_since(
    simulator: RunningSimulator, upstream: Upstream, view: FedView, days: int, found: int
) -> None:
    """Nothing says when the last sweep was; since when each job is known does."""
    job = job_of(simulator, "b-1")
    assert play(simulator.state.world, job, Act.COMPLETE) is None
    view.put(known(job, "b-1", at=job.created_on - timedelta(days=1)))
    told = Told(view, lambda: now() + timedelta(days=days))
    assert await told.sweep.look(upstream.watch) == found


async def test_a_visit_that_is_never_shown_has_no_sweep_read_years(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    job = job_of(simulator, "b-1")
    view.put(known(job, "b-1"))
    assert play(simulator.state.world, job, Act.DISPATCH) is None
    days = 0
    told = Told(view, lambda: now() + timedelta(days=days))
    fault = FaultRequest.model_validate({"kind": "error_before", "path": "/jpm/v2/tenant/*/appointments/*"})
    simulator.state.faults.add(fault, simulator.state.monotonic())
    assert await told.sweep.look(upstream.watch) is None
    assert told.sweep.counts.read == 1
    days = 40
    assert await told.sweep.look(upstream.watch) == 0
    assert told.sweep.counts.read == 1


async def test_a_sweep_that_was_cut_short_goes_on_where_it_was(
    simulator: RunningSimulator, make_upstream: MakeUpstream, view: FedView
) -> None:
    """A first look may have many pages: it would hardly ever be read in one go."""

    def fail_once(call: CallMade) -> None:
        if call.http_status == 200:
            fault = FaultRequest(kind=FaultKind.ERROR_BEFORE, count=1)
            simulator.state.faults.add(fault, simulator.state.monotonic())

    world = simulator.state.world
    customer, begun = add_customer(world), now()
    for number in range(PAGE_SIZE + 3):
        hours = 1 if number < PAGE_SIZE - 1 else number - PAGE_SIZE + 3
        world.jobs.touch(add_job(world, customer), begun + timedelta(hours=hours))
    told = Told(view, lambda: begun + timedelta(hours=9))
    assert await told.sweep.look(make_upstream(observe=fail_once).watch) is None
    assert told.sweep.counts.read == PAGE_SIZE
    simulator.state.faults.clear()
    assert await told.sweep.look(make_upstream().watch) == 0
    assert told.sweep.counts.read == PAGE_SIZE + 4


async def test_no_job_is_skipped_when_others_are_modified_while_pages_are_read(
    simulator: RunningSimulator, upstream: Upstream
) -> None:
    world = simulator.state.world
    customer = add_customer(world)
    made = [add_job(world, customer) for _ in range(PAGE_SIZE + 3)]
    read: list[int] = []
    async for glimpse in upstream.watch.jobs_since(now() - timedelta(days=1)):
        if not read:
            for job in made[:5]:
                world.jobs.touch(job, now() + timedelta(seconds=1))
        read.append(glimpse.job_id)
    assert set(read) == {job.id for job in made}
    assert len(read) == len(made) + 5, "those that changed come twice, no other does"


async def test_a_clock_that_is_ahead_of_servicetitans_hides_no_change(
    simulator: RunningSimulator, upstream: Upstream, view: FedView
) -> None:
    job = job_of(simulator, "b-1")
    view.put(known(job, "b-1"))
    told = Told(view, lambda: now() + timedelta(hours=3))
    assert await told.sweep.look(upstream.watch) == 0
    assert play(simulator.state.world, job, Act.COMPLETE) is None
    assert await told.sweep.look(upstream.watch) == 1


async def test_jobs_that_were_modified_at_the_same_time_are_all_read(
    simulator: RunningSimulator, upstream: Upstream
) -> None:
    world = simulator.state.world
    customer, at = add_customer(world), now() + timedelta(seconds=1)
    made = [add_job(world, customer) for _ in range(2 * PAGE_SIZE + 3)]
    for job in made:
        world.jobs.touch(job, at)
    read = [glimpse.job_id async for glimpse in upstream.watch.jobs_since(now() - timedelta(days=1))]
    assert read == [job.id for job in made]
