"""Rule 5: a cancellation that finds its creation not done closes both, and all that stands between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.flow import CREATE_JOB, booking

if TYPE_CHECKING:
    from tests.support.flow import Flow

MOVED = {"scheduledDate": "2027-04-01T00:00:00Z"}
POST_JOB = "/jpm/v2/tenant/{tenant}/jobs"


async def test_before_the_job_was_asked_for_no_job_is_made(patient_flow: Flow) -> None:
    flow = patient_flow
    flow.fault("error_before", "/crm/*/customers", "GET", count=1)
    await flow.send("created", "b-1")
    await flow.until(lambda: flow.timers("b-1"))
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("status_changed", "b-1", {"status": "cancelled"})
    view = await flow.view("b-1", state="closed")
    assert (view["job"], view["problem"]) == (None, None)
    assert flow.types("b-1") == ["booking.closed"]
    assert flow.reasons("b-1") == []
    assert "1 behind it overtaken" in flow.decisions("b-1")
    # The timer that was set before comes, and changes nothing.
    await flow.send("created", "b-2", booking(phone="6025550199"))
    await flow.view("b-2", state="active")
    assert flow.calls("POST", POST_JOB) == 1


async def test_a_held_booking_is_closed_with_all_that_waits(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(email="error@test.com"))
    await flow.view("b-1", state="held")
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("cancelled", "b-1", {})
    view = await flow.view("b-1", state="closed")
    assert (view["job"], view["problem"]) == (None, None)
    assert flow.types("b-1") == ["booking.held", "booking.closed"]
    assert flow.reasons("b-1") == ["customer-conflict"]


async def test_an_unsure_job_that_is_not_there_is_looked_up_and_closed(patient_flow: Flow) -> None:
    flow = patient_flow
    flow.fault("drop_before", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    await flow.until(lambda: flow.timers("b-1"))
    await flow.send("cancelled", "b-1", {})
    await flow.view("b-1", state="closed")
    assert "not there: closed" in flow.decisions("b-1")
    assert flow.calls("POST", POST_JOB) == 1
    assert flow.jobs("b-1") == []


async def test_an_unsure_job_that_is_there_is_cancelled(patient_flow: Flow) -> None:
    flow = patient_flow
    flow.fault("timeout_after", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    await flow.until(lambda: flow.timers("b-1"))
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("cancelled", "b-1", {"reason": "Wrong house"})
    view = await flow.view("b-1", state="ended", status="cancelled")
    (job,) = flow.jobs("b-1")
    assert view["job"]["id"] == job.id
    assert flow.effects("b-1") == ["job.created", "job.canceled"]
    assert [row.memo for row in job.cancellations] == ["Wrong house"]
    assert flow.reasons("b-1") == []


async def test_after_it_is_closed_everything_is_illegal(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(zip="00000"))
    await flow.view("b-1", state="held")
    await flow.send("cancelled", "b-1", {})
    await flow.view("b-1", state="closed")
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("cancelled", "b-1", {})
    await flow.send("created", "b-1", booking(firstName="Bea"))
    await flow.dead("b-1", 4)
    assert flow.reasons("b-1") == ["area-not-supported", *["illegal-transition"] * 3]
    assert flow.jobs("b-1") == []
