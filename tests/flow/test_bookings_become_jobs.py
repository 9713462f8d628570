"""The main job: a booking becomes one job, follows its changes, and is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from app.business_file import load_business
from app.stream.partition import partition_for
from tests.support.flow import PARTITIONS, booking

if TYPE_CHECKING:
    from tests.support.flow import Flow

BUSINESS = load_business()


async def test_a_booking_becomes_one_job_and_the_whole_of_it_is_told(flow: Flow) -> None:
    data = booking(doorCount=2, specialInstructions="Gate <b>4417</b>", zip="85251", isRenter=True)
    event_id = await flow.send("created", "b-1", data)
    view = await flow.view("b-1", state="active")
    (row,) = flow.jobs("b-1")
    (said,) = flow.announced("b-1")
    assert {name: said[name] for name in ("specversion", "source", "type", "subject")} == {
        "specversion": "1.0",
        "source": "/servicetitan-stream",
        "type": "job.created",
        "subject": "b-1",
    }
    assert view.keys() == {"bookingId", "state", "job", "problem", "causedBy", "sequence"}
    assert (view["bookingId"], view["problem"], view["causedBy"]) == ("b-1", None, event_id)
    job = view["job"]
    assert (job.pop("createdAt"), job.pop("updatedAt")) != ("", "")
    assert job == {
        "id": row.id,
        "jobNumber": row.number,
        "bookingId": "b-1",
        "status": "scheduled",
        "priority": "high",
        "description": "Garage door spring repair/replacement (2 doors)\nGate <b>4417</b>",
        "businessUnit": "Scottsdale_North",
        "customer": {
            "id": row.customer_id,
            "name": "Ana Lopez",
            "phone": "(602) 555-0123",
            "email": "ana@example.com",
        },
        "location": {
            "id": row.location_id,
            "address": {"street": "12 W Camelback Rd", "city": "Phoenix", "state": "AZ", "zip": "85251"},
        },
        "scheduledDate": "2027-03-02T00:00:00Z",
        "timeSlot": "9:00 AM - 11:00 AM",
        "appointmentStart": "2027-03-02T16:00:00.000Z",
        "appointmentEnd": "2027-03-02T18:00:00.000Z",
        "estimatedDuration": 120,
        "technicians": [],
    }
    assert (row.summary or "").split("<br>\n") == [
        "Garage door spring repair/replacement (2 doors)",
        "Gate &lt;b&gt;4417&lt;/b&gt;",
        "The customer rents the home",
    ]
    world = flow.simulator.state.world
    (visit,) = world.appointments_of(row)
    assert (visit.start.isoformat(), visit.end.isoformat()) == (
        "2027-03-02T16:00:00+00:00",
        "2027-03-02T18:00:00+00:00",
    )
    assert visit.arrival_window_start == visit.start
    units = {unit.id: unit.name for unit in world.catalogue.business_units.in_order}
    assert units[row.business_unit_id] == "Scottsdale_North"


async def test_each_problem_is_told_with_its_priority_length_and_words(flow: Flow) -> None:
    zips = ["85255", "85210", "85016", "85301"]
    for number, problem in enumerate(BUSINESS.problems):
        data = booking(problemType=problem, zip=zips[number % 4], timeSlot=None)
        await flow.send("created", problem, data)
    for number, (problem, wanted) in enumerate(BUSINESS.problems.items()):
        job = (await flow.view(problem, state="active"))["job"]
        assert (job["priority"], job["estimatedDuration"], job["description"]) == (
            wanted.priority,
            wanted.minutes,
            wanted.description,
        )
        assert job["businessUnit"] == BUSINESS.unit_of(problem, zips[number % 4])
        assert job["appointmentStart"] == "2027-03-02T00:00:00.000Z"


async def test_a_job_follows_every_change_in_order(flow: Flow) -> None:
    await flow.send("created", "b-1")
    moved = {"scheduledDate": "2027-03-09T00:00:00Z", "timeSlot": "1:00 PM - 3:00 PM"}
    for kind, data in (
        ("rescheduled", moved),
        ("status_changed", {"status": "dispatched", "technicianIds": [501, 502]}),
        ("status_changed", {"status": "scheduled"}),
        ("status_changed", {"status": "dispatched", "technicianIds": [503]}),
        ("status_changed", {"status": "in_progress"}),
        ("status_changed", {"status": "in_progress"}),
        ("status_changed", {"status": "completed"}),
    ):
        await flow.send(kind, "b-1", data)
    view = await flow.view("b-1", state="ended", status="completed")
    assert view["job"]["appointmentStart"] == "2027-03-09T20:00:00.000Z"
    assert view["job"]["timeSlot"] == "1:00 PM - 3:00 PM"
    assert flow.effects("b-1") == [
        "job.created",
        "appointment.rescheduled",
        "technicians.assigned",
        "technicians.unassigned",
        "technicians.assigned",
        "job.noted",
        "job.completed",
    ]
    sequences = [said["data"]["sequence"] for said in flow.announced("b-1")]
    assert sequences == sorted(set(sequences))
    # The same status again is accepted without a call and without news.
    assert flow.types("b-1") == ["job.created", *["job.updated"] * 6]


async def test_a_cancelled_job_can_be_put_back_and_cancelled_again(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    await flow.send("cancelled", "b-1", {"reason": "Sold the house"})
    await flow.view("b-1", state="ended", status="cancelled")
    await flow.send("status_changed", "b-1", {"status": "scheduled"})
    await flow.view("b-1", state="active", status="scheduled")
    await flow.send("status_changed", "b-1", {"status": "cancelled", "reason": "Sold it after all"})
    await flow.view("b-1", state="ended", status="cancelled")
    assert flow.effects("b-1") == ["job.created", "job.canceled", "job.uncanceled", "job.canceled"]
    memos = [row.memo for row in flow.jobs("b-1")[0].cancellations]
    assert memos == ["Sold the house", "Sold it after all"]


async def test_binary_mode_is_read_as_well(flow: Flow) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "ce_specversion": b"1.0",
        "ce_id": b"e-1",
        "ce_source": b"/tests",
        "ce_type": b"booking.created",
        "ce_subject": b"b-1",
        "ce_time": b"2026-11-24T12:00:00+01:00",
        "traceparent": f"00-{trace}-b7ad6b7169203331-01".encode(),
    }
    await flow.send_raw(b"b-1", orjson.dumps(booking()), headers=headers)
    view = await flow.view("b-1", state="active")
    assert view["causedBy"] == "e-1"
    assert flow.announced("b-1")[0]["traceparent"].split("-")[1] == trace


async def test_two_bookings_of_one_new_customer_at_once_make_one_customer(flow: Flow) -> None:
    """One phone has one writer, however the number is typed; a known customer costs one call.

    Who books for the same door is the same customer; somebody else elsewhere is not. Who is not to be served
    gets no job.
    """
    await flow.send("created", "b-1", booking(phone="(602) 555-0123"))
    await flow.send("created", "b-2", booking(phone="+1 602.555.0123", address="99 E Main St"))
    await flow.send("created", "b-3", booking(phone="6025550123", firstName="Zoe", address="7 Elm Rd"))
    views = [await flow.view(f"b-{n}", state="active") for n in (1, 2, 3)]
    await flow.send("created", "b-5", booking(phone="6025550123", firstName="Zoe"))
    views.append(await flow.view("b-5", state="active"))
    customers = [view["job"]["customer"]["id"] for view in views]
    locations = [view["job"]["location"]["id"] for view in views]
    assert customers[0] == customers[1] == customers[3] != customers[2]
    assert (len(set(locations)), locations[0]) == (3, locations[3])
    assert len(flow.simulator.state.world.customers) == 2
    assert (flow.jobs("b-5")[0].summary or "").endswith("<br>\nBooked by Zoe Lopez")
    requests = flow.of(flow.topics.customer_requests.name)
    assert {request.key for request in requests} == {b"+16025550123"}
    before = flow.simulator.state.journal.total
    await flow.send("created", "b-4")
    await flow.view("b-4", state="active")
    assert flow.simulator.state.journal.total == before + 1
    flow.simulator.state.world.customers.rows[customers[0]].do_not_service = True
    await flow.send("created", "b-6", booking(address="3 Oak Ave"))
    held = await flow.view("b-6", state="held")
    assert (held["problem"]["reason"], held["job"], flow.jobs("b-6")) == ("do-not-service", None, [])


async def test_answers_about_customers_are_signals_of_their_booking(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    (signal,) = flow.of(flow.topics.signals.name, "b-1")
    assert signal.partition == partition_for(b"b-1", PARTITIONS)
    said = orjson.loads(signal.value or b"")
    assert (said["type"], said["subject"]) == ("customer.resolved", "b-1")
    assert said["data"]["customerId"] == flow.jobs("b-1")[0].customer_id


@pytest.mark.parametrize("key", ["b", "b" * 100, "Bücher/7 ?&"])
async def test_any_booking_id_will_do(flow: Flow, key: str) -> None:
    await flow.send("created", key)
    await flow.view(key, state="active")
    assert len(flow.jobs(key)) == 1
