"""Rule 5 of the engine (design section 4): a cancellation that finds its creation not done closes both."""

import pytest

from app.booking.identity import Progress
from app.booking.outcomes import Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import Phase, State, Waits
from tests.support.bookings import accepted, cancelled, job_seen, rescheduled, status_changed
from tests.support.lane import booked, creating, kinds, seen

FAILED = Failed(detail="connection refused")
NO_ANSWER = Unsure(detail="time-out")
REFUSED = Refused(reason=Reason.AREA_NOT_SUPPORTED, detail="we do not drive there", http_status=400)


@pytest.mark.parametrize("change", [cancelled(2), status_changed("cancelled", 2)])
def test_rule_5_a_cancellation_closes_a_creation_not_done_and_all_between(change: object) -> None:
    lane = creating().event(rescheduled(1))

    lane.event(change)  # type: ignore[arg-type]  # an event

    assert lane.asks == []
    assert (lane.row.state, lane.row.lane.phase) == (State.CLOSED, Phase.IDLE)
    assert lane.announced == ["booking.closed"]
    assert (lane.behind, lane.letters) == ({}, [])
    assert [seen(lane, offset) for offset in range(3)] == [Progress.WORKED] * 3
    assert "1 behind it overtaken" in lane.decisions


def test_rule_5_also_in_a_held_lane() -> None:
    lane = creating().customer_is_found(REFUSED).event(cancelled(1))

    assert (lane.row.state, lane.row.problem) == (State.CLOSED, None)


def test_rule_5_an_unsure_creation_is_looked_up_first_and_cancelled_if_it_is_there() -> None:
    lane = creating().customer_is_found(NO_ANSWER)
    lane.settle_left = 90

    lane.event(cancelled(1), accepted((job_seen(),)))

    assert kinds(lane) == ["FindJob", "Cancel"]
    assert lane.row.state is State.ENDED
    assert lane.announced == ["job.created", "job.cancelled"]


def test_rule_5_a_job_found_cancelled_already_needs_no_call() -> None:
    lane = creating().customer_is_found(NO_ANSWER).event(cancelled(1), accepted((job_seen(1, "Canceled"),)))

    assert kinds(lane) == ["FindJob"]
    assert lane.row.state is State.ENDED
    assert lane.announced == ["job.created", "job.cancelled"]


def test_rule_5_closing_waits_for_the_settle_time() -> None:
    lane = creating().customer_is_found(NO_ANSWER)
    lane.settle_left = 90
    assert lane.event(cancelled(1)).row.lane.waits is Waits.SETTLE

    lane.settle_left = 0

    assert kinds(lane.timer()) == ["FindJob"]
    assert lane.row.state is State.CLOSED


def test_rule_5_what_comes_after_the_cancellation_is_worked_after_it() -> None:
    lane = creating().customer_is_found(NO_ANSWER).event(rescheduled(1))
    lane.settle_left = 90
    lane.event(cancelled(2))
    lane.event(status_changed("scheduled", 3))
    lane.event(rescheduled(4))
    assert lane.row.lane.behind == 3

    lane.timer(accepted((job_seen(),)))

    assert kinds(lane) == ["FindJob", "Cancel", "PutBack", "Reschedule"]
    assert "1 behind it overtaken" in lane.decisions
    assert lane.announced == ["job.created", "job.cancelled", "job.updated", "job.updated"]
    assert (lane.row.state, lane.row.lane.phase, lane.behind) == (State.ACTIVE, Phase.IDLE, {})
    assert [seen(lane, offset) for offset in range(5)] == [Progress.WORKED] * 5


@pytest.mark.parametrize("discards", [False, True])
def test_rule_5_what_comes_after_the_closing_of_a_booking_without_a_job_is_dead_lettered(
    *, discards: bool
) -> None:
    lane = creating().customer_is_found(NO_ANSWER).event(rescheduled(1))
    for _ in range(3):
        lane.timer(FAILED)
    assert lane.row.lane.phase is Phase.HELD
    lane.settle_left = 90
    lane.act("discard") if discards else lane.event(cancelled(2))
    lane.event(status_changed("scheduled", 3))

    lane.settle_left = 0
    lane.timer()

    assert (lane.row.state, lane.row.lane.phase, set(lane.behind)) == (State.CLOSED, Phase.IDLE, {"f0"})
    assert seen(lane, 1) is (Reason.DISCARDED if discards else Progress.WORKED)
    assert seen(lane, 3) is Reason.ILLEGAL_TRANSITION
    assert lane.announced == ["booking.closed", "event.dead_lettered"]
    assert [letter.trouble.reason for letter in lane.letters] == [Reason.ILLEGAL_TRANSITION]


def test_rule_5_it_never_counts_for_lane_full() -> None:
    lane = booked()
    lane.event(rescheduled(1), FAILED)
    for offset in range(2, 1002):
        lane.event(rescheduled(offset))
    assert lane.row.lane.behind == 1000
    assert seen(lane.event(rescheduled(1002)), 1002) is Reason.LANE_FULL

    lane.event(cancelled(1003))

    assert (lane.row.lane.behind, seen(lane, 1003)) == (1001, Progress.ON_ITS_WAY)


def test_rule_5_what_came_before_a_cancellation_that_is_worked_again_is_overtaken_too() -> None:
    lane = creating().customer_is_found(REFUSED).event(status_changed("astray", 1)).event(rescheduled(2))
    assert seen(lane, 1) is Reason.INVALID

    lane.act("repair", event="e1", data={"status": "cancelled"})

    assert lane.row.state is State.CLOSED
    assert [seen(lane, offset) for offset in (1, 2)] == [Progress.WORKED] * 2


@pytest.mark.parametrize("outcome", [FAILED, REFUSED])
def test_rule_5_nothing_is_overtaken_by_a_cancellation_that_could_not_be_done(
    outcome: Failed | Refused,
) -> None:
    lane = creating().customer_is_found(NO_ANSWER).event(rescheduled(1))
    lane.event(cancelled(2), accepted((job_seen(),)), outcome, *[accepted(None)] * (outcome is REFUSED))
    if outcome is FAILED:
        assert seen(lane, 1) is Progress.ON_ITS_WAY
        lane.timer(FAILED).timer(FAILED).timer(FAILED, accepted(None))

    assert kinds(lane)[-2:] == ["Cancel", "Reschedule"]
    assert (seen(lane, 1), isinstance(seen(lane, 2), Reason)) == (Progress.WORKED, True)
    assert lane.row.lane.behind == 0


def test_rule_5_nothing_from_before_a_cancellation_that_may_be_done_undoes_it() -> None:
    lane = creating().customer_is_found(NO_ANSWER).event(status_changed("scheduled", 1))
    lane.event(cancelled(2), accepted((job_seen(),)), NO_ANSWER)

    lane.timer(NO_ANSWER).timer(NO_ANSWER).timer(NO_ANSWER)

    assert (kinds(lane), lane.row.lane.phase) == (["Cancel"], Phase.IDLE)
    assert (seen(lane, 1), seen(lane, 2)) == (Progress.WORKED, Reason.RETRIES_USED_UP)


def test_rule_5_a_discard_that_is_not_carried_out_overtakes_nothing() -> None:
    lane = creating().customer_is_found(NO_ANSWER).timer(FAILED).timer(FAILED).timer(FAILED)
    lane.event(rescheduled(1))

    lane.act("discard", accepted((job_seen(),)), accepted(None))

    assert (kinds(lane), seen(lane, 1)) == (["FindJob", "Reschedule"], Progress.WORKED)
