"""A write whose answer was lost is sent again only when what ServiceTitan shows is not so: calls counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from app.booking.asks import Cancel, Complete, Dispatch, Note, PutBack, Reschedule
from app.booking.outcomes import Accepted, Unsure
from app.simulator.faults import FaultKind, FaultRequest
from tests.client.orders import LATER, asker, create_job, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.booking.asks import JobSeen
    from app.servicetitan.caller import CallMade
    from app.servicetitan.desk import Change
    from app.servicetitan.upstream import Upstream
    from app.simulator.server import RunningSimulator

NOW = datetime.now(UTC)
DONE = [FaultKind.DROP]
NOT_DONE = [FaultKind.ERROR_BEFORE]


def reschedule(job: JobSeen) -> Change:
    return Reschedule(job_id=job.job_id, appointment_id=job.appointment_id, slot=LATER)


def assign(job: JobSeen) -> Change:
    return Dispatch(job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=(501, 507), note="x")


def dispatch_as_note(job: JobSeen) -> Change:
    return Dispatch(job_id=job.job_id, appointment_id=job.appointment_id, technician_ids=(), note="x")


def note(job: JobSeen) -> Change:
    return Note(job_id=job.job_id, text="x")


def cancel(job: JobSeen) -> Change:
    return Cancel(job_id=job.job_id, memo="x")


def complete(job: JobSeen) -> Change:
    return Complete(job_id=job.job_id, completed_on=NOW)


def take_off(job: JobSeen) -> Change:
    return PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=False, assigned=True)


def take_back(job: JobSeen) -> Change:
    return PutBack(job_id=job.job_id, appointment_id=job.appointment_id, cancelled=True, assigned=False)


# What is asked, what comes before it, and which reads it costs at first and once its answer was lost. Who is
# on a visit is read by a put-back in any case: whom to take off only ServiceTitan knows.
KINDS: list[tuple[Callable[[JobSeen], Change], list[Callable[[JobSeen], Change]], int, int]] = [
    (reschedule, [], 0, 1),
    (assign, [], 0, 2),
    (dispatch_as_note, [], 0, 1),
    (note, [], 0, 1),
    (cancel, [], 0, 1),
    (complete, [assign], 0, 1),
    (take_off, [assign], 2, 2),
    (take_back, [cancel], 0, 1),
]


@pytest.mark.parametrize("fault", [*DONE, *NOT_DONE])
@pytest.mark.parametrize(("ask", "before", "reads_at_first", "reads"), KINDS)
async def test_it_is_looked_at_first_and_sent_again_only_when_it_is_not_so(
    upstream: Upstream,
    simulator: RunningSimulator,
    calls: list[CallMade],
    *,
    ask: Callable[[JobSeen], Change],
    before: list[Callable[[JobSeen], Change]],
    reads_at_first: int,
    reads: int,
    fault: FaultKind,
) -> None:
    job = await create_job(upstream)
    # The list of reasons is read once an hour.
    value_of(await upstream.desk.perform(cancel(await create_job(upstream, "b-0")), asker()))
    for each in before:
        value_of(await upstream.desk.perform(each(job), asker()))
    calls.clear()
    for method in ("POST", "PUT", "PATCH"):
        lost = {"kind": fault, "count": 1, "method": method}
        simulator.state.faults.add(FaultRequest.model_validate(lost), simulator.state.monotonic())

    assert isinstance(await upstream.desk.perform(ask(job), asker()), Unsure)
    assert counted(calls) == (reads_at_first, 1)
    calls.clear()
    simulator.state.faults.clear()
    effects = len(simulator.state.world.effects)
    assert isinstance(await upstream.desk.perform(ask(job), asker(again=True)), Accepted)

    sent_again = fault in NOT_DONE
    looked, written = counted(calls)
    assert written == sent_again
    # Who is not on a visit need not be looked for at the visit's own status.
    assert looked == (1 if sent_again and ask is assign else reads)
    assert (len(simulator.state.world.effects) > effects) == sent_again
    assert [call.kind for call in calls] == ["Accepted"] * len(calls)


def counted(calls: list[CallMade]) -> tuple[int, int]:
    """How many of the calls read, and how many wrote."""
    reads = sum(call.method == "GET" for call in calls)
    return reads, len(calls) - reads
