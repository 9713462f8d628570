"""Timers, the scan, resuming, and leaving."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.booking.asks import Ask, Cancel
from app.booking.engine import decide
from app.booking.identity import Progress, look_up
from app.booking.inputs import Answered, Arrived, Expire, Fired, Given, Overdue, Restate, Resumed, Taken
from app.booking.lane import CUSTOMER_PATIENCE, Rest
from app.booking.outcomes import Failed, Refused
from app.booking.reasons import Reason
from app.booking.record import Means, Phase, RequestCustomer, State, Waits
from tests.support.bookings import (
    NOW,
    accepted,
    answered,
    cancelled,
    created,
    event,
    facts,
    job_seen,
    later,
    rescheduled,
    status_changed,
)
from tests.support.lane import Lane, booked, creating

FAILED = Failed(detail="connection refused")
REFUSED = Refused(reason=Reason.REFUSED, detail="no")


def test_what_finds_no_row_does_nothing() -> None:
    for given in (Fired(turn=0), Overdue(turn=0), Resumed(), Restate(), Expire()):
        assert decide(None, given, facts()).then == Rest()


@pytest.mark.parametrize("turn", [0, 2, 4])
def test_a_timer_of_another_turn_does_nothing(turn: int) -> None:
    lane = booked().event(rescheduled(1), FAILED)
    assert turn != lane.row.lane.turn

    assert lane.give(Fired(turn=turn)).effects[1:] == []


def test_a_timer_of_an_idle_or_held_lane_does_nothing() -> None:
    assert booked().timer().asks == []
    assert creating().customer_is_found(REFUSED).timer().asks == []


# The scan


def test_a_lost_timer_is_set_again_at_the_same_turn() -> None:
    lane = booked().event(rescheduled(1), FAILED)
    turn = lane.row.lane.turn
    assert lane.give(Overdue(turn=turn)).timers == []

    lane.now = later(100)
    lane.give(Overdue(turn=turn))

    assert [(timer.turn, timer.due) for timer in lane.timers] == [(turn, later(105))]
    assert lane.row.lane.turn == turn


def test_a_lost_request_for_a_customer_is_sent_again() -> None:
    lane = creating()
    lane.now = NOW + CUSTOMER_PATIENCE

    lane.give(Overdue(turn=lane.row.lane.turn))

    assert lane.owed == [RequestCustomer(turn=lane.row.lane.turn)]


@pytest.mark.parametrize("turn", [0, 99])
def test_the_scan_leaves_another_turn_alone(turn: int) -> None:
    lane = creating()
    lane.now = later(10_000)

    assert lane.give(Overdue(turn=turn)).owed == []


@pytest.mark.parametrize("given", [Overdue(turn=99), Resumed()])
def test_a_lane_found_working_takes_its_next_event(given: Given) -> None:
    lane = booked().event(rescheduled(1), FAILED).event(rescheduled(2))
    stuck = lane.row.with_lane(phase=Phase.WORKING, head=None, waits=None, due=None)
    lane.record = stuck

    lane.give(given)

    assert (lane.row.lane.phase, lane.behind, len(lane.asks)) == (Phase.IDLE, {}, 1)


def test_resuming_a_lane_at_rest_does_nothing() -> None:
    assert booked().give(Resumed()).asks == []


@pytest.mark.parametrize(
    ("lane", "kind"),
    [
        (creating(), []),
        (creating().customer_is_found(REFUSED), ["booking.held"]),
        (creating().event(cancelled(1)), ["booking.closed"]),
        (booked(), ["job.updated"]),
        (booked().event(cancelled(1)), ["job.updated"]),
    ],
    ids=["pending", "held", "closed", "active", "ended"],
)
def test_a_row_that_a_lower_one_followed_is_written_and_told_again(lane: Lane, kind: list[str]) -> None:
    before = lane.row.sequence

    lane.give(Restate())

    assert (lane.row.sequence, lane.announced) == (before + 1, kind)


# What stands behind


def test_a_lost_row_is_passed_over_loudly() -> None:
    lane = booked().event(rescheduled(1), FAILED).event(rescheduled(2)).event(status_changed("dispatched", 3))
    del lane.behind["q0"]

    lane.timer()

    assert Means.ROW_MISSING in [line.means for line in lane.row.timeline]
    assert lane.row.lane.phase is Phase.IDLE
    assert look_up(lane.row.seen, created(3).identity.digest()) is Progress.WORKED


def test_what_cannot_be_worked_from_behind_is_dead_lettered() -> None:
    lane = booked().event(rescheduled(1), FAILED).event(rescheduled(2))
    broken = event("booking.rescheduled", {}, offset=2)
    lane.behind["q0"] = replace(lane.behind["q0"], raw=broken.raw)

    lane.timer()

    assert [letter.trouble.reason for letter in lane.letters] == [Reason.INVALID]


def test_a_creation_from_behind_is_dead_lettered() -> None:
    lane = booked().event(rescheduled(1), FAILED).event(rescheduled(2))
    lane.behind["q0"] = replace(lane.behind["q0"], raw=created(2).raw, type="booking.created")

    lane.timer()

    assert [letter.trouble.reason for letter in lane.letters] == [Reason.BOOKING_EXISTS]


def test_a_row_that_is_no_event_any_more_is_dead_lettered() -> None:
    lane = booked().event(rescheduled(1), FAILED).event(rescheduled(2))
    lane.behind["q0"] = replace(lane.behind["q0"], raw=replace(created(2).raw, value=None))

    lane.timer()

    assert [letter.trouble.reason for letter in lane.letters] == [Reason.UNKNOWN_TYPE]


def test_a_head_that_is_no_change_is_a_fault_of_ours() -> None:
    lane = booked().event(rescheduled(1), FAILED)
    head = lane.row.lane.head
    assert head is not None
    broken = lane.row.with_lane(head=replace(head, raw=created(1).raw))

    with pytest.raises(TypeError, match="is a change"):
        decide(broken, Fired(turn=broken.lane.turn), facts())


def test_an_answer_nobody_waits_for_changes_nothing() -> None:
    lane = booked()
    waits = creating().customer_is_found(FAILED).row
    record = lane.row

    moved = booked().event(rescheduled(1)).asks[0]
    assert decide(record, answered(moved, accepted(None)), facts()).record == record
    assert (
        decide(record.with_lane(head=None), answered(_create(), accepted(job_seen())), facts()).record
        == record
    )
    assert waits.lane.waits is Waits.RETRY


def _create() -> Ask:
    return creating().customer_is_found().asks[0]


def test_a_creation_answered_without_its_job_is_a_fault_of_ours() -> None:
    record = creating().customer_is_found(FAILED).row

    with pytest.raises(TypeError, match="answered with its job"):
        decide(record, Answered(ask=_create(), outcome=accepted(None), duration_ms=1), facts())


# Leaving


def ended() -> Lane:
    return booked().event(cancelled(1))


@pytest.mark.parametrize("lane", [ended(), creating().event(cancelled(1))], ids=["ended", "closed"])
def test_a_booking_leaves_when_it_ended_long_ago(lane: Lane) -> None:
    lane.now = NOW + timedelta(days=399)
    assert not lane.give(Expire()).removed

    lane.now = NOW + timedelta(days=400)
    lane.give(Expire())

    assert (lane.removed, lane.record) == (True, None)


def test_a_booking_that_did_not_end_stays() -> None:
    for lane in (booked(), creating(), creating().customer_is_found(REFUSED)):
        lane.now = NOW + timedelta(days=4000)
        assert not lane.give(Expire()).removed


def test_a_booking_that_a_second_job_is_looked_for_stays() -> None:
    lane = ended()
    lane.record = lane.row.with_lane(recheck=True)
    lane.now = NOW + timedelta(days=4000)

    assert not lane.give(Expire()).removed


def test_a_booking_that_left_can_be_made_anew() -> None:
    lane = ended()
    lane.now = NOW + timedelta(days=400)
    lane.give(Expire()).give(Arrived(event=created(50)))

    assert lane.row.state is State.PENDING
    assert not any(isinstance(ask, Cancel) for ask in lane.asks)


def test_an_event_taken_for_no_action_and_no_head() -> None:
    lane = booked()
    working = lane.row.with_lane(phase=Phase.WORKING, next=1)

    decision = decide(working, Taken(slot="q0", head=None), facts())

    assert decision.record is not None
    assert decision.record.lane.phase is Phase.IDLE
