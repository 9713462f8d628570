"""The row: what it keeps, how it is stored, and which of two counts."""

import pytest
from pydantic import ValidationError

from app.booking.outcomes import Failed, Refused
from app.booking.reasons import Reason
from app.booking.record import (
    TIMELINE_KEPT,
    VERSION,
    Announce,
    Drop,
    Entry,
    Head,
    RequestCustomer,
    SendDeadLetter,
    SendTimer,
    Trouble,
    decode,
    decode_head,
    encode,
    encode_head,
    put_aside,
    queued,
    rank,
    with_generation,
)
from tests.support.bookings import BOOKED, NOW, cancelled, created, raw, rescheduled
from tests.support.lane import Lane, booked, creating

FAILED = Failed(detail="connection refused")
REFUSED = Refused(reason=Reason.REFUSED, detail="no", http_status=400)
TROUBLE = Trouble(reason=Reason.REFUSED, detail="no", attempts=1, http_status=400, at=NOW)


def held() -> Lane:
    return creating().event(rescheduled(1)).customer_is_found(REFUSED)


@pytest.mark.parametrize(
    "lane",
    [
        creating(),
        creating().customer_is_found(FAILED),
        creating().customer_is_found(FAILED).another_worker().event(cancelled(1), FAILED),
        held(),
        held().act("repair", data=BOOKED | {"doorCount": 2}),
        booked().event(rescheduled(1), REFUSED),
        booked().event(cancelled(1)),
    ],
    ids=["creating", "retrying", "closing", "held", "repaired", "dead-lettered", "ended"],
)
def test_a_row_comes_back_as_it_was_stored(lane: Lane) -> None:
    assert decode(encode(lane.row)) == lane.row


@pytest.mark.parametrize(
    "owed",
    [
        SendTimer(turn=3, delay=5, attempt=1, due=NOW),
        SendDeadLetter(raw=raw(), trouble=TROUBLE, first_failed=NOW, trace_id="t"),
        Announce(type="job.created", id="i", caused_by="e0"),
        RequestCustomer(turn=3),
        RequestCustomer(turn=3, fresh=True),
        Drop(slots=("q1", "f2")),
        Drop(slots=()),
    ],
    ids=lambda owed: owed.kind,
)
def test_what_a_row_owes_comes_back_as_it_was_stored(
    owed: SendTimer | SendDeadLetter | Announce | RequestCustomer | Drop,
) -> None:
    record = booked().row.owing(owed)

    assert decode(encode(record)).owes == (owed,)


def test_a_row_always_says_its_version() -> None:
    assert f'"version":{VERSION}'.encode() in encode(booked().row)


def test_what_is_no_row_of_ours_is_refused() -> None:
    with pytest.raises(ValidationError):
        decode(b"{}")


def test_bytes_of_any_kind_stand_in_a_row_of_behind() -> None:
    head = Head(
        raw=raw(headers=(("x", b"\xff\x00"),)), event_id="e", digest="d", type="t", time=NOW, taken_at=NOW
    )

    assert decode_head(encode_head(head)) == head
    late, kept = (with_generation(encode_head(head), generation) for generation in (3, 4))
    assert decode_head(kept) == head
    assert rank(encode_head(head)) < rank(late) < rank(kept)


def test_rows_are_ranked_by_generation_then_sequence() -> None:
    from dataclasses import replace

    record = booked().row
    assert rank(encode(replace(record, generation=2, sequence=1))) == (2, 1)
    assert rank(encode(replace(record, generation=0, sequence=0))) == (0, 0)


def test_the_highest_offset_of_each_topic() -> None:
    record = booked().row
    assert (record.highest("booking-events"), record.highest("another")) == (0, -1)

    record = record.took("another", 5).took("another", 3)

    assert record.highest("another") == 5
    assert record.took("booking-events", 9).highest("booking-events") == 9


def test_the_timeline_keeps_the_last_fifty_lines() -> None:
    record = booked().row
    for number in range(TIMELINE_KEPT + 3):
        record = record.noted(Entry(at=NOW, event=str(number), asked="-", outcome="-", decision="-"))

    assert len(record.timeline) == TIMELINE_KEPT
    assert record.timeline[0].event == "3"


def test_slots_of_the_queue_and_of_what_was_put_aside_differ() -> None:
    assert (queued(1), put_aside(1)) == ("q1", "f1")


def test_a_creation_of_a_booking_is_the_row_s_own() -> None:
    assert creating().row.booking == created(0).data
