"""The look for a second job, made perhaps by a process that slept too long (design section 5, point 5)."""

import pytest

from app.booking.asks import FindJob
from app.booking.creation import CLOCKS_APART
from app.booking.outcomes import Busy, Failed, Refused
from app.booking.reasons import Reason
from app.booking.record import Phase
from tests.support.bookings import accepted, cancelled, job_seen, rescheduled
from tests.support.lane import Lane, creating, kinds

FAILED = Failed(detail="no answer")
OURS = job_seen(1001)


def taken_over() -> Lane:
    """A booking whose job was found by another process than the one that began it."""
    lane = creating().customer_is_found(FAILED).another_worker()
    lane.timer(accepted((OURS,)))
    assert lane.row.lane.recheck
    assert [timer.turn for timer in lane.timers] == [lane.row.lane.turn]
    return lane


def test_it_waits_for_the_settle_time() -> None:
    lane = taken_over()
    lane.settle_left = 12

    lane.timer()

    assert (lane.asks, lane.row.lane.recheck) == ([], True)
    assert [timer.delay for timer in lane.timers] == [20]


def test_jobs_of_its_customer_are_looked_through_too() -> None:
    lane = taken_over().timer(accepted((OURS,)))
    job = lane.row.job
    assert job is not None
    since = job.created_at - CLOCKS_APART
    assert lane.asks == [
        FindJob(booking_id=lane.row.booking_id, customer_id=job.customer_id, created_on_or_after=since)
    ]


def test_one_job_is_all_right() -> None:
    lane = taken_over().timer(accepted((OURS, job_seen(1002, "Canceled"))))

    assert (kinds(lane), lane.row.lane.recheck, lane.row.lane.due) == (["FindJob"], False, None)
    assert lane.decisions[-1] == "no second job"


def test_a_second_job_is_cancelled_and_told_and_a_third_is_looked_for() -> None:
    both = accepted((OURS, job_seen(1002)))
    lane = taken_over().timer(both, accepted(None), accepted((OURS,)))

    assert kinds(lane) == ["FindJob", "Cancel", "FindJob"]
    assert lane.decisions[-3:] == [
        "second job: 1002 is cancelled",
        "second job cancelled",
        "no second job",
    ]
    assert lane.intent is not None
    assert lane.intent.what == "recheck"


def test_a_job_made_for_a_booking_that_was_closed_is_cancelled() -> None:
    lane = creating().customer_is_found(FAILED).another_worker().event(cancelled(1))
    assert lane.row.lane.recheck

    lane.timer(accepted((job_seen(1005),)))

    assert kinds(lane) == ["FindJob", "Cancel", "FindJob"]
    assert lane.row.customer is not None
    assert lane.asks[0] == FindJob(booking_id=lane.row.booking_id, customer_id=lane.row.customer.customer_id)


def test_a_job_is_looked_for_also_where_no_customer_was_known() -> None:
    lane = creating().another_worker().event(cancelled(1))
    assert (lane.row.lane.recheck, lane.row.customer) == (True, None)

    lane.timer()

    assert lane.asks == [FindJob(booking_id=lane.row.booking_id)]


def test_a_look_that_failed_comes_again_and_is_given_up_after_four() -> None:
    lane = taken_over()
    for _ in range(3):
        assert lane.timer(FAILED).row.lane.recheck

    lane.timer(FAILED)

    assert not lane.row.lane.recheck
    assert lane.decisions[-1] == "second job: could not be ruled out, look by hand"


def test_a_busy_look_is_not_counted() -> None:
    assert taken_over().timer(Busy(detail="stopped")).row.lane.attempts == 0


@pytest.mark.parametrize("first", [True, False])
def test_a_refused_look_or_cancellation_is_given_up_at_once(*, first: bool) -> None:
    refused = Refused(reason=Reason.NOT_PERMITTED, detail="no")
    before = [] if first else [accepted((OURS, job_seen(1002)))]

    lane = taken_over().timer(*before, refused)

    assert lane.decisions[-1] == "second job: could not be ruled out, look by hand"


def test_what_a_look_spent_is_not_the_next_event_s() -> None:
    lane = taken_over().timer(FAILED).timer(FAILED)
    assert lane.row.lane.attempts == 2

    lane.event(rescheduled(1), FAILED)

    assert lane.row.lane.attempts == 1


def test_an_event_in_between_leaves_the_look_owed() -> None:
    lane = taken_over().event(rescheduled(1))

    assert (lane.row.lane.phase, lane.row.lane.recheck, len(lane.timers)) == (Phase.IDLE, True, 1)


def test_a_look_does_not_forget_what_a_dead_process_sent() -> None:
    lane = taken_over()
    before = lane.row
    lane.event(rescheduled(1))
    lane.record = before

    lane.another_worker().timer(accepted((OURS,)))

    assert lane.row.lane.unsettled is not None
