"""What a worker did before it died is known for its own doing by whoever goes on."""

from collections.abc import Callable

import pytest

from app.booking.identity import Progress
from app.booking.inputs import Resumed
from app.booking.outcomes import Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import State
from tests.support.bookings import BOOKED, accepted, cancelled, created, job_seen, rescheduled, status_changed
from tests.support.lane import Lane, booked, creating, kinds, seen

REFUSED = Refused(reason=Reason.REFUSED, detail="no", http_status=400)
FAILED = Failed(detail="away")
ANSWERED_LATE = Unsure(detail="late", http_status=504)
THERE, CANCELLED_THERE = accepted((job_seen(),)), accepted((job_seen(status="Canceled"),))


def test_a_cancellation_that_overtook_its_creation_was_ours() -> None:
    lane = creating().customer_is_found(ANSWERED_LATE).event(status_changed("dispatched", 1))
    lane.event(cancelled(2), THERE)
    assert kinds(lane) == ["FindJob", "Cancel"]

    lane.died_at_call().timer(CANCELLED_THERE)

    assert (lane.announced, lane.letters) == (["job.created", "job.cancelled"], [])
    assert (lane.row.state, seen(lane, 1), seen(lane, 2)) == (State.ENDED, Progress.WORKED, Progress.WORKED)
    assert lane.event(cancelled(2)).announced == []


def test_so_it_is_when_it_was_held() -> None:
    lane = creating().customer_is_found(ANSWERED_LATE)
    lane.timer(FAILED).timer(FAILED).timer(FAILED)
    assert lane.row.state is State.HELD
    lane.event(rescheduled(1)).event(cancelled(2), THERE)

    lane.died_at_call().timer(CANCELLED_THERE)

    assert (lane.announced, lane.letters) == (["job.created", "job.cancelled"], [])
    assert seen(lane, 1) is Progress.WORKED


def test_a_cancellation_knows_the_job_that_was_made_of_a_repair() -> None:
    """It stands on another topic than the repair, and may be read before it comes again."""
    lane = creating().customer_is_found(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    repaired = BOOKED | {"scheduledDate": "2026-03-09T00:00:00Z"}
    lane.act("repair", data=repaired)
    assert kinds(lane) == ["CreateJob"]

    lane.died_at_call().event(cancelled(1), THERE)

    assert kinds(lane) == ["FindJob", "Cancel"]
    assert lane.row.job is not None
    assert lane.row.job.scheduled_date == repaired["scheduledDate"]


def test_what_an_operator_had_worked_again_comes_before_what_came_after() -> None:
    lane = booked().event(status_changed("dispatched", 1), REFUSED).act("retry")
    assert kinds(lane) == ["Dispatch"]

    lane.died_at_call().event(cancelled(2))
    assert (kinds(lane), lane.letters) == ([], [])

    assert kinds(lane.timer()) == ["Dispatch", "Cancel"]
    assert (lane.letters, lane.row.state) == ([], State.ENDED)


def held() -> Lane:
    return creating().customer_is_found(REFUSED)


def turned_away() -> Lane:
    return booked().event(status_changed("completed", 1), REFUSED)


def invalid() -> Lane:
    return Lane().event(created(0, zip="8500"))


@pytest.mark.parametrize("failed", [held, turned_away, invalid])
def test_one_failure_is_one_dead_letter_whoever_goes_on(failed: Callable[[], Lane]) -> None:
    lane = failed()
    assert len(lane.letters) == 1

    assert lane.died().give(Resumed()).letters == []
    assert lane.died().act("discard").letters == []


def test_what_was_put_right_is_not_dead_lettered_again() -> None:
    lane = held().died().act("retry")
    assert lane.letters == []

    assert (kinds(lane.customer_is_found(THERE)), lane.letters) == (["FindJob"], [])
    assert lane.row.state is State.ACTIVE
