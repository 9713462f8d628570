"""A held creation is repaired, and its job turns out to be there: made before the repair, or after it."""

from typing import Any, Literal

import pytest

from app.booking.asks import Reschedule
from app.booking.identity import Progress
from app.booking.outcomes import Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import Phase, State, Waits
from tests.support.bookings import BOOKED, NOW, accepted, cancelled, created, job_seen, rescheduled
from tests.support.lane import Lane, creating, kinds, seen

FAILED = Failed(detail="connection refused")
NO_ANSWER = Unsure(detail="time-out")
REFUSED = Refused(reason=Reason.REFUSED, detail="no", http_status=409)
THERE = accepted((job_seen(),))
WAS, WANTED = BOOKED["scheduledDate"], "2026-03-09T00:00:00Z"


def repaired(*outcomes: Any, **data: Any) -> Lane:  # noqa: ANN401 - outcomes and fields of a booking
    """A creation that was held because nobody could tell whether its job was made; then it was repaired."""
    lane = creating().customer_is_found(NO_ANSWER)
    lane.timer(FAILED).timer(FAILED).timer(FAILED)
    assert lane.row.state is State.HELD
    return lane.act("repair", *outcomes, data=BOOKED | {"scheduledDate": WANTED} | data)


def test_the_job_is_moved_to_the_repaired_time() -> None:
    lane = repaired(THERE, accepted(None, NOW))

    assert kinds(lane) == ["FindJob", "Reschedule"]
    job = lane.row.job
    assert job is not None
    assert isinstance(lane.asks[1], Reschedule)
    assert (job.scheduled_date, job.start) == (WANTED, lane.asks[1].slot.start)
    assert (lane.announced, seen(lane, 0)) == (["job.created", "job.updated"], Progress.WORKED)
    assert lane.decisions[-2:] == ["it is as before the repair", "rescheduled"]


@pytest.mark.parametrize(
    ("data", "stays"),
    [
        ({"firstName": "Grace"}, "customer and address"),
        ({"zip": "85301"}, "customer and address"),
        ({"problemType": "other"}, "problem, doors and instructions"),
        ({"city": "Mesa", "doorCount": 2}, "customer and address, problem, doors and instructions"),
        ({"specialInstructions": "Ring"}, "problem, doors and instructions"),
    ],
)
def test_an_operator_is_told_what_no_call_can_change(data: dict[str, object], stays: str) -> None:
    lane = repaired(THERE, accepted(None, NOW), **data)

    assert lane.decisions[-2].endswith(f"repair; its {stays} cannot be changed from here")


def test_a_move_that_is_refused_waits_for_an_operator_and_the_record_says_how_it_is() -> None:
    lane = repaired(THERE, REFUSED)

    assert lane.row.job is not None
    assert (lane.row.job.scheduled_date, lane.row.lane.phase) == (WAS, Phase.IDLE)
    assert [(failed.type, failed.event_id) for failed in lane.row.failed] == [("booking.rescheduled", "e0")]

    lane.act("retry", accepted(None, NOW))

    assert (kinds(lane), lane.row.failed) == (["Reschedule"], ())
    assert lane.row.job.scheduled_date == WANTED


def test_a_move_that_failed_comes_again() -> None:
    lane = repaired(THERE, FAILED)
    assert lane.timers[-1].turn == lane.row.lane.turn

    lane.timer(accepted(None, NOW))

    assert (kinds(lane), lane.row.lane.phase) == (["Reschedule"], Phase.IDLE)


def test_what_was_not_discarded_is_moved_too() -> None:
    lane = repaired(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    assert lane.announced == ["booking.held"]

    lane.act("discard", THERE, accepted(None, NOW))

    assert (kinds(lane), lane.row.state) == (["FindJob", "Reschedule"], State.ACTIVE)


def test_what_is_cancelled_is_not_moved_first() -> None:
    lane = repaired(FAILED).event(cancelled(1), THERE, accepted(None, NOW))

    assert kinds(lane) == ["FindJob", "Cancel"]
    assert lane.row.state is State.ENDED


def test_it_is_said_that_what_could_not_be_cancelled_is_as_before_the_repair() -> None:
    lane = repaired(FAILED).event(cancelled(1), THERE, REFUSED)

    assert "it is as before the repair" in lane.decisions
    assert lane.row.job is not None
    assert (lane.row.job.scheduled_date, seen(lane, 1)) == (WAS, Reason.REFUSED)


def test_the_next_move_waits_for_that_of_a_process_that_died() -> None:
    lane = repaired(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    lane.act("repair", THERE, NO_ANSWER, data=BOOKED | {"scheduledDate": WANTED})
    lane.settle_left = 90

    lane.died_at_call().timer(THERE)
    assert (kinds(lane), lane.row.lane.waits) == (["FindJob"], Waits.SETTLE)
    lane.event(rescheduled(1))
    lane.settle_left = 0

    assert kinds(lane.timer()) == ["Reschedule", "Reschedule"]


def test_a_job_made_of_the_repair_is_right_as_it_is() -> None:
    lane = repaired(accepted(()))

    assert kinds(lane) == ["FindJob", "CreateJob"]
    assert lane.row.job is not None
    assert lane.row.job.scheduled_date == WANTED


SHORT, SHORT_MINUTES = "remote_not_working", 30


def test_a_job_made_of_the_repair_and_found_later_is_right_as_it_is() -> None:
    lane = repaired(accepted(()), NO_ANSWER, problemType=SHORT)
    assert kinds(lane) == ["FindJob", "CreateJob"]

    lane.timer(THERE)

    assert (kinds(lane), seen(lane, 0)) == (["FindJob"], Progress.WORKED)
    assert lane.row.job is not None
    assert (lane.row.job.minutes, lane.row.job.scheduled_date) == (SHORT_MINUTES, WANTED)


def test_a_job_that_a_dead_process_made_of_the_repair_is_right_as_it_is() -> None:
    repair = {"data": BOOKED | {"scheduledDate": WANTED, "problemType": SHORT}}
    lane = repaired(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    lane.act("repair", accepted(()), NO_ANSWER, **repair)

    lane.died_at_call().timer(THERE)

    assert kinds(lane) == ["FindJob"]
    assert lane.row.job is not None
    assert (lane.row.job.minutes, lane.row.job.scheduled_date) == (SHORT_MINUTES, WANTED)


def test_a_job_made_of_an_earlier_repair_is_moved_as_it_was_ordered() -> None:
    lane = repaired(accepted(()), NO_ANSWER, problemType=SHORT)
    lane.timer(FAILED).timer(FAILED).timer(FAILED)
    assert lane.row.state is State.HELD
    for day in ("2026-03-10", "2026-03-11"):
        lane.act("repair", FAILED, data=BOOKED | {"scheduledDate": f"{day}T00:00:00Z"})
        lane.timer(FAILED).timer(FAILED).timer(FAILED)

    lane.act("retry", THERE, accepted(None, NOW))

    assert kinds(lane) == ["FindJob", "Reschedule"]
    assert lane.row.job is not None
    assert (lane.row.job.minutes, lane.row.job.scheduled_date) == (SHORT_MINUTES, "2026-03-11T00:00:00Z")
    assert (lane.row.ordered, lane.row.replaced) == (None, None)


@pytest.mark.parametrize("act", ["retry", "repair"])
def test_a_discard_that_could_not_be_carried_out_is_forgotten_by_another_act(
    act: Literal["retry", "repair"],
) -> None:
    lane = repaired(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    lane.act("discard", FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    assert lane.row.state is State.HELD

    lane.act(act, accepted(()), data=BOOKED if act == "repair" else None)

    assert (kinds(lane), lane.row.state) == (["FindJob", "CreateJob"], State.ACTIVE)


def test_a_cancellation_that_could_not_be_carried_out_is_carried_out_with_a_retry() -> None:
    lane = repaired(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    lane.event(cancelled(1), FAILED).timer(FAILED).timer(FAILED).timer(FAILED)
    assert lane.row.state is State.HELD

    lane.act("retry", accepted(()))

    assert (kinds(lane), lane.row.state) == (["FindJob"], State.CLOSED)


def test_what_is_turned_away_while_a_creation_is_held_leaves_its_reason() -> None:
    lane = repaired(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)

    lane.event(created(1, firstName="Grace"))

    assert seen(lane, 1) is Reason.BOOKING_EXISTS
    assert lane.row.problem is not None
    assert lane.row.problem.reason is Reason.RETRIES_USED_UP
