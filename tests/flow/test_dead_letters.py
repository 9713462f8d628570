"""Rule 10: what cannot be worked is dead-lettered with its bytes as they came; one test per reason."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import orjson
import pytest

from app.booking.events import LARGEST_EVENT
from app.booking.reasons import Reason
from app.stream.partition import partition_for
from tests.support.flow import CREATE_JOB, PARTITIONS, booking, event

if TYPE_CHECKING:
    from tests.support.flow import Flow
    from tests.support.topics import Record

MOVED = {"scheduledDate": "2027-04-01T00:00:00Z"}
OF_EVENTS = {
    Reason.UNREADABLE,
    Reason.UNKNOWN_TYPE,
    Reason.WRONG_KEY,
    Reason.WRONG_PARTITION,
    Reason.TOO_LARGE,
    Reason.INVALID,
    Reason.UNKNOWN_BOOKING,
}
OF_CUSTOMERS = {
    Reason.CUSTOMER_CONFLICT: {"email": "error@test.com"},
    Reason.AREA_NOT_SUPPORTED: {"zip": "00000"},
    Reason.PHONE_REFUSED: {"phone": "0000000000"},
}


def unworkable() -> dict[bytes | None, tuple[Reason, bytes | None]]:
    """Records that no booking can come of, by their keys: why, and their values."""
    whole = orjson.loads(event("created", "k", booking()))
    return {
        b"not-json": (Reason.UNREADABLE, b"\x00\xff{"),
        b"no-object": (Reason.UNREADABLE, b"[1, 2]"),
        b"null": (Reason.UNREADABLE, None),
        b"empty": (Reason.UNREADABLE, b""),
        b"no-id": (Reason.UNREADABLE, orjson.dumps({**whole, "id": ""})),
        b"no-time": (Reason.UNREADABLE, orjson.dumps({**whole, "time": "noon"})),
        b"old-spec": (Reason.UNREADABLE, orjson.dumps({**whole, "specversion": "0.3"})),
        b"another-key": (Reason.WRONG_KEY, event("created", "b-1", booking())),
        None: (Reason.WRONG_KEY, event("created", "b-2", booking())),
        b"b-3": (Reason.UNKNOWN_TYPE, event("exploded", "b-3", {})),
        b"b-4": (Reason.TOO_LARGE, b"[" + b" " * LARGEST_EVENT + b"]"),
        b"1-mb": (Reason.TOO_LARGE, event("created", "1-mb", booking(note="x" * 1_000_000))),
        b"b-5": (Reason.UNKNOWN_BOOKING, event("cancelled", "b-5", {})),
        b"b-6": (Reason.INVALID, event("created", "b-6", {**booking(), "zip": 85016, "doorCount": 11})),
        b"b-7": (Reason.INVALID, event("created", "b-7", None)),
        b"b-8": (Reason.INVALID, event("created", "b-8", booking(bookingId="b-9"))),
    }


def own_headers(letter: Record) -> dict[str, bytes]:
    return {name: value for name, value in letter.headers.items() if not name.startswith("x-")}


async def test_what_cannot_be_worked_is_kept_to_the_byte_and_the_partition_goes_on(flow: Flow) -> None:
    records = unworkable()
    assert {reason for reason, _ in records.values()} == OF_EVENTS - {Reason.WRONG_PARTITION}
    placed = {}
    for key, (_, value) in records.items():
        placed[key] = await flow.send_raw(key, value, headers={"mine": b"\xff\x00"}, partition=None)
    misplaced = 1 - partition_for(b"b-10", PARTITIONS)
    elsewhere = event("created", "b-10", booking())
    placed[b"b-10"] = await flow.send_raw(b"b-10", elsewhere, headers={"mine": b"1"}, partition=misplaced)
    for partition in range(PARTITIONS):
        good = next(f"good-{n}" for n in range(100) if partition_for(b"good-%d" % n, PARTITIONS) == partition)
        await flow.send("created", good)
        await flow.view(good, state="active")
    dead = flow.topics.dead_letter.name
    await flow.until(lambda: len(flow.of(dead)) == len(placed))
    letters = {one.key: one for one in flow.of(dead)}
    for key, (reason, value) in records.items():
        letter = letters[key]
        assert (key, letter.headers["x-reason"].decode()) == (key, reason)
        assert letter.value == value
        assert own_headers(letter) == {"mine": b"\xff\x00"}
    for key, where in placed.items():
        headers = letters[key].headers
        told = [headers[f"x-original-{name}"].decode() for name in ("topic", "partition", "offset")]
        assert told == [str(part) for part in where]
        assert headers["x-attempt"] == b"0"
        assert datetime.fromisoformat(headers["x-first-failed"].decode()).tzinfo is not None
    assert letters[b"b-10"].headers["x-reason"] == b"wrong-partition"
    assert letters[b"b-10"].value == elsewhere
    detail = letters[b"b-6"].headers["x-detail"].decode()
    assert "zip" in detail
    assert "doorCount" in detail
    # Only an invalid creation is told of: of the others the dead letter topic alone knows.
    keys = {one.key or b"" for one in flow.of(flow.topics.jobs.name)}
    assert {key for key in keys if not key.startswith(b"good-")} == {b"b-6", b"b-7", b"b-8"}
    assert flow.types("b-6") == ["booking.held"]


async def test_what_a_booking_cannot_become_is_told_with_the_booking(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    await flow.send("status_changed", "b-1", {"status": "completed"})
    await flow.send("created", "b-1", booking(firstName="Bea"))
    await flow.send("rescheduled", "b-1", {"scheduledDate": "tomorrow"})
    await flow.send_raw(b"b-1", event("exploded", "b-1", {}))
    await flow.send("cancelled", "b-1", {})
    await flow.send("rescheduled", "b-1", MOVED)
    await flow.dead("b-1", 5)
    assert flow.reasons("b-1") == [
        "no-technician",
        "booking-exists",
        "invalid",
        "unknown-type",
        "illegal-transition",
    ]
    await flow.until(lambda: len(flow.types("b-1")) == 7)
    assert flow.types("b-1").count("event.dead_lettered") == 5
    last = flow.latest("b-1")
    assert (last["state"], last["problem"]["reason"]) == ("ended", "illegal-transition")


@pytest.mark.parametrize("reason", OF_CUSTOMERS)
async def test_what_servicetitan_refuses_of_the_customer(flow: Flow, reason: Reason) -> None:
    await flow.send("created", "b-1", booking(**OF_CUSTOMERS[reason]))
    view = await flow.view("b-1", state="held")
    assert (view["problem"]["reason"], view["problem"]["attempts"]) == (reason, 1)
    assert view["problem"]["detail"]
    assert flow.reasons("b-1") == [reason]
    assert len(flow.simulator.state.world.customers) == 0


async def test_what_servicetitan_refuses_otherwise_is_told_in_its_words(flow: Flow) -> None:
    flow.fault("conflict", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    view = await flow.view("b-1", state="held")
    assert (view["problem"]["reason"], view["problem"]["httpStatus"]) == ("refused", 409)
    assert "SIMULATION: a conflict." in view["problem"]["detail"]


async def test_a_lane_takes_no_more_than_a_thousand_behind_its_head(flow: Flow) -> None:
    await flow.send("created", "b-1", booking(zip="00000"))
    await flow.view("b-1", state="held")
    records = [(b"b-1", event("rescheduled", "b-1", MOVED, f"e-{n}")) for n in range(1_002)]
    await flow.send_many(records)
    letters = await flow.dead("b-1", 3)
    assert flow.reasons("b-1") == ["area-not-supported", "lane-full", "lane-full"]
    assert letters[1].value == records[1_000][1]
    row = flow.row("b-1")
    assert row is not None
    assert row.lane.behind == 1_000
    # A cancellation never counts for that: it closes.
    await flow.send("cancelled", "b-1", {})
    await flow.view("b-1", state="closed")


@pytest.mark.parametrize("topic", ["signals", "customer_requests", "retry"])
async def test_what_is_unreadable_on_our_own_topics_is_dead_lettered_too(flow: Flow, topic: str) -> None:
    name = flow.topics.retry[0].name if topic == "retry" else getattr(flow.topics, topic).name
    await flow.send_raw(b"b-1", b"\xff not ours", topic=name, headers={"mine": b"1"})
    (letter,) = await flow.dead("b-1")
    assert letter.value == b"\xff not ours"
    assert letter.headers["x-reason"] == b"unreadable"
    assert letter.headers["x-original-topic"].decode() == name
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
