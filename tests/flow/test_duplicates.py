"""Rule 7: the same event twice changes nothing, nor does a second creation that says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.flow import booking, event, flow_on, simulated
from tests.support.topics import ToSend, delete_topics, produce
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.flow import Flow

MOVED = {"scheduledDate": "2027-04-01T00:00:00Z"}
MANY = 3_000


async def test_the_same_identity_again_is_ignored_whatever_its_bytes(flow: Flow) -> None:
    await flow.send("created", "b-1", event_id="e-1")
    await flow.send("created", "b-1", event_id="e-1")
    await flow.send("created", "b-1", booking(firstName="Bea"), event_id="e-1")
    await flow.view("b-1", state="active")
    await flow.send("rescheduled", "b-1", MOVED, event_id="e-2")
    await flow.send("cancelled", "b-1", {}, event_id="e-2")
    await flow.send_raw(b"b-1", event("created", "b-1", booking(), "e-1"))
    await flow.send("status_changed", "b-1", {"status": "in_progress"}, event_id="e-3")
    view = await flow.view("b-1", status="in_progress")
    assert flow.effects("b-1") == ["job.created", "appointment.rescheduled", "job.noted"]
    assert flow.reasons("b-1") == []
    assert view["job"]["customer"]["name"] == "Ana Lopez"


async def test_the_same_id_of_another_source_is_another_event(flow: Flow) -> None:
    await flow.send("created", "b-1", event_id="e-1")
    await flow.view("b-1", state="active")
    await flow.send_raw(b"b-1", event("rescheduled", "b-1", MOVED, "e-1", source="/another"))
    await flow.until(lambda: flow.effects("b-1") == ["job.created", "appointment.rescheduled"])


async def test_a_second_creation_with_the_same_data_is_ignored_one_with_other_data_is_told(
    flow: Flow,
) -> None:
    await flow.send("created", "b-1")
    await flow.send("created", "b-1", booking(bookingId="b-1"))
    await flow.send("created", "b-1", booking(firstName="Bea"))
    await flow.send("created", "b-1")
    (letter,) = await flow.dead("b-1")
    assert letter.headers["x-reason"] == b"booking-exists"
    await flow.view("b-1", state="active")
    assert flow.effects("b-1") == ["job.created"]
    assert len(flow.reasons("b-1")) == 1


async def test_thousands_of_duplicates_of_one_booking_disturb_nobody(flow: Flow) -> None:
    first = event("created", "b-1", booking(), "e-1")
    await flow.send_many([(b"b-1", first)] * MANY)
    await flow.send("created", "b-2", booking(phone="6025550199"))
    await flow.send("status_changed", "b-1", {"status": "in_progress"})
    await flow.view("b-1", status="in_progress")
    await flow.view("b-2", state="active")
    assert flow.effects("b-1") == ["job.created", "job.noted"]
    assert flow.reasons("b-1") == []
    # A duplicate costs no write: there are as many rows as there were changes.
    assert len(flow.of(flow.topics.changelog("bookings").name, "b-1")) < 20


async def test_events_of_a_topic_that_was_made_anew_are_worked(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with simulated() as simulator, flow_on(kafka, unique_prefix, tmp_path, simulator) as flow:
        topic = flow.topics.booking_events.name
        async with worker_here(flow.settings):
            await flow.send("created", "b-1", event_id="e-1")
            await flow.send("rescheduled", "b-1", MOVED, event_id="e-2")
            await flow.until(lambda: flow.effects("b-1") == ["job.created", "appointment.rescheduled"])
        await delete_topics(kafka, topic)
        async with worker_here(flow.settings):
            started = event("status_changed", "b-1", {"status": "in_progress"}, "e-3")
            moved = event("rescheduled", "b-1", MOVED, "e-2")
            await produce(kafka, topic, [ToSend(b"b-1", moved), ToSend(b"b-1", started)])
            await flow.view("b-1", status="in_progress")
        assert flow.effects("b-1") == ["job.created", "appointment.rescheduled", "job.noted"]
        assert flow.reasons("b-1") == []
