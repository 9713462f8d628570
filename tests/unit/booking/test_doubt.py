"""A write was given up and may have been done: what a job is said to be already is asked for again."""

import pytest

from app.booking.asks import Dispatch, PutBack
from app.booking.doubt import MOST_TECHNICIANS, NO_DOUBT, Doubt, doubt_of
from app.booking.events import BookingEvent
from app.booking.identity import Progress
from app.booking.inputs import Observed
from app.booking.outcomes import Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import Waits
from app.booking.status import Status
from tests.support.bookings import cancelled, later, rescheduled, status_changed
from tests.support.lane import Lane, booked, in_status, kinds, seen

NO_ANSWER = Unsure(detail="time-out")
FAILED = Failed(detail="connection refused")


def put_back(*, cancelled: bool = False, assigned: bool = False, only: tuple[int, ...] = ()) -> PutBack:
    return PutBack(job_id=1001, appointment_id=9, cancelled=cancelled, assigned=assigned, technician_ids=only)


def given_up(lane: Lane, event: BookingEvent) -> Lane:
    """The event was asked for, and nobody ever answered."""
    lane.event(event, NO_ANSWER)
    for _ in range(3):
        lane.timer(NO_ANSWER)
    assert seen(lane, event.raw.offset) is Reason.RETRIES_USED_UP
    return lane


def test_a_status_that_was_so_is_asked_for_again_and_then_known() -> None:
    lane = given_up(booked(), cancelled(1))
    lane.settle_left = 90
    lane.event(status_changed("scheduled", 2))
    assert (lane.asks, lane.row.lane.waits) == ([], Waits.SETTLE)
    lane.settle_left = 0

    lane.timer()

    assert lane.asks == [put_back(cancelled=True, assigned=False)]
    assert (seen(lane, 2), lane.row.doubt) == (Progress.WORKED, NO_DOUBT)
    assert lane.event(status_changed("scheduled", 3)).asks == []


@pytest.mark.parametrize("unlucky", [FAILED, NO_ANSWER])
def test_it_is_asked_for_until_it_is_accepted(unlucky: Failed | Unsure) -> None:
    lane = given_up(in_status("cancelled"), status_changed("scheduled", 2))
    lane.event(cancelled(3), unlucky)

    lane.timer()

    assert (kinds(lane), seen(lane, 3)) == (["Cancel"], Progress.WORKED)


def test_another_event_between_takes_no_doubt_away() -> None:
    lane = given_up(in_status("cancelled"), status_changed("scheduled", 2))
    assert seen(lane.event(rescheduled(3)), 3) is Reason.ILLEGAL_TRANSITION

    assert kinds(lane.event(cancelled(4))) == ["Cancel"]


def test_a_refusal_takes_no_doubt_away() -> None:
    lane = given_up(booked(), cancelled(1))
    refused = Refused(reason=Reason.REFUSED, detail="no", http_status=409)
    assert seen(lane.event(status_changed("scheduled", 2), refused), 2) is Reason.REFUSED

    assert kinds(lane.event(status_changed("scheduled", 3))) == ["PutBack"]


def test_a_worker_that_takes_over_doubts_what_the_last_one_sent() -> None:
    lane = in_status("cancelled").event(
        status_changed("scheduled", 2), Refused(reason=Reason.REFUSED, detail="")
    )
    lane.act("retry", FAILED)
    lane.died_at_call().event(cancelled(3))
    assert kinds(lane) == []

    assert kinds(lane.timer(FAILED).timer(FAILED).timer(FAILED).timer(FAILED, FAILED)) == [
        "PutBack",
        "Cancel",
    ]
    assert kinds(lane.timer()) == ["Cancel"]


def test_a_dispatched_job_that_may_be_cancelled_is_put_back_from_both() -> None:
    lane = given_up(booked().event(status_changed("dispatched", 1, technicianIds=[5])), cancelled(2))

    assert lane.event(status_changed("scheduled", 3)).asks == [put_back(cancelled=True, assigned=True)]


def test_technicians_that_may_be_assigned_are_taken_off_and_no_others() -> None:
    lane = given_up(booked(), status_changed("dispatched", 1, technicianIds=[5]))

    given_up(lane, status_changed("dispatched", 2, technicianIds=[6, 5]))

    assert lane.event(status_changed("scheduled", 3)).asks == [put_back(assigned=True, only=(5, 6))]


@pytest.mark.parametrize("technicians", [[5], []])
def test_what_may_be_taken_off_is_dispatched_again(technicians: list[int]) -> None:
    lane = booked().event(status_changed("dispatched", 1, technicianIds=[5]))
    given_up(lane, status_changed("scheduled", 2))

    (ask,) = lane.event(status_changed("dispatched", 3, technicianIds=technicians)).asks

    assert isinstance(ask, Dispatch)
    assert ask.technician_ids == tuple(technicians)


def test_what_the_office_dispatched_is_not_dispatched_again_for_another_doubt() -> None:
    lane = given_up(booked(), cancelled(1))
    lane.signal(Observed(job_id=1001, status=Status.DISPATCHED, at=later(20), seen_by="sweep"))

    assert lane.event(status_changed("dispatched", 2, technicianIds=[5])).asks == []


@pytest.mark.parametrize("told", ["dispatched", "in_progress"])
def test_a_status_that_only_a_note_tells_is_not_told_twice(told: str) -> None:
    lane = given_up(in_status(told), cancelled(2))

    assert seen(lane.event(status_changed(told, 3)), 3) is Progress.WORKED
    assert lane.asks == []


@pytest.mark.parametrize("told", ["dispatched", "in_progress"])
def test_a_note_leaves_no_doubt(told: str) -> None:
    lane = given_up(booked(), status_changed(told, 1))

    assert lane.event(status_changed("scheduled", 2)).asks == []


def test_a_note_and_a_move_take_no_doubt_away() -> None:
    lane = given_up(booked(), cancelled(1))
    lane.event(rescheduled(2)).event(status_changed("dispatched", 3))

    assert lane.event(status_changed("scheduled", 4)).asks == [put_back(cancelled=True, assigned=True)]


def test_an_event_that_is_illegal_by_now_says_that_it_may_have_been_done() -> None:
    lane = booked().event(rescheduled(1), NO_ANSWER)
    lane.signal(Observed(job_id=1001, status=Status.IN_PROGRESS, at=later(5), seen_by="webhook"))

    lane.timer()

    (letter,) = lane.letters
    assert letter.trouble.detail == (
        "a job that is in_progress cannot be rescheduled; "
        "an earlier attempt was not answered, and may have been done"
    )


def test_a_move_that_was_given_up_leaves_no_doubt_of_the_status() -> None:
    lane = given_up(booked(), rescheduled(1))

    assert seen(lane.event(status_changed("scheduled", 2)), 2) is Progress.WORKED
    assert lane.asks == []


def test_a_report_takes_no_doubt_away_since_it_may_be_of_what_was_before() -> None:
    lane = given_up(in_status("cancelled"), status_changed("scheduled", 2))
    for seconds, status in ((20, Status.SCHEDULED), (40, Status.CANCELLED)):
        lane.signal(Observed(job_id=1001, status=status, at=later(seconds), seen_by="webhook"))

    assert kinds(lane.event(cancelled(3))) == ["Cancel"]
    assert lane.event(cancelled(4)).asks == []


def test_a_doubt_stays_small_whatever_is_sent() -> None:
    first = doubt_of(Dispatch(job_id=1, appointment_id=1, technician_ids=tuple(range(5_000)), note=""))
    both = NO_DOUBT.joined(first).joined(Doubt(statuses=(Status.DISPATCHED,), technicians=(7, 4_999)))

    assert (both.statuses, len(both.technicians)) == ((Status.DISPATCHED,), MOST_TECHNICIANS)
    assert both.technicians[-2:] == (4_999, 7)
