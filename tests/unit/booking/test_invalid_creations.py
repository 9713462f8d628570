"""An invalid creation holds its booking as a refused one does (contract section 4)."""

from dataclasses import replace

import pytest

from app.booking.events import BookingEvent
from app.booking.identity import Progress
from app.booking.reasons import Reason
from app.booking.record import Phase, Record, State, decode, encode
from app.booking.report import view, written
from app.booking.status import Status
from tests.support.bookings import BOOKED, NOW, cancelled, created, event, rescheduled, status_changed
from tests.support.lane import Lane, kinds, seen

INVALID = {"zip": "8500"}


def invalid(offset: int = 0) -> BookingEvent:
    return created(offset, **INVALID)


def held() -> Lane:
    return Lane().event(invalid())


def test_it_holds_its_booking_and_keeps_its_bytes() -> None:
    lane = held()

    row = decode(encode(lane.row))
    assert (row.state, row.lane.phase, row.booking) == (State.HELD, Phase.HELD, None)
    assert row.lane.head is not None
    assert row.lane.head.raw == invalid().raw
    assert [one.trouble.reason for one in row.waiting] == [Reason.INVALID]
    assert lane.announced == ["booking.held"]
    assert [letter.trouble.reason for letter in lane.letters] == [Reason.INVALID]
    assert lane.decisions == ["held: invalid"]
    told = view(row)
    assert (told["state"], told["job"], told["problem"]["reason"]) == ("held", None, "invalid")


def test_what_it_says_can_be_read_as_far_as_it_is_known() -> None:
    lane = Lane().event(created(0, zip=85004, phone=None, password="x"))

    assert written(lane.row) == BOOKED | {"zip": 85004, "phone": None}


def test_of_data_that_is_no_object_nothing_can_be_read() -> None:
    lane = Lane().event(event("booking.created", [1]))

    assert lane.row.state is State.HELD
    assert written(lane.row) == {}


def test_what_follows_waits_behind_it() -> None:
    lane = held().event(rescheduled(1)).event(status_changed("dispatched", 2))

    assert lane.row.lane.behind == 2
    assert lane.letters == []


def test_its_cancellation_closes_it_without_a_call() -> None:
    lane = held().event(rescheduled(1)).event(cancelled(2))

    assert lane.asks == []
    assert (lane.row.state, lane.row.lane.phase, lane.row.problem) == (State.CLOSED, Phase.IDLE, None)
    assert lane.announced == ["booking.closed"]
    assert lane.row.waiting == ()
    assert lane.row.wants is Status.CANCELLED
    assert written(lane.row) == {}


def test_a_valid_creation_after_its_cancellation_is_turned_away() -> None:
    lane = held().event(cancelled(1)).event(created(2))

    assert [letter.trouble.reason for letter in lane.letters] == [Reason.ILLEGAL_TRANSITION]
    assert lane.row.state is State.CLOSED


def test_so_is_an_invalid_one() -> None:
    lane = held().event(cancelled(1)).event(invalid(2))

    assert [letter.trouble.reason for letter in lane.letters] == [Reason.INVALID]
    assert lane.row.state is State.CLOSED


def test_a_valid_creation_is_worked_as_the_creation_and_closes_the_failure() -> None:
    lane = held().event(rescheduled(1)).event(created(2))
    assert (lane.row.state, lane.row.problem, lane.row.waiting) == (State.PENDING, None, ())
    assert kinds(lane) == []

    lane.customer_is_found()

    assert kinds(lane) == ["CreateJob", "Reschedule"]
    assert lane.row.state is State.ACTIVE
    assert lane.announced == ["job.created", "job.updated"]
    assert [seen(lane, offset) for offset in range(3)] == [Reason.INVALID, Progress.WORKED, Progress.WORKED]


def test_a_second_invalid_one_is_turned_away_and_its_repair_is_worked_as_the_creation() -> None:
    lane = held().event(invalid(1))
    assert [one.event_id for one in lane.row.waiting] == ["e0", "e1"]

    lane.act("repair", event="e1", data=BOOKED).customer_is_found()

    assert (lane.row.state, lane.row.waiting) == (State.ACTIVE, ())


def test_a_repair_of_it_makes_the_job() -> None:
    lane = held().act("repair", data=BOOKED).customer_is_found()

    assert kinds(lane) == ["CreateJob"]
    assert (lane.row.state, lane.row.original) == (State.ACTIVE, None)
    assert seen(lane, 0) is Progress.WORKED


def test_the_mended_creation_that_comes_after_its_repair_is_a_duplicate() -> None:
    lane = held().act("repair", data=BOOKED).customer_is_found().event(created(1))

    assert lane.letters == []
    assert seen(lane, 1) is Progress.WORKED


def test_a_retry_of_it_is_refused_while_it_is_invalid() -> None:
    lane = held().act("retry")

    assert (lane.row.state, lane.row.lane.phase) == (State.HELD, Phase.HELD)
    assert lane.decisions[-1].startswith("it is still invalid: zip: ")
    assert (lane.letters, lane.announced) == ([], [])


def test_a_retry_of_what_is_valid_by_now_makes_the_job() -> None:
    """A later version of this service may take what an earlier one did not."""
    lane = held()
    head = lane.row.lane.head
    assert head is not None
    lane.record = lane.row.with_lane(head=replace(head, raw=created(0).raw))

    lane.act("retry").customer_is_found()

    assert kinds(lane) == ["CreateJob"]
    assert written(lane.row)["zip"] == "85004"


@pytest.mark.parametrize("worker", ["the same", "another"])
def test_a_discard_closes_it(worker: str) -> None:
    lane = held()
    if worker == "another":
        lane.another_worker()

    lane.act("discard")

    assert (lane.asks, lane.row.state, seen(lane, 0)) == ([], State.CLOSED, Reason.DISCARDED)


def test_a_discard_does_not_keep_the_mended_creation_out() -> None:
    """The operator closed a failure; that the customer wants no visit nobody has said."""
    lane = held().act("discard").event(created(1)).customer_is_found()

    assert lane.row.state is State.ACTIVE


def test_after_a_discard_an_invalid_one_holds_it_again() -> None:
    lane = held().act("discard").event(invalid(1))

    assert (lane.row.state, lane.announced) == (State.HELD, ["booking.held"])
    assert [one.event_id for one in lane.row.waiting] == ["e1"]


def test_an_invalid_second_creation_does_not_touch_the_booking() -> None:
    lane = Lane().event(created(0)).customer_is_found().event(invalid(1))

    assert (lane.row.state, lane.announced) == (State.ACTIVE, ["event.dead_lettered"])
    assert lane.row.booked.zip == "85004"


def test_nothing_is_booked_by_it() -> None:
    record = Record(booking_id="b", booking=None, changed_at=NOW)

    with pytest.raises(TypeError, match="nothing was booked"):
        record.booked  # noqa: B018 - it raises
