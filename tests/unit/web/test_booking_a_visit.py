"""POST /jobs and /jobs/batch: what is published, how long it waits, and each of its answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.booking.events import RawEvent, read
from app.booking.identity import NOTHING_SEEN, Identity, Progress, mark
from app.booking.reasons import Reason
from app.booking.record import Entry, Lane, Phase, Record, State, Waits
from app.web.events import HTTP_SOURCE
from tests.support.rows import BOOKING, NOW, a_head, a_job, a_record, held, trouble, with_job
from tests.support.web import PREFIX, Sent, Served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def named(booking_id: str, **changes: object) -> dict[str, Any]:
    return {**BOOKING, "bookingId": booking_id, **changes}


def event_of(sent: Sent) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(sent.value or b"")
    return document


def identity(sent: Sent) -> str:
    document = event_of(sent)
    return Identity(source=document["source"], id=document["id"]).digest()


def worked(served: Served, became: Callable[[str, str], Record]) -> Callable[[Sent], Awaitable[None]]:
    """The rest of the service: writes the row that `became` gives for a booking and a digest, a bit later."""

    async def on_publish(sent: Sent) -> None:
        record = became((sent.key or b"").decode(), identity(sent))
        asyncio.get_running_loop().call_later(0.05, served.view.put, record)

    return on_publish


def makes_job(booking_id: str, digest: str) -> Record:
    return with_job(booking_id, 1001, seen=mark(NOTHING_SEEN, digest, Progress.WORKED), sequence=9)


async def test_a_visit_is_booked_and_answered_by_its_job(served: Served) -> None:
    served.on_publish = worked(served, makes_job)
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["success"], body["data"]["id"]) == (201, True, 1001)
    assert body["data"]["customer"]["name"] == "Ada Lovelace"


async def test_what_is_published_is_a_booking_event(served: Served) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"Prefer": "respond-async", "traceparent": trace}
    await served.ask("POST", "/jobs", json=named("b-1", unknown="x"), headers=headers)
    (sent,) = served.sent
    raw = RawEvent(topic="t", partition=0, offset=0, key=sent.key, value=sent.value)
    event = read(raw)
    assert (sent.topic, sent.key, getattr(event, "booking_id", None)) == ("events", b"b-1", "b-1")
    document = event_of(sent)
    assert (document["source"], document["type"]) == (HTTP_SOURCE, "booking.created")
    assert document["time"] == "2026-03-02T09:00:00.000Z"
    assert document["traceparent"].startswith(trace[:35])
    assert "unknown" not in document["data"]
    assert getattr(event, "data", None) is not None


async def test_it_does_not_wait_when_asked_not_to(served: Served) -> None:
    found, body, headers = await served.ask(
        "POST", "/jobs", json=named("b/1"), headers={"Prefer": "respond-async, wait=9"}
    )
    event = event_of(served.sent[0])["id"]
    assert (found, body["data"]) == (202, {"bookingId": "b/1", "status": "queued", "event": event})
    assert headers["Location"] == f"{PREFIX}/bookings/b%2F1?event={event}"
    assert headers["Preference-Applied"] == "respond-async"


async def test_it_waits_no_longer_than_it_is_told(served: Served) -> None:
    found, _, headers = await served.ask("POST", "/jobs", json=named("b-1"), headers={"Prefer": "wait=0"})
    assert (found, headers["Preference-Applied"]) == (202, "wait=0")
    served.on_publish = worked(served, makes_job)
    found, _, headers = await served.ask("POST", "/jobs", json=named("b-2"), headers={"Prefer": "wait=20"})
    assert (found, headers["Preference-Applied"]) == (201, "wait=20")


async def test_the_address_it_gives_is_202_until_the_event_was_worked(served: Served) -> None:
    _, _, headers = await served.ask("POST", "/jobs", json=named("b-1"), headers={"Prefer": "wait=0"})
    path = headers["Location"]
    found, body, again = await served.ask("GET", path, api=False)
    assert (found, body["data"]["status"], again["Location"]) == (202, "queued", path)
    digest = identity(served.sent[0])
    on_its_way = a_record("b-1", seen=mark(NOTHING_SEEN, digest, Progress.ON_ITS_WAY))
    served.view.put(on_its_way)
    assert (await served.ask("GET", path, api=False))[0] == 202
    asyncio.get_running_loop().call_later(0.05, served.view.put, makes_job("b-1", digest))
    found, body, _ = await served.ask("GET", f"{path}&wait=20", api=False)
    assert (found, body["data"]["job"]["id"]) == (200, 1001)


async def test_the_same_booking_with_the_same_data_is_answered_by_its_job(served: Served) -> None:
    served.view.put(with_job("b-1", 1001))
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["data"]["id"]) == (200, 1001)
    assert served.sent == []


async def test_the_same_booking_that_is_under_way_is_waited_for(served: Served) -> None:
    head = a_head("e-0", type="booking.created")
    lane = Lane(phase=Phase.WAITING, waits=Waits.CUSTOMER, head=head, due=NOW)
    seen = mark(NOTHING_SEEN, head.digest, Progress.ON_ITS_WAY)
    served.view.put(a_record("b-1", lane=lane, seen=seen))
    asyncio.get_running_loop().call_later(0.05, served.view.put, makes_job("b-1", head.digest))
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["data"]["id"]) == (200, 1001)
    assert served.sent == []


async def test_the_same_booking_that_takes_longer_is_202(served: Served) -> None:
    head = a_head("e-0", type="booking.created")
    seen = mark(NOTHING_SEEN, head.digest, Progress.ON_ITS_WAY)
    served.view.put(a_record("b-1", lane=Lane(phase=Phase.WAITING, head=head), seen=seen))
    found, body, headers = await served.ask("POST", "/jobs", json=named("b-1"), headers={"Prefer": "wait=0"})
    assert (found, body["data"]["event"]) == (202, "e-0")
    assert (await served.ask("GET", headers["Location"], api=False))[0] == 202


@pytest.mark.parametrize("before", ["there", "at the same moment"])
async def test_the_same_booking_with_other_data_is_a_conflict(served: Served, before: str) -> None:
    if before == "there":
        served.view.put(with_job("b-1", 1001))
    else:
        served.on_publish = worked(
            served,
            lambda booking_id, digest: with_job(
                booking_id, 1, seen=mark(NOTHING_SEEN, digest, Reason.BOOKING_EXISTS)
            ),
        )
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1", doorCount=2))
    assert (found, body["error"]) == (409, "Conflict")
    assert len(served.sent) == (0 if before == "there" else 1)


async def test_a_repaired_booking_is_the_same_by_its_original_too(served: Served) -> None:
    record = with_job("b-1", 1001)
    other = record.booked.model_copy(update={"zip": "85002"})
    served.view.put(replace(record, booking=other, original=record.booking))
    assert (await served.ask("POST", "/jobs", json=named("b-1")))[0] == 200
    assert (await served.ask("POST", "/jobs", json=named("b-1", zip="85002")))[0] == 200
    assert (await served.ask("POST", "/jobs", json=named("b-1", zip="85003")))[0] == 409


async def test_two_at_the_same_moment_are_one_booking(served: Served) -> None:
    """The event came second: it was worked as a duplicate while the first one's job was being made."""
    head = a_head("e-0", type="booking.created")

    def second(booking_id: str, digest: str) -> Record:
        seen = mark(mark(NOTHING_SEEN, head.digest, Progress.ON_ITS_WAY), digest, Progress.WORKED)
        asyncio.get_running_loop().call_later(0.3, served.view.put, makes_job(booking_id, head.digest))
        return a_record(booking_id, lane=Lane(phase=Phase.WORKING, head=head), seen=seen)

    served.on_publish = worked(served, second)
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["data"]["id"]) == (200, 1001)


async def test_a_duplicate_whose_job_is_there_is_200(served: Served) -> None:
    def duplicate(booking_id: str, digest: str) -> Record:
        event = event_of_last["id"]
        entry = Entry(at=NOW, event=event, asked="-", outcome="duplicate", decision="ignored")
        return replace(makes_job(booking_id, digest), timeline=(entry,))

    event_of_last: dict[str, Any] = {}
    react = worked(served, duplicate)

    async def on_publish(sent: Sent) -> None:
        event_of_last.update(event_of(sent))
        await react(sent)

    served.on_publish = on_publish
    assert (await served.ask("POST", "/jobs", json=named("b-1")))[0] == 200


@pytest.mark.parametrize(
    "reason", [Reason.CUSTOMER_CONFLICT, Reason.AREA_NOT_SUPPORTED, Reason.RETRIES_USED_UP]
)
async def test_refused_for_good_is_422_with_the_reason(served: Served, reason: Reason) -> None:
    def refused(booking_id: str, digest: str) -> Record:
        return replace(held(booking_id, reason), seen=mark(NOTHING_SEEN, digest, reason))

    served.on_publish = worked(served, refused)
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["error"], body["message"]) == (422, reason.value, "said no")
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["error"]) == (422, reason.value)


async def test_a_booking_that_was_closed_has_no_job_to_give(served: Served) -> None:
    served.view.put(a_record("b-1", state=State.CLOSED))
    assert (await served.ask("POST", "/jobs", json=named("b-1")))[0] == 409
    served.view.put(a_record("b-1", state=State.CLOSED, problem=trouble(Reason.DISCARDED), sequence=2))
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["error"]) == (422, "discarded")


async def test_an_id_is_made_for_a_booking_without_one(served: Served) -> None:
    for _ in range(2):
        await served.ask("POST", "/jobs", json=BOOKING, headers={"Prefer": "respond-async"})
    first, second = served.sent
    assert first.key != second.key
    assert event_of(first)["subject"].encode() == first.key


async def test_a_repeated_request_is_the_same_event(served: Served) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": '"a key"'}
    for _ in range(2):
        await served.ask("POST", "/jobs", json=BOOKING, headers=headers)
    await served.ask("POST", "/jobs", json=BOOKING, headers={**headers, "Idempotency-Key": "another"})
    first, again, other = (sent for sent in served.sent if sent.topic == "events")
    assert (first.key, event_of(first)["id"]) == (again.key, event_of(again)["id"])
    assert first.key != other.key
    assert event_of(first)["id"] != event_of(other)["id"]


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "\u00e9"])
async def test_an_idempotency_key_that_is_none_is_wrong(served: Served, key: str) -> None:
    found, body, _ = await served.ask("POST", "/jobs", json=BOOKING, headers={"Idempotency-Key": key})
    assert (found, body["details"][0]["field"]) == (400, "Idempotency-Key")


async def test_every_wrong_field_is_told_with_its_value_masked(served: Served) -> None:
    wrong = {
        **BOOKING,
        "phone": "555-01",
        "email": "ada at example.com",
        "zip": "850",
        "problemType": "squeaks",
        "doorCount": 11,
        "scheduledDate": "tomorrow",
    }
    del wrong["lastName"]
    found, body, _ = await served.ask("POST", "/jobs", json=wrong)
    assert (found, body["error"]) == (400, "Validation Error")
    fields = {one["field"]: one["value"] for one in body["details"]}
    assert fields.keys() == {
        "lastName",
        "phone",
        "email",
        "zip",
        "problemType",
        "doorCount",
        "scheduledDate",
    }
    assert fields["lastName"] is None
    assert (fields["zip"], fields["doorCount"], fields["scheduledDate"]) == ("***", 11, "tomorrow")
    assert "555" not in str(fields["phone"])
    assert "ada at" not in str(fields["email"])
    assert served.sent == []


@pytest.mark.parametrize("booking_id", ["", "x" * 101, 7, ["b"], {}])
async def test_a_booking_id_that_is_none_is_wrong(served: Served, booking_id: object) -> None:
    found, body, _ = await served.ask("POST", "/jobs", json={**BOOKING, "bookingId": booking_id})
    assert (found, [one["field"] for one in body["details"]]) == (400, ["bookingId"])


async def test_a_null_booking_id_is_none_given(served: Served) -> None:
    headers = {"Prefer": "respond-async"}
    assert (await served.ask("POST", "/jobs", json={**BOOKING, "bookingId": None}, headers=headers))[0] == 202


async def test_kafka_away_is_503_with_when_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Sent) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("app.web.submission.PUBLISH_SECONDS", 0.05)
    served.on_publish = never
    found, body, headers = await served.ask("POST", "/jobs", json=named("b-1"))
    assert (found, body["error"], headers["Retry-After"]) == (503, "Service Unavailable", "5")

    async def refuses(_: Sent) -> None:
        raise RuntimeError("fenced: internal")

    served.on_publish = refuses
    found, body, _ = await served.ask("POST", "/jobs", json=named("b-1"))
    assert found == 503
    assert "fenced" not in str(body)


# Batches --------------------------------------------------------------------------------------------------


async def test_one_bad_booking_never_spoils_the_rest(served: Served) -> None:
    served.on_publish = worked(served, makes_job)
    served.view.put(with_job("known", 5))
    batch = [
        named("b-1"),
        {"firstName": "Ada"},
        named("known", zip="85002"),
        named("b-1"),
        named("known"),
        BOOKING,
    ]
    found, body, _ = await served.ask("POST", "/jobs/batch", json={"bookings": batch})
    results = body["data"]["results"]
    assert found == 207
    assert [one["status"] for one in results] == [201, 400, 409, 400, 400, 201]
    assert [one["index"] for one in results] == list(range(6))
    assert results[3]["details"][0]["message"] == "stands in this batch twice"
    assert (body["data"]["accepted"], body["data"]["rejected"]) == (2, 4)
    assert len(served.sent) == 2


async def test_a_repeated_batch_is_the_same_events(served: Served) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "k"}
    for _ in range(2):
        await served.ask("POST", "/jobs/batch", json={"bookings": [BOOKING, BOOKING]}, headers=headers)
    keys = sorted((sent.key or b"", event_of(sent)["id"]) for sent in served.sent if sent.topic == "events")
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert keys[0] != keys[2]


@pytest.mark.parametrize(
    "body", [{}, {"bookings": []}, {"bookings": [{}] * 101}, {"bookings": {}}, {"bookings": [1]}, [], "x"]
)
async def test_a_batch_that_is_none_is_wrong(served: Served, body: object) -> None:
    found, answer, _ = await served.ask("POST", "/jobs/batch", json=body)
    assert (found, answer["error"]) == (400, "Validation Error")


async def test_a_hundred_bookings_are_taken_at_once(served: Served) -> None:
    served.on_publish = worked(served, makes_job)
    batch = [named(f"b-{number}") for number in range(100)]
    found, body, _ = await served.ask("POST", "/jobs/batch", json={"bookings": batch})
    assert (found, body["data"]["accepted"]) == (207, 100)


async def test_far_behind_nothing_is_taken_or_told(served: Served) -> None:
    served.view.set_progress(caught_up=False)
    asked = [
        ("POST", "/jobs", named("b-1")),
        ("POST", "/jobs/batch", {"bookings": [BOOKING]}),
        ("GET", "/jobs/1001", None),
        ("GET", "/bookings/b-1", None),
        ("GET", "/jobs?startDate=2026-03-01&endDate=2026-03-01", None),
        ("PATCH", "/jobs/1001/status", {"status": "completed"}),
        ("DELETE", "/jobs/1001", {}),
        ("POST", "/bookings/b-1/actions", {"action": "retry", "why": "x"}),
    ]
    for method, path, body in asked:
        found, answer, headers = await served.ask(method, path, json=body)
        assert (found, answer["error"], headers["Retry-After"]) == (503, "Service Unavailable", "5")
    assert served.sent == []


def test_the_row_makers_agree_with_the_booking() -> None:
    """The tests above compare bookings by their data: the row's must be that of BOOKING."""
    assert a_record().booked.model_dump(mode="json", by_alias=True, exclude_unset=True) == BOOKING
    assert a_job().status_at == NOW
