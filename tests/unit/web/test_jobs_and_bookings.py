"""Looking jobs and bookings up, changing them, and acting on what failed for good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.booking.identity import NOTHING_SEEN, Identity, Progress, mark
from app.booking.reasons import Reason
from app.booking.record import Entry, Lane, Phase, State, Waits, encode_head
from app.booking.status import Status
from app.web.events import HTTP_SOURCE, booking_event
from tests.support.rows import BOOKING, NOW, Read, a_failed, a_head, a_record, digest, held, trouble, with_job
from tests.support.web import PREFIX, Sent, Served, serving
from tests.unit.web.test_booking_a_visit import event_of, identity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from app.booking.record import Record


# Looking up -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "job", ["1002", "0", "-1", "x", "1001x", "\u0661", "9" * 30, "1e3", "1001.0", "%00", "batch"]
)
async def test_a_job_that_is_none_is_not_found(served: Served, job: str) -> None:
    served.view.put(with_job("b-1", 1001))
    found, body, _ = await served.ask("GET", f"/jobs/{job}")
    assert (found, body["error"]) == (404, "Not Found")


async def test_everything_known_of_a_booking(served: Served) -> None:
    lane = Lane(
        phase=Phase.WAITING, waits=Waits.RETRY, head=a_head("e-2"), attempts=2, due=NOW, first=4, next=5
    )
    entry = Entry(
        at=NOW,
        event="e-2",
        asked="Reschedule",
        outcome="Unsure: 503",
        decision="retry in 10 s",
        http_status=503,
        duration_ms=812,
        trace_id="t" * 32,
    )
    served.view.put(with_job("b/ä", 1001, lane=lane, timeline=(entry,), problem=trouble()))
    served.view.read(Read(topic="behind", key="b/ä/q4".encode(), value=encode_head(a_head("e-3"))))
    found, body, _ = await served.ask("GET", "/bookings/b%2F%C3%A4")
    data = body["data"]
    assert (found, data["bookingId"], data["state"], data["job"]["id"]) == (200, "b/ä", "active", 1001)
    assert data["booking"]["firstName"] == "Ada"
    assert data["lane"] == {
        "head": {"event": "e-2", "type": "booking.rescheduled", "time": "2026-03-02T09:00:00.000Z"},
        "attempt": 2,
        "due": "2026-03-02T09:00:00.000Z",
        "behind": [{"event": "e-3", "type": "booking.rescheduled", "time": "2026-03-02T09:00:00.000Z"}],
    }
    assert data["timeline"] == [
        {
            "at": "2026-03-02T09:00:00.000Z",
            "event": "e-2",
            "asked": "Reschedule",
            "outcome": "Unsure: 503",
            "httpStatus": 503,
            "durationMs": 812,
            "decision": "retry in 10 s",
            "traceId": "t" * 32,
        }
    ]
    assert data["problem"]["reason"] == "refused"
    assert data["asOf"] == "2026-03-02T09:00:00.000Z"


@pytest.mark.parametrize("booking", ["b-2", "%00", "%FF", "x" * 2000, "%ED%A0%80"])
async def test_a_booking_that_is_none_is_not_found(served: Served, booking: str) -> None:
    assert (await served.ask("GET", f"/bookings/{booking}"))[0] == 404


async def test_events_of_any_maker_are_waited_for_by_their_id(served: Served) -> None:
    async def answer(event: str) -> int:
        return (await served.ask("GET", f"/bookings/b-1?event={event}"))[0]

    lane = Lane(phase=Phase.WAITING, head=a_head("head"), first=1, next=2)
    seen = mark(NOTHING_SEEN, digest("head"), Progress.ON_ITS_WAY)
    seen = mark(seen, digest("failed"), Reason.LANE_FULL)
    worked = Entry(at=NOW, event="worked", asked="-", outcome="-", decision="-")
    served.view.put(
        with_job(
            "b-1", 1, lane=lane, seen=seen, failed=(a_failed("failed"),), timeline=(worked,), caused_by="made"
        )
    )
    served.view.read(Read(topic="behind", key=b"b-1/q1", value=encode_head(a_head("behind"))))
    assert [await answer(event) for event in ("head", "behind", "never")] == [202, 202, 202]
    assert [await answer(event) for event in ("worked", "failed", "made")] == [200, 200, 200]


async def test_an_event_of_no_booking_ends_with_why(served: Served) -> None:
    event = {
        "specversion": "1.0",
        "id": "e-1",
        "source": HTTP_SOURCE,
        "type": "booking.cancelled",
        "subject": "b-9",
        "time": "2026-03-02T09:00:00Z",
    }
    headers = (("x-reason", b"unknown-booking"),)
    served.view.read(Read(topic="dead", key=b"b-9", value=orjson.dumps(event), headers=headers))
    found, body, _ = await served.ask("GET", "/bookings/b-9?event=e-1")
    assert (found, body["error"]) == (422, "unknown-booking")


@pytest.mark.parametrize("wait", ["-1", "31", "x", "1e9", "nan", "inf", ""])
async def test_a_wait_that_is_none_is_wrong(served: Served, wait: str) -> None:
    found, body, _ = await served.ask("GET", f"/bookings/b-1?event=e&wait={wait}")
    assert (found, body["details"][0]["field"]) == (400, "wait")


# By date --------------------------------------------------------------------------------------------------


def on(number: int, start: str) -> Record:
    from datetime import datetime

    return with_job(f"b-{number}", number, job={"start": datetime.fromisoformat(start)})


async def pages(served: Served, query: str, cursor: str | None = "") -> list[list[int]]:
    found: list[list[int]] = []
    while cursor is not None:
        status, body, _ = await served.ask("GET", f"/jobs?{query}{cursor and f'&cursor={cursor}'}")
        assert status == 200
        found.append([job["id"] for job in body["data"]["jobs"]])
        cursor = body["data"]["next"]
    return found


async def test_a_day_is_the_whole_day_where_the_business_is(served: Served) -> None:
    """Phoenix is seven hours behind UTC all year."""
    served.view.put(
        on(1, "2026-03-02T06:59:59.999+00:00"),
        on(2, "2026-03-02T07:00:00+00:00"),
        on(3, "2026-03-03T06:59:59.999+00:00"),
        on(4, "2026-03-03T07:00:00+00:00"),
    )
    assert await pages(served, "startDate=2026-03-02&endDate=2026-03-02") == [[2, 3]]
    assert await pages(served, "startDate=2026-03-01&endDate=2026-03-03&limit=3") == [[1, 2, 3], [4]]


@pytest.mark.parametrize(
    "query",
    [
        "startDate=2026-03-02T09:00:00Z&endDate=2026-03-02T11:00:00Z",
        "startDate=2026-03-02T02:00:00-07:00&endDate=2026-03-02T12:00:00%2B01:00",
        "startDate=2026-03-02T10:00:00+01:00&endDate=2026-03-02T11:00:00.000Z",
        "startDate=2026-03-02T09:00Z&endDate=2026-03-02T110000Z",
    ],
)
async def test_both_ends_count_whatever_their_offset(served: Served, query: str) -> None:
    served.view.put(
        on(1, "2026-03-02T08:59:59+00:00"),
        on(2, "2026-03-02T09:00:00+00:00"),
        on(3, "2026-03-02T11:00:00+00:00"),
        on(4, "2026-03-02T11:00:01+00:00"),
    )
    assert await pages(served, query) == [[2, 3]]


async def test_a_job_that_is_moved_during_a_walk_comes_once(served: Served) -> None:
    day = "startDate=2026-03-02&endDate=2026-03-02&limit=1"
    served.view.put(*(on(number, f"2026-03-02T{number:02d}:00:00+00:00") for number in (8, 10, 12)))
    _, body, _ = await served.ask("GET", f"/jobs?{day}")
    moved = replace(on(8, "2026-03-02T11:00:00+00:00"), sequence=9)
    served.view.put(moved)
    assert await pages(served, day, body["data"]["next"]) == [[10], [12]]
    assert await pages(served, day) == [[10], [8], [12]]


async def test_a_walk_that_takes_too_long_must_begin_again(served: Served) -> None:
    day = "startDate=2026-03-02&endDate=2026-03-02&limit=1"
    served.view.put(*(on(number, f"2026-03-02T{number:02d}:00:00+00:00") for number in (8, 10, 12)))
    _, body, _ = await served.ask("GET", f"/jobs?{day}")
    served.now += timedelta(minutes=59)
    served.view.set_progress(as_of=served.now)
    found, body, _ = await served.ask("GET", f"/jobs?{day}&cursor={body['data']['next']}")
    assert found == 200
    served.now += timedelta(minutes=2)
    served.view.set_progress(as_of=served.now)
    found, body, _ = await served.ask("GET", f"/jobs?{day}&cursor={body['data']['next']}")
    assert (found, body["details"][0]["field"]) == (400, "cursor")
    assert "begin again" in body["details"][0]["message"]


async def test_a_cursor_of_a_view_that_has_read_more_is_answered_503(served: Served) -> None:
    """Another worker gave it, and this one does not catch up."""
    day = "startDate=2026-03-02&endDate=2026-03-02&limit=1"
    served.view.put(*(on(number, f"2026-03-02T{number:02d}:00:00+00:00") for number in (8, 10, 12)))
    _, body, _ = await served.ask("GET", f"/jobs?{day}")
    served.view.database.execute("UPDATE positions SET next = 1")
    found, body, headers = await served.ask("GET", f"/jobs?{day}&cursor={body['data']['next']}")
    assert (found, headers["Retry-After"]) == (503, "5")


async def test_a_page_says_how_many_there_are(served: Served) -> None:
    served.view.put(*(on(number, f"2026-03-02T{number:02d}:00:00+00:00") for number in range(8, 20)))
    found, body, _ = await served.ask("GET", "/jobs?startDate=2026-03-02&endDate=2026-03-02&limit=5")
    data = body["data"]
    assert (found, len(data["jobs"]), data["limit"], data["totalCount"]) == (200, 5, 5, 12)
    assert data["asOf"] == "2026-03-02T09:00:00.000Z"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", ["startDate", "endDate"]),
        ("startDate=2026-03-02", ["endDate"]),
        ("startDate=2026-02-30&endDate=x", ["startDate", "endDate"]),
        ("startDate=2026-03-02T09:00:00&endDate=2026-03-02", ["startDate"]),
        ("startDate=0001-01-01T00:00:00%2B14:00&endDate=9999-12-31", ["startDate", "endDate"]),
        ("startDate=2026-03-03&endDate=2026-03-02", ["endDate"]),
        ("startDate=2026-03-02&endDate=2026-03-02&limit=0", ["limit"]),
        ("startDate=2026-03-02&endDate=2026-03-02&limit=501", ["limit"]),
        ("startDate=2026-03-02&endDate=2026-03-02&limit=1.5", ["limit"]),
        ("startDate=2026-03-02&endDate=2026-03-02&limit=%D9%A1", ["limit"]),
        ("startDate=2026-03-02&endDate=2026-03-02&cursor=x", ["cursor"]),
        ("startDate=2026-03-02&endDate=2026-03-02&cursor=", ["cursor"]),
        ("startDate=2026-03-02&endDate=2026-03-02&cursor=%00%FF", ["cursor"]),
    ],
)
async def test_a_range_that_is_none_is_wrong(served: Served, query: str, fields: list[str]) -> None:
    found, body, _ = await served.ask("GET", f"/jobs?{query}")
    assert (found, [one["field"] for one in body["details"]]) == (400, fields)


# Changing -------------------------------------------------------------------------------------------------


def answers_with(
    served: Served,
    became: Progress | Reason,
    *,
    job: Mapping[str, object] | None = None,
    **changes: object,
) -> None:
    """The rest of the service: the event becomes this, and the job changes so."""

    async def on_publish(sent: Sent) -> None:
        seen = mark(NOTHING_SEEN, identity(sent), became)
        record = with_job("b-1", 1001, job=job, seen=seen, sequence=9, **changes)
        asyncio.get_running_loop().call_later(0.05, served.view.put, record)

    served.on_publish = on_publish


async def test_a_status_is_changed_by_an_event(served: Served) -> None:
    served.view.put(with_job("b-1", 1001))
    answers_with(served, Progress.WORKED, job={"status": Status.COMPLETED}, state=State.ENDED)
    wanted = {"status": "completed", "technicianIds": [5, 6], "reason": "done", "unknown": 1}
    found, body, _ = await served.ask("PATCH", "/jobs/1001/status", json=wanted)
    assert (found, body["data"]["status"]) == (200, "completed")
    (sent,) = served.sent
    assert (sent.topic, sent.key, event_of(sent)["type"]) == ("events", b"b-1", "booking.status_changed")
    assert event_of(sent)["data"] == {"status": "completed", "technicianIds": [5, 6], "reason": "done"}


@pytest.mark.parametrize(
    ("body", "reason"), [({"reason": "moved away"}, "moved away"), (None, "Customer request")]
)
async def test_a_job_is_cancelled_by_an_event(served: Served, body: object, reason: str) -> None:
    served.view.put(with_job("b-1", 1001))
    answers_with(served, Progress.WORKED, job={"status": Status.CANCELLED}, state=State.ENDED)
    found, answer, _ = await served.ask("DELETE", "/jobs/1001", json=body)
    assert (found, answer["data"]["status"]) == (200, "cancelled")
    assert event_of(served.sent[0])["data"] == {"reason": reason}


async def test_a_change_that_takes_longer_is_202(served: Served) -> None:
    served.view.put(with_job("b-1", 1001))
    for method, path, body in (
        ("PATCH", "/jobs/1001/status", {"status": "dispatched"}),
        ("DELETE", "/jobs/1001", {}),
    ):
        found, answer, headers = await served.ask(method, path, json=body, headers={"Prefer": "wait=0"})
        assert (found, answer["data"]["bookingId"]) == (202, "b-1")
        assert headers["Location"] == f"{PREFIX}/bookings/b-1?event={answer['data']['event']}"


async def test_a_status_that_may_not_follow_leaves_no_event(served: Served) -> None:
    served.view.put(with_job("b-1", 1001, job={"status": Status.COMPLETED}, state=State.ENDED))
    found, body, _ = await served.ask("PATCH", "/jobs/1001/status", json={"status": "dispatched"})
    assert (found, body["message"]) == (409, "a job that is completed cannot become dispatched")
    assert (await served.ask("DELETE", "/jobs/1001"))[0] == 409
    assert served.sent == []


async def test_a_busy_lane_judges_a_status_in_its_turn(served: Served) -> None:
    lane = Lane(phase=Phase.WAITING, head=a_head())
    served.view.put(with_job("b-1", 1001, job={"status": Status.CANCELLED}, lane=lane))
    answers_with(
        served, Reason.ILLEGAL_TRANSITION, problem=trouble(Reason.ILLEGAL_TRANSITION, detail="it is over")
    )
    found, body, _ = await served.ask("PATCH", "/jobs/1001/status", json={"status": "dispatched"})
    assert (found, body["message"]) == (409, "it is over")
    assert len(served.sent) == 1


@pytest.mark.parametrize("reason", [Reason.NO_TECHNICIAN, Reason.RETRIES_USED_UP, Reason.REFUSED])
async def test_a_change_refused_for_good_is_422(served: Served, reason: Reason) -> None:
    served.view.put(with_job("b-1", 1001))
    answers_with(served, reason, problem=trouble(reason))
    found, body, _ = await served.ask("PATCH", "/jobs/1001/status", json={"status": "completed"})
    assert (found, body["error"], body["message"]) == (422, reason.value, "said no")


@pytest.mark.parametrize(
    "body", [{}, {"status": "done"}, {"status": 1}, {"status": "completed", "technicianIds": ["x"]}, []]
)
async def test_a_status_that_is_none_is_wrong(served: Served, body: object) -> None:
    served.view.put(with_job("b-1", 1001))
    assert (await served.ask("PATCH", "/jobs/1001/status", json=body))[0] == 400
    assert served.sent == []


@pytest.mark.parametrize("job", ["1002", "x"])
async def test_no_job_is_changed_that_is_none(served: Served, job: str) -> None:
    assert (await served.ask("PATCH", f"/jobs/{job}/status", json={"status": "completed"}))[0] == 404
    assert (await served.ask("DELETE", f"/jobs/{job}"))[0] == 404


async def test_a_repeated_change_is_the_same_event(served: Served) -> None:
    served.view.put(with_job("b-1", 1001))
    headers = {"Idempotency-Key": "k", "Prefer": "wait=0"}
    for path in ("/jobs/1001/status", "/jobs/1001/status"):
        await served.ask("PATCH", path, json={"status": "dispatched"}, headers=headers)
    await served.ask("DELETE", "/jobs/1001", headers=headers)
    changes = (sent for sent in served.sent if sent.topic == "events")
    first, again, other = (event_of(sent)["id"] for sent in changes)
    assert first == again != other


# Acting ---------------------------------------------------------------------------------------------------


async def act(served: Served, booking: str = "b-1", **body: object) -> tuple[int, Any]:
    found, answer, _ = await served.ask("POST", f"/bookings/{booking}/actions", json=body)
    return found, answer


async def test_an_action_is_a_signal_with_who_and_why(tmp_path: Path) -> None:
    async with serving(tmp_path, API_ACT_KEYS="bo:act-key-of-bo-000") as served:
        served.view.put(held("b-1"))
        body = {"action": "retry", "why": " it is up again ", "event": "e-1"}
        headers = {"Authorization": "Bearer act-key-of-bo-000"}
        found, answer, given = await served.ask("POST", "/bookings/b-1/actions", json=body, headers=headers)
        (sent,) = served.sent
        document = event_of(sent)
        assert (found, answer["data"]["status"]) == (202, "queued")
        assert (sent.topic, sent.key, document["type"]) == ("signals", b"b-1", "action.retry")
        assert document["data"] == {"by": "bo", "why": "it is up again", "event": "e-1"}
        path = given["Location"]
        assert (await served.ask("GET", path, api=False, headers=headers))[0] == 202
        done = Identity(source=document["source"], id=document["id"]).digest()
        seen = mark(NOTHING_SEEN, done, Progress.WORKED)
        served.view.put(replace(held("b-1"), seen=seen, sequence=2))
        assert (await served.ask("GET", path, api=False, headers=headers))[0] == 200


async def test_a_repair_is_validated_as_the_booking_is(served: Served) -> None:
    served.view.put(held("b-1"))
    found, body = await act(served, action="repair", why="typo", data={**BOOKING, "zip": "850"})
    assert (found, [one["field"] for one in body["details"]]) == (400, ["data.zip"])
    found, body = await act(served, action="repair", why="typo")
    assert (found, [one["field"] for one in body["details"]]) == (400, ["data"])
    found, _ = await act(served, action="repair", why="typo", data={**BOOKING, "zip": "85002"})
    assert found == 202
    assert event_of(served.sent[0])["data"]["data"]["zip"] == "85002"


async def test_a_repair_of_a_change_is_validated_as_that_change(served: Served) -> None:
    served.view.put(with_job("b-1", 1001, failed=(a_failed("e-9"),)))
    found, body = await act(served, action="repair", why="x", event="e-9", data={"scheduledDate": "soon"})
    assert (found, [one["field"] for one in body["details"]]) == (400, ["data.scheduledDate"])
    new = {"scheduledDate": "2026-03-09T16:00:00Z"}
    assert (await act(served, action="repair", why="x", event="e-9", data=new))[0] == 202


async def test_nothing_is_done_where_nothing_waits(served: Served) -> None:
    served.view.put(with_job("b-1", 1001), with_job("b-2", 2, failed=(a_failed("e-9"),)))
    assert (await act(served, action="retry", why="x"))[0] == 409
    assert (await act(served, "b-2", action="discard", why="x", event="other"))[0] == 409
    assert (await act(served, "b-3", action="discard", why="x"))[0] == 404
    assert served.sent == []
    assert (await act(served, "b-2", action="discard", why="x"))[0] == 202


async def test_a_creation_that_was_invalid_can_be_repaired(served: Served) -> None:
    headers = (("x-reason", b"invalid"),)
    made = booking_event("booking.created", "b-9", {"zip": "1"}, made_id="e", now=NOW, traceparent=None)
    served.view.read(Read(topic="dead", key=b"b-9", value=made.value, headers=headers))
    assert (await act(served, "b-9", action="retry", why="x"))[0] == 409
    assert (await act(served, "b-9", action="repair", why="x", data={"zip": "1"}))[0] == 400
    assert (await act(served, "b-9", action="repair", why="x", data=BOOKING))[0] == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"why": "x"}, "action"),
        ({"action": "explode", "why": "x"}, "action"),
        ({"action": "retry"}, "why"),
        ({"action": "retry", "why": " "}, "why"),
        ({"action": "retry", "why": "x" * 1001}, "why"),
        ({"action": "retry", "why": "x", "event": ""}, "event"),
        ({"action": "repair", "why": "x", "data": []}, "data"),
    ],
)
async def test_an_action_that_is_none_is_wrong(served: Served, body: dict[str, Any], field: str) -> None:
    served.view.put(held("b-1"))
    found, answer = await act(served, **body)
    assert (found, [one["field"] for one in answer["details"]]) == (400, [field])


async def test_answers_say_as_of_when_they_are(served: Served) -> None:
    served.view.put(a_record("b-1"))
    served.now += timedelta(seconds=3)
    served.view.set_progress(as_of=NOW + timedelta(seconds=2))
    _, body, _ = await served.ask("GET", "/bookings/b-1")
    assert body["data"]["asOf"] == "2026-03-02T09:00:02.000Z"
