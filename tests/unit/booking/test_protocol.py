"""The order of effects, seen one by one; the model in tests/model shows that it is the right one."""

import pytest

from app.booking.asks import CreateJob, FindJob
from app.booking.events import BookingEvent
from app.booking.inputs import Fired, Intent
from app.booking.outcomes import Failed, Refused, Unsure
from app.booking.protocol import Call, Intend, Keep, Look, Publish, Read, Save, intent_for, needs_settling
from app.booking.reasons import Reason
from app.booking.record import Announce, Phase, RequestCustomer, SendDeadLetter, Unsettled
from tests.support.bookings import (
    NOW,
    accepted,
    cancelled,
    event,
    facts,
    job_seen,
    rescheduled,
    status_changed,
)
from tests.support.lane import Lane, booked, creating, in_status

FAILED = Failed(detail="connection refused")
UNSURE = Unsure(detail="time-out")
REFUSED = Refused(reason=Reason.REFUSED, detail="no")


def names(lane: Lane) -> list[str]:
    return [type(effect).__name__ for effect in lane.effects]


def test_the_row_comes_before_what_it_owes() -> None:
    assert names(creating()) == ["Look", "Save", "Publish"]


def test_an_announcement_of_a_job_travels_with_its_row() -> None:
    lane = creating().customer_is_found()

    assert names(lane) == ["Look", "Intend", "Call", "Look", "Save"]
    save = lane.effects[-1]
    assert isinstance(save, Save)
    assert [owed.type for owed in save.along] == ["job.created"]


def test_dead_letter_and_held_come_strictly_after_their_row() -> None:
    lane = creating().customer_is_found(REFUSED)

    save, publish, sent = lane.effects[-3:]
    assert isinstance(save, Save)
    assert save.along == ()
    assert isinstance(publish, Publish)
    assert {type(owed) for owed in publish.owed} == {SendDeadLetter, Announce}
    # The next worker that touches the row does not send it again.
    assert isinstance(sent, Save)
    assert (sent.record.owes, sent.along) == ((), ())


def test_what_stands_behind_is_durable_before_the_row_that_counts_on_it() -> None:
    assert names(creating().event(rescheduled(1))) == ["Look", "Keep", "Save"]


def test_a_head_taken_from_behind_is_worked_under_the_same_input() -> None:
    lane = creating().event(rescheduled(1)).customer_is_found()

    assert names(lane) == [
        *("Look", "Intend", "Call", "Look", "Save"),
        *("Read", "Look", "Intend", "Call", "Look", "Save", "Publish"),
    ]


def test_a_dead_letter_of_no_row_is_all_that_happens() -> None:
    lane = Lane().event(event("booking.exploded", {}))

    assert names(lane) == ["Look", "Publish"]


def test_first_touch_writes_the_row_again_with_what_it_owes_and_only_then_looks_at_the_input() -> None:
    lane = creating()
    owed = RequestCustomer(turn=lane.row.lane.turn)
    lane.record = lane.row.owing(owed)

    lane.give(Fired(turn=0), first_touch=True)

    assert names(lane) == ["Save", "Publish", "Look"]
    assert (lane.owed, lane.row.owes) == ([owed], ())


def test_first_touch_resumes_a_head_found_working() -> None:
    lane = booked().event(rescheduled(1), FAILED).event(rescheduled(2))
    lane.record = lane.row.with_lane(phase=Phase.WORKING, head=None, waits=None, due=None)

    lane.give(Fired(turn=0), first_touch=True)

    assert names(lane)[:4] == ["Save", "Look", "Read", "Look"]
    assert lane.row.lane.phase is Phase.IDLE


def test_first_touch_of_a_row_at_rest_writes_nothing() -> None:
    assert names(booked().give(Fired(turn=0), first_touch=True)) == ["Look"]


def test_a_worker_that_touched_the_row_does_not_send_again_what_it_owed() -> None:
    lane = creating()
    lane.record = lane.row.owing(RequestCustomer(turn=1))

    assert lane.event(rescheduled(1)).owed == []


def test_look_ups_need_no_intent() -> None:
    lane = creating().customer_is_found(Unsure(detail="time-out")).timer(accepted((job_seen(),)))

    assert names(lane) == ["Look", "Call", "Look", "Save"]


def test_a_look_up_sent_before_the_settle_time_was_over_proves_nothing_even_if_answered_after() -> None:
    lane = creating().customer_is_found(Unsure(detail="time-out"))
    lane.settle_left = 0.1
    carry_out = lane._carry_out

    def slowly(effect: object, outcomes: list[object]) -> object:
        answer = carry_out(effect, outcomes)  # type: ignore[arg-type]  # as given
        if isinstance(effect, Call):
            lane.settle_left = 0.0
        return answer

    lane._carry_out = slowly  # type: ignore[method-assign,assignment]  # the clock moves during the call
    lane.timer()

    assert [type(ask) for ask in lane.asks] == [FindJob]
    assert [type(ask) for ask in lane.timer().asks] == [FindJob, CreateJob]


def test_what_a_call_carries() -> None:
    lane = booked().event(rescheduled(1), FAILED)
    first = next(effect for effect in lane.effects if isinstance(effect, Call))

    assert (first.again, first.live, first.cause) == (False, True, "e1")


def calls(lane: Lane) -> list[tuple[str, bool]]:
    """For which event this input called, and whether that may have been done before."""
    return [(call.cause, call.again) for call in lane.effects if isinstance(call, Call)]


def test_a_call_may_have_been_sent_before_once_one_was_not_answered() -> None:
    lane = booked().event(rescheduled(1), FAILED)
    again = calls(lane)
    for outcome in (UNSURE, FAILED, FAILED):
        again += calls(lane.timer(outcome))
    again += calls(lane.event(rescheduled(2)))

    assert again == [("e1", False), ("e1", False), ("e1", True), ("e1", True), ("e2", False)]


@pytest.mark.parametrize(
    ("before", "event"),
    [
        ("scheduled", rescheduled(2)),
        ("scheduled", status_changed("dispatched", 2, technicianIds=[501])),
        ("scheduled", status_changed("dispatched", 2)),
        ("scheduled", status_changed("in_progress", 2)),
        ("dispatched", status_changed("completed", 2)),
        ("scheduled", cancelled(2)),
        ("cancelled", status_changed("scheduled", 2)),
    ],
)
def test_what_a_dead_process_may_have_sent_is_looked_at_by_the_next_one(
    before: str, event: BookingEvent
) -> None:
    lane = in_status(before)
    first = calls(lane.event(event))
    assert first == [("e2", False)]

    assert calls(lane.died_at_call().event(event)) == [("e2", True)]


def test_what_an_operator_redrives_by_a_plan_is_not_live() -> None:
    lane = creating().customer_is_found(REFUSED).act("retry", plan="p1")
    lane.customer_is_found()

    call = next(effect for effect in lane.effects if isinstance(effect, Call))
    assert not call.live


def test_a_look_for_a_second_job_is_caused_by_the_last_event() -> None:
    lane = creating().customer_is_found(FAILED).another_worker().timer(accepted((job_seen(),)))

    call = next(effect for effect in lane.timer().effects if isinstance(effect, Call))
    assert call.cause == "e0"
    assert intent_for(lane.row, call.ask, facts()).what == "recheck"


def test_when_the_settle_clock_runs() -> None:
    record = booked().row
    turn = record.lane.turn

    assert not needs_settling(None, None)
    assert not needs_settling(record, Intent(turn=turn - 1, what="x", at=NOW))
    assert needs_settling(record, Intent(turn=turn, what="x", at=NOW))
    assert needs_settling(record.with_lane(recheck=True), None)
    assert needs_settling(record.with_lane(unsettled=Unsettled(answered=False)), None)
    assert not needs_settling(record.with_lane(unsettled=Unsettled(answered=True)), None)


def test_a_cancellation_that_arrives_before_the_delay_of_an_answered_error_does_not_close_yet() -> None:
    lane = creating().customer_is_found(Unsure(detail="server error", http_status=503))

    lane.event(cancelled(1))

    assert [type(ask) for ask in lane.asks] == [FindJob]
    assert lane.row.lane.closing is not None
    assert lane.timer().row.job is None
    assert lane.announced == ["booking.closed"]


def test_effects_are_what_they_are_called() -> None:
    assert {Look, Save, Publish, Keep, Read, Intend, Call} >= {
        type(effect) for effect in creating().event(rescheduled(1)).customer_is_found().effects
    }
