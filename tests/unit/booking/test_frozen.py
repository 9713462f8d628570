"""Rows as version 1 wrote them must stay readable for as long as a booking is kept.

A file here is never changed. A new version adds rows of its own beside them.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from app.booking.customer_lane import decode_row
from app.booking.record import (
    Announce,
    Drop,
    Phase,
    Record,
    RequestCustomer,
    SendDeadLetter,
    SendTimer,
    State,
    Waits,
    decode,
    decode_head,
    encode,
    rank,
)
from app.booking.status import Status
from tests.support.bookings import ID, NOW

FROZEN = Path(__file__).parent / "frozen"
RECORDS = sorted(path.stem for path in FROZEN.glob("record-*.json"))


def row(name: str) -> bytes:
    return (FROZEN / f"{name}.json").read_bytes().strip()


def record(name: str) -> Record:
    return decode(row(name))


@pytest.mark.parametrize("name", RECORDS)
def test_a_frozen_row_can_be_read_written_and_read(name: str) -> None:
    found = record(name)

    assert (found.booking_id, found.version) == (ID, 1)
    assert decode(encode(found)) == found
    assert rank(row(name)) == (found.generation, found.sequence)


def test_a_booking_whose_customer_is_looked_for() -> None:
    found = record("record-v1-creating")

    assert (found.state, found.lane.phase, found.lane.waits) == (State.PENDING, Phase.WAITING, Waits.CUSTOMER)
    assert found.owes == (RequestCustomer(turn=1),)
    assert found.lane.head is not None
    assert (found.lane.head.event_id, found.lane.head.begun_by) == ("e0", "worker-1")
    assert found.lane.head.raw.headers == (("traceparent", b"\xff\x00"),)


def test_a_booking_that_waits_for_another_attempt() -> None:
    found = record("record-v1-unsure")

    assert (found.lane.attempts, found.lane.unsettled is not None, found.lane.behind) == (1, True, 1)
    assert [type(owed) for owed in found.owes] == [SendTimer]


def test_a_held_booking() -> None:
    found = record("record-v1-held")

    assert (found.state, found.lane.phase) == (State.HELD, Phase.HELD)
    assert [type(owed) for owed in found.owes] == [SendDeadLetter, Announce]
    assert found.problem is not None
    assert (found.problem.http_status, found.problem.at) == (400, NOW)


def test_a_booking_with_its_job_and_a_dead_letter() -> None:
    found = record("record-v1-active")

    assert found.job is not None
    assert (found.job.id, found.job.status, found.state) == (1001, Status.SCHEDULED, State.ACTIVE)
    assert [failed.slot for failed in found.failed] == ["f0"]
    assert found.taken == (("booking-signals", 1), ("booking-events", 1))


def test_a_booking_whose_job_we_cancelled() -> None:
    job = record("record-v1-cancelled").job

    assert job is not None
    assert (job.status, job.status_at, job.written_at) == (
        Status.CANCELLED,
        *[NOW + timedelta(seconds=10)] * 2,
    )


def test_a_closing_booking() -> None:
    found = record("record-v1-closing")

    assert found.lane.closing is not None
    assert (found.lane.closing.discarded, found.lane.closing.why) == (False, "Customer request")


def test_a_closing_booking_of_which_more_was_told_meanwhile() -> None:
    lane = record("record-v1-closing-told-on").lane

    assert lane.closing is not None
    assert (lane.first, lane.closing.upto, lane.next) == (0, 1, 2)


def test_a_repaired_booking_that_looks_for_a_second_job() -> None:
    found = record("record-v1-repaired")

    assert (found.booked.door_count, found.original is not None, found.lane.recheck) == (2, True, True)


def test_rows_of_the_other_tables() -> None:
    head = decode_head(row("behind-v1"))
    known = decode_row(row("customer-v1"))

    assert (head.event_id, head.type, head.time) == ("e1", "booking.rescheduled", NOW)
    assert (known.customer_id, known.location_id, known.at) == (7, 8, NOW)
    assert Drop(slots=("q0",)).kind == "drop"
