"""Requests that are sent again: nothing is done twice, and the first answer is given once more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.booking.identity import NOTHING_SEEN, Identity, Progress, mark
from app.booking.status import Status
from app.stream.errors import TooLarge, WriteLost
from tests.support.rows import BOOKING, Read, a_job, held, with_job
from tests.unit.web.ops.asking import post
from tests.unit.web.test_booking_a_visit import event_of, identity, makes_job, named

if TYPE_CHECKING:
    from tests.support.web import Sent, Served

KEY = {"Idempotency-Key": "k"}
AT_ONCE = {**KEY, "Prefer": "respond-async"}


def known_everywhere(served: Served) -> None:
    """What is told on signals stands in the view at once, as it will after a restart."""

    async def on_publish(sent: Sent) -> None:
        if sent.topic == "signals":
            served.view.read(Read(topic="signals", key=sent.key or b"", value=sent.value))

    served.on_publish = on_publish


def booked(served: Served) -> list[Sent]:
    return [sent for sent in served.sent if event_of(sent)["type"].startswith("booking.")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/jobs", BOOKING),
        ("PATCH", "/jobs/1001/status", {"status": "dispatched"}),
        ("DELETE", "/jobs/1001", None),
        ("POST", "/bookings/b-2/actions", {"action": "retry", "why": "up again"}),
    ],
)
async def test_what_would_be_another_event_when_sent_again_is_answered_with_its_id(
    served: Served, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: object
) -> None:
    """Kafka answers late, and the event goes out all the same: a second one must not be asked for."""
    monkeypatch.setattr("app.web.submission.PUBLISH_SECONDS", 0.05)
    served.view.put(with_job("b-1", 1001), held("b-2"))
    sends: list[Sent] = []

    async def never(sent: Sent) -> None:
        sends.append(sent)
        await asyncio.Event().wait()

    served.on_publish = never
    found, answer, headers = await served.ask(method, path, json=body)
    (sent,) = sends
    assert (found, answer["data"]["status"]) == (202, "queued")
    assert answer["data"]["bookingId"] == (sent.key or b"").decode()
    assert event_of(sent)["id"] in headers["Location"]
    found, answer, _ = await served.ask(method, path, json=body, headers=KEY)
    assert (found, "sending the same again is safe" in answer["message"]) == (503, True)


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (RuntimeError("the connection is gone"), 202),
        (WriteLost("fenced", in_doubt=True), 202),
        (WriteLost("not authorised"), 503),
        (TooLarge("over"), 503),
    ],
)
async def test_a_booking_that_kafka_may_have_all_the_same_is_answered_with_its_id(
    served: Served, lost: Exception, expected: int
) -> None:
    sends: list[Sent] = []

    async def lose(sent: Sent) -> None:
        sends.append(sent)
        raise lost

    served.on_publish = lose
    found, answer, headers = await served.ask("POST", "/jobs", json=BOOKING)
    assert found == expected
    if expected == 202:
        assert answer["data"]["bookingId"] == (sends[0].key or b"").decode()
        assert event_of(sends[0])["id"] in headers["Location"]
    assert (await served.ask("POST", "/jobs", json=BOOKING, headers=KEY))[0] == 503


@pytest.mark.parametrize(
    ("method", "path", "bodies"),
    [
        ("POST", "/jobs", (BOOKING, {**BOOKING, "zip": "85002"})),
        ("POST", "/jobs", (named("b-7"), named("b-8"))),
        ("PATCH", "/jobs/1001/status", ({"status": "dispatched"}, {"status": "completed"})),
        ("POST", "/bookings/b-2/actions", ({"action": "retry", "why": "a"}, {"action": "retry", "why": "b"})),
    ],
)
@pytest.mark.parametrize("headers", [KEY, AT_ONCE])
async def test_of_two_bodies_with_one_key_at_one_moment_only_one_is_done(
    served: Served, method: str, path: str, bodies: tuple[object, object], headers: dict[str, str]
) -> None:
    """Neither is known in the view when the other is asked for, as at two workers."""
    served.view.put(with_job("b-1", 1001), held("b-2"))
    both = asyncio.Barrier(2)

    async def on_publish(sent: Sent) -> None:
        if event_of(sent)["type"] == "request.made":
            await both.wait()

    served.on_publish = on_publish
    wait = {**headers, "Prefer": headers.get("Prefer", "wait=1")}
    answers = await asyncio.gather(*(served.ask(method, path, json=body, headers=wait) for body in bodies))
    assert sorted(answer[0] for answer in answers) == [202, 409]
    assert sum(event_of(sent)["type"] != "request.made" for sent in served.sent) == 1


async def test_nothing_is_done_by_a_key_that_the_view_does_not_read_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.submission._READ_BACK_SECONDS", 0.05)
    served.reads_back = False
    found, answer, headers = await served.ask("POST", "/jobs", json=BOOKING, headers=AT_ONCE)
    assert (found, "sending the same again is safe" in answer["message"]) == (503, True)
    assert (headers["Retry-After"], booked(served)) == ("5", [])


async def test_an_act_of_the_page_that_kafka_has_not_acknowledged_is_shown_by_its_id(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who saw an error would send the form again, which would be another act."""
    monkeypatch.setattr("app.web.submission.PUBLISH_SECONDS", 0.05)
    served.view.put(held("b-1"))
    sends: list[Sent] = []

    async def never(sent: Sent) -> None:
        sends.append(sent)
        await asyncio.Event().wait()

    async def lose(sent: Sent) -> None:
        sends.append(sent)
        raise WriteLost("fenced", in_doubt=True)

    repair = {"why": "w", **{name: str(value) for name, value in BOOKING.items()}}
    for path, form in (
        ("/ops/bookings/b-1/actions", {"action": "retry", "why": "w"}),
        ("/ops/bookings/b-1/actions", {"action": "discard", "why": "w", "sure": "yes"}),
        ("/ops/bookings/b-1/repair", repair),
    ):
        for served.on_publish in (never, lose):
            answer, _ = await post(served, path, form)
            made = event_of(sends[-1])
            assert (answer.status, made["type"].startswith("action.")) == (303, True)
            assert answer.headers["Location"] == f"/ops/bookings/b-1?event={made['id']}"
    assert len(sends) == len({event_of(sent)["id"] for sent in sends}) == 6


async def test_a_key_that_comes_with_another_body_does_nothing(served: Served) -> None:
    known_everywhere(served)
    served.view.put(with_job("b-1", 1001))
    for method, path, first, other in (
        ("POST", "/jobs", named("b-7"), named("b-8")),
        ("PATCH", "/jobs/1001/status", {"status": "dispatched"}, {"status": "completed"}),
        ("DELETE", "/jobs/1001", {"reason": "sold"}, {"reason": "moved"}),
    ):
        assert (await served.ask(method, path, json=first, headers=AT_ONCE))[0] == 202
        before = len(served.sent)
        found, answer, _ = await served.ask(method, path, json=other, headers=AT_ONCE)
        assert (found, "another body" in answer["message"]) == (409, True)
        assert len(served.sent) == before
        spelt: Any = orjson.dumps(dict(reversed(first.items())), option=orjson.OPT_INDENT_2)
        json = {"Content-Type": "application/json"}
        assert (await served.ask(method, path, data=spelt, headers=AT_ONCE | json))[0] == 202


async def test_a_change_that_is_sent_again_after_the_job_moved_on_has_its_first_answer(
    served: Served,
) -> None:
    known_everywhere(served)
    served.view.put(with_job("b-1", 1001))
    change = {"status": "dispatched"}
    assert (await served.ask("PATCH", "/jobs/1001/status", json=change, headers=AT_ONCE))[0] == 202
    seen = mark(NOTHING_SEEN, identity(booked(served)[0]), Progress.WORKED)
    over = a_job(1001, status=Status.COMPLETED)
    served.view.put(with_job("b-1", 1001, job={"status": Status.COMPLETED}, seen=seen, sequence=9))
    before = len(served.sent)

    found, answer, _ = await served.ask("PATCH", "/jobs/1001/status", json=change, headers=KEY)

    assert (found, answer["data"]["status"], len(served.sent)) == (200, over.status.value, before)
    found, _, _ = await served.ask("PATCH", "/jobs/1001/status", json=change)
    assert found == 409, "without the key it is another change"


async def test_an_act_that_is_sent_again_after_it_was_done_has_its_first_answer(served: Served) -> None:
    known_everywhere(served)
    served.view.put(held("b-1"))
    body = {"action": "retry", "why": "it is up again"}
    first = await served.ask("POST", "/bookings/b-1/actions", json=body, headers=KEY)
    served.view.put(makes_job("b-1", "a-digest---"))
    again = await served.ask("POST", "/bookings/b-1/actions", json=body, headers=KEY)
    assert first[:2] == again[:2]
    assert (await served.ask("POST", "/bookings/b-1/actions", json=body))[0] == 409


async def test_one_key_makes_one_booking_of_each_place_it_is_used_at(served: Served) -> None:
    await served.ask("POST", "/jobs", json=BOOKING, headers=AT_ONCE)
    await served.ask("POST", "/jobs/batch", json={"bookings": [BOOKING, BOOKING]}, headers=AT_ONCE)
    assert len({sent.key for sent in booked(served)}) == 3


THEIRS = {
    "specversion": "1.0",
    "id": "theirs-1",
    "source": "/booking-system",
    "type": "booking.cancelled",
    "subject": "b-9",
    "time": "2026-03-02T09:00:00Z",
}
"""A cancellation of the booking system's own, of a booking that was never made."""


async def test_an_event_of_the_booking_system_that_left_a_dead_letter_alone_has_ended(served: Served) -> None:
    path = "/bookings/b-9?event=theirs-1"
    assert (await served.ask("GET", path))[0] == 202
    headers = (("x-reason", b"unknown-booking"),)
    served.view.read(Read(topic="dead", key=b"b-9", value=orjson.dumps(THEIRS), headers=headers))
    found, answer, _ = await served.ask("GET", path)
    assert (found, answer["error"]) == (422, "unknown-booking")
    assert Identity(source="/booking-system", id="theirs-1").digest() not in str(answer)


@pytest.mark.parametrize("path", ["/jobs?startDate=2026-03-02&endDate=2026-03-02&page=2", "/health?page=2"])
async def test_a_parameter_that_a_route_does_not_know_is_named(served: Served, path: str) -> None:
    found, answer, _ = await served.ask("GET", path)
    assert (found, [one["field"] for one in answer["details"]]) == (400, ["page"])


@pytest.mark.parametrize("body", [None, {}, {"reason": None}, {"reason": "x" * 1001}])
async def test_a_cancellation_needs_no_reason_and_takes_any(served: Served, body: object) -> None:
    served.view.put(with_job("b-1", 1001))
    found, _, _ = await served.ask("DELETE", "/jobs/1001", json=body, headers={"Prefer": "respond-async"})
    assert found == 202


async def test_what_was_refused_is_refused_when_it_is_sent_again(served: Served) -> None:
    """A key is remembered of what was done, so that a refusal is no leave to do it the second time."""
    known_everywhere(served)
    served.view.put(with_job("b-1", 1001, job={"status": Status.COMPLETED}), held("b-2"))
    repair = {"action": "repair", "why": "w", "data": {"zip": "nowhere"}}
    for method, path, body, expected in (
        ("PATCH", "/jobs/1001/status", {"status": "dispatched"}, 409),
        ("DELETE", "/jobs/1001", None, 409),
        ("POST", "/bookings/b-1/actions", {"action": "retry", "why": "w"}, 409),
        ("POST", "/bookings/b-1/actions", {"action": "discard", "why": "w"}, 409),
        ("POST", "/bookings/b-2/actions", repair, 400),
    ):
        answers = [(await served.ask(method, path, json=body, headers=AT_ONCE))[0] for _ in range(2)]
        assert (answers, served.sent) == ([expected, expected], []), path


async def test_a_closing_that_is_sent_again_sends_nothing_to_a_lane_that_is_not_there(served: Served) -> None:
    known_everywhere(served)
    headers = (("x-reason", b"unknown-booking"),)
    served.view.read(Read(topic="dead", key=b"b-9", value=orjson.dumps(THEIRS), headers=headers))
    body = {"action": "discard", "why": "no customer"}
    first = await served.ask("POST", "/bookings/b-9/actions", json=body, headers=KEY)
    sent = len(served.sent)
    again = await served.ask("POST", "/bookings/b-9/actions", json=body, headers=KEY)
    assert (first[:2], len(served.sent)) == (again[:2], sent)
    assert first[0] == 202
