"""Rule 8: an operator may retry, repair or discard; the lane's owner applies it, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from tests.support.flow import CREATE_JOB, booking

if TYPE_CHECKING:
    from tests.support.flow import Flow

MOVED = {"scheduledDate": "2027-04-01T00:00:00Z", "timeSlot": "9:00 AM - 11:00 AM"}


async def test_a_retry_is_a_new_turn_with_all_attempts_and_what_waits_goes_on(flow: Flow) -> None:
    flow.fault("forbidden", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    await flow.view("b-1", state="held")
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("status_changed", "b-1", {"status": "in_progress"})
    flow.fault("error_before", CREATE_JOB, count=1)
    await flow.act("retry", "b-1")
    view = await flow.view("b-1", state="active", status="in_progress")
    assert view["problem"] is None
    assert flow.effects("b-1") == ["job.created", "appointment.rescheduled", "job.noted"]
    # The first would have brought the lane back, had the worker died at the call.
    assert [one.headers["x-attempt"] for one in flow.timers("b-1")] == [b"0", b"1"]
    row = flow.row("b-1")
    assert row is not None
    assert any(entry.asked == "retry by ops: because" for entry in row.timeline)


async def test_a_repair_goes_through_validation_and_keeps_the_original(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(zip="00000"))
    await flow.view("b-1", state="held")
    await flow.act("repair", "b-1", data=booking(zip="nowhere"))
    await flow.decided("b-1", "the repair is invalid")
    assert flow.latest("b-1")["state"] == "held"
    await flow.act("repair", "b-1", data=booking(zip="85016"))
    view = await flow.view("b-1", state="active")
    assert view["job"]["location"]["address"]["zip"] == "85016"
    row = flow.row("b-1")
    assert row is not None
    assert row.original is not None
    assert (row.original.zip, row.booked.zip) == ("00000", "85016")
    # The producer's re-send of the original is still the same booking.
    await flow.send("created", "b-1", booking(zip="00000"))
    await flow.decided("b-1", "ignored: the same data")


async def test_a_discard_closes_with_its_reason(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(zip="00000"))
    await flow.view("b-1", state="held")
    await flow.send("rescheduled", "b-1", MOVED)
    signal_id = await flow.act("discard", "b-1")
    view = await flow.view("b-1", state="closed")
    assert (view["job"], view["problem"]["reason"]) == (None, "discarded")
    assert view["causedBy"] == signal_id
    assert "ops" in view["problem"]["detail"]
    assert "because" in view["problem"]["detail"]
    assert flow.types("b-1") == ["booking.held", "booking.closed"]


async def test_an_unsure_creation_is_looked_up_before_it_is_retried_or_discarded(flow: Flow) -> None:
    """All attempts at it went without an answer, and yet the last one made the job."""
    flow.fault("error_before", "/jpm/*/jobs", "GET", count=1)
    flow.fault("timeout_after", CREATE_JOB, count=1)
    flow.fault("forbidden", "/jpm/*/jobs", "GET", count=1)
    await flow.send("created", "b-1")
    await flow.view("b-1", state="held")
    assert len(flow.jobs("b-1")) == 1
    await flow.act("discard", "b-1")
    view = await flow.view("b-1", state="active")
    assert view["job"]["id"] == flow.jobs("b-1")[0].id
    assert flow.effects("b-1") == ["job.created"]
    await flow.decided("b-1", "not discarded: job")


async def test_a_dead_lettered_change_is_worked_again_as_if_it_came_now(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    event_id = await flow.send("status_changed", "b-1", {"status": "completed"})
    (letter,) = await flow.dead("b-1")
    assert letter.headers["x-reason"] == b"no-technician"
    await flow.send("status_changed", "b-1", {"status": "dispatched", "technicianIds": [501]})
    await flow.until(lambda: "technicians.assigned" in flow.effects("b-1"))
    await flow.act("retry", "b-1", event=event_id)
    await flow.view("b-1", state="ended", status="completed")
    await flow.act("retry", "b-1", event=event_id)
    await flow.decided("b-1", "nothing of this booking waits for it")


async def test_the_same_signal_twice_acts_once(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(zip="00000"))
    await flow.view("b-1", state="held")
    await flow.act("retry", "b-1")
    await flow.dead("b-1", 2)
    (signal,) = (
        one
        for one in flow.of(flow.topics.signals.name, "b-1")
        if orjson.loads(one.value or b"")["type"] == "action.retry"
    )
    await flow.send_raw(signal.key, signal.value, topic=signal.topic)
    await flow.act("discard", "b-1")
    await flow.view("b-1", state="closed")
    assert len(flow.reasons("b-1")) == 2
