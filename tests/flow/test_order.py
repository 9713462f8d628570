"""Rules 3 and 4: lanes keep their order and wait for nobody; what fails for good holds or goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.flow import CREATE_JOB, booking
from tests.support.topics import committed, end_offsets

if TYPE_CHECKING:
    from tests.support.flow import Flow

MOVED = {"scheduledDate": "2027-04-01T00:00:00Z", "timeSlot": "9:00 AM - 11:00 AM"}
DISPATCHED = {"status": "dispatched", "technicianIds": [501]}


async def has_no_lag(flow: Flow, topic: str) -> bool:
    """Whether all that the topic holds is committed."""
    servers = flow.environ["KAFKA_BOOTSTRAP_SERVERS"]
    ends = {part.partition: end for part, end in (await end_offsets(servers, topic)).items() if end}
    done = await committed(servers, flow.topics.consumer_group, topic)
    return all(done.get(part) == end for part, end in ends.items())


async def test_what_stands_behind_a_waiting_head_waits_and_other_bookings_do_not(patient_flow: Flow) -> None:
    flow = patient_flow
    flow.fault("error_before", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    await flow.until(lambda: flow.timers("b-1"))
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("status_changed", "b-1", DISPATCHED)
    await flow.send("status_changed", "b-1", {"status": "completed"})
    await flow.send("created", "b-2", booking(phone="6025550199"))
    await flow.view("b-2", state="active")
    await flow.view("b-1", state="ended", status="completed")
    jobs = [row.booking_key for row in flow.simulator.state.world.jobs.in_order]
    assert jobs == ["b-2", "b-1"]
    assert flow.effects("b-1") == [
        "job.created",
        "appointment.rescheduled",
        "technicians.assigned",
        "job.completed",
    ]


async def test_a_held_lane_keeps_what_stands_behind_it_and_causes_no_lag(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(zip="00000"))
    await flow.view("b-1", state="held")
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("status_changed", "b-1", DISPATCHED)
    await flow.until(lambda: (row := flow.row("b-1")) and row.lane.behind == 2)
    names = [flow.topics.booking_events.name, flow.topics.signals.name, flow.topics.customer_requests.name]
    for name in names:
        while not await has_no_lag(flow, name):
            pass
    assert flow.types("b-1") == ["booking.held"]
    assert flow.effects("b-1") == []
    assert flow.reasons("b-1") == ["area-not-supported"]
    held = flow.latest("b-1")
    assert (held["job"], held["problem"]["reason"]) == (None, "area-not-supported")


async def test_a_change_that_is_refused_is_dead_lettered_and_the_lane_goes_on(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    flow.fault("conflict", "/jpm/*/reschedule", "PATCH", count=1)
    event_id = await flow.send("rescheduled", "b-1", MOVED)
    await flow.send("status_changed", "b-1", DISPATCHED)
    await flow.send("rescheduled", "b-1", {**MOVED, "scheduledDate": "2027-04-02T00:00:00Z"})
    await flow.until(lambda: flow.effects("b-1")[-1] == "appointment.rescheduled")
    (letter,) = await flow.dead("b-1")
    assert letter.headers["x-reason"] == b"refused"
    assert flow.effects("b-1") == ["job.created", "technicians.assigned", "appointment.rescheduled"]
    await flow.until(lambda: len(flow.types("b-1")) == 4)
    assert flow.types("b-1") == ["job.created", "event.dead_lettered", "job.updated", "job.updated"]
    dead = flow.announced("b-1")[1]["data"]
    assert (dead["causedBy"], dead["problem"]["reason"]) == (event_id, "refused")
    # A dead-lettered event changes nothing.
    assert dead["job"]["scheduledDate"] == "2027-03-02T00:00:00Z"


async def test_what_is_no_creation_of_a_booking_never_seen_leaves_no_row_and_holds_nothing(
    flow: Flow,
) -> None:
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.dead("b-1")
    assert flow.reasons("b-1") == ["unknown-booking"]
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    assert flow.types("b-1") == ["job.created"]


async def test_an_invalid_creation_holds_its_booking_until_a_valid_one_comes(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(phone="555", zip="1"))
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.view("b-1", state="held")
    await flow.send("created", "b-1")
    await flow.until(lambda: flow.effects("b-1") == ["job.created", "appointment.rescheduled"])
    await flow.view("b-1", state="active")
    assert flow.reasons("b-1") == ["invalid"]
    assert flow.types("b-1")[:2] == ["booking.held", "job.created"]
