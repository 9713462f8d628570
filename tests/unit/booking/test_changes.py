"""Changes of a job that is there: the contract's table, what each asks for, and what its answers come to."""

import pytest

from app.booking.asks import Cancel, Complete, Dispatch, Note, PutBack, Reschedule
from app.booking.changes import applied
from app.booking.events import Rescheduled
from app.booking.identity import Progress
from app.booking.inputs import Observed
from app.booking.outcomes import Failed, Refused, Unsure
from app.booking.protocol import Call
from app.booking.reasons import Reason
from app.booking.record import Phase, State, Waits
from app.booking.status import ENDED, MAY_BE_RESCHEDULED, MAY_BECOME, Status
from tests.support.bookings import (
    NOW,
    accepted,
    cancelled,
    created,
    facts,
    job_seen,
    later,
    rescheduled,
    status_changed,
)
from tests.support.lane import Lane, booked, creating, in_status, seen

# Contract section 2, row by row.
TABLE = {
    "scheduled": {"dispatched", "in_progress", "completed", "cancelled", "rescheduled"},
    "dispatched": {"scheduled", "in_progress", "completed", "cancelled", "rescheduled"},
    "in_progress": {"completed", "cancelled"},
    "completed": set(),
    "cancelled": {"scheduled"},
}
WANTED = [*TABLE, "rescheduled"]
STATUSES = list(TABLE)
EVERY_STEP = [(now, wanted) for now in STATUSES for wanted in WANTED]
NO_ANSWER = Unsure(detail="time-out")
FAILED = Failed(detail="connection refused")


def status_of(lane: Lane) -> str:
    assert lane.row.job is not None
    return lane.row.job.status.value


@pytest.mark.parametrize(("now", "wanted"), EVERY_STEP, ids=lambda word: word)
def test_every_step_of_the_contract_s_table(now: str, wanted: str) -> None:
    lane = in_status(now)

    lane.event(rescheduled(9) if wanted == "rescheduled" else status_changed(wanted, 9))

    if wanted == now:
        assert (lane.asks, seen(lane, 9), status_of(lane)) == ([], Progress.WORKED, now)
    elif wanted in TABLE[now]:
        after = now if wanted == "rescheduled" else wanted
        assert (len(lane.asks), seen(lane, 9), status_of(lane)) == (1, Progress.WORKED, after)
        assert lane.row.state is (State.ENDED if Status(after) in ENDED else State.ACTIVE)
    else:
        assert (lane.asks, seen(lane, 9), status_of(lane)) == ([], Reason.ILLEGAL_TRANSITION, now)
        assert lane.announced == ["event.dead_lettered"]
    assert lane.row.lane.phase is Phase.IDLE


def test_the_table_in_code_is_the_contract_s() -> None:
    steps = {now.value: {word.value for word in may} for now, may in MAY_BECOME.items()}
    for status in MAY_BE_RESCHEDULED:
        steps[status.value].add("rescheduled")

    assert steps == TABLE


@pytest.mark.parametrize("event", [rescheduled(9), cancelled(9), status_changed("scheduled", 9)])
def test_after_closed_everything_is_illegal(event: object) -> None:
    lane = creating().event(cancelled(1))
    assert lane.row.state is State.CLOSED

    lane.event(event)  # type: ignore[arg-type]  # an event

    assert (lane.asks, seen(lane, 9)) == ([], Reason.ILLEGAL_TRANSITION)


def test_after_closed_another_creation_is_illegal_too() -> None:
    lane = creating().event(cancelled(1)).event(created(2, firstName="Grace"))

    assert seen(lane, 2) is Reason.ILLEGAL_TRANSITION


def test_what_each_change_asks_for() -> None:
    moved = booked().event(rescheduled(1)).asks[0]
    assert isinstance(moved, Reschedule)
    assert moved.slot.start.isoformat() == "2026-03-06T20:00:00+00:00"
    assert booked().event(cancelled(1)).asks == [Cancel(job_id=1001, memo="Customer request")]
    assert booked().event(cancelled(1, reason="")).asks == [Cancel(job_id=1001, memo="Customer request")]
    assert booked().event(status_changed("cancelled", 1)).asks == [
        Cancel(job_id=1001, memo="Customer request")
    ]
    assert booked().event(status_changed("cancelled", 1, reason="Rain")).asks == [
        Cancel(job_id=1001, memo="Rain")
    ]
    assert booked().event(status_changed("completed", 1)).asks == [Complete(job_id=1001, completed_on=NOW)]
    assert in_status("cancelled").event(status_changed("scheduled", 9)).asks == [
        PutBack(job_id=1001, appointment_id=9, cancelled=True, assigned=False)
    ]
    assert in_status("dispatched").event(status_changed("scheduled", 9)).asks == [
        PutBack(job_id=1001, appointment_id=9, cancelled=False, assigned=True)
    ]


def test_notes_name_their_event_so_that_one_is_written_once() -> None:
    note = booked().event(status_changed("in_progress", 1, reason="Key under the mat")).asks[0]
    assert note == Note(
        job_id=1001, text="The booking system reports the job in progress: Key under the mat (e1)"
    )

    sent = booked().event(status_changed("dispatched", 1, technicianIds=[5])).asks[0]
    assert isinstance(sent, Dispatch)
    assert (sent.technician_ids, sent.note) == ((5,), "The booking system reports the job dispatched (e1)")


def test_a_reschedule_moves_the_record_s_visit() -> None:
    lane = booked().event(rescheduled(1), accepted(None, later(30)))

    job = lane.row.job
    assert job is not None
    assert (job.scheduled_date, job.time_slot) == ("2026-03-06T00:00:00Z", "1:00 PM - 3:00 PM")
    assert (job.start.hour, job.end.hour, job.updated_at) == (20, 22, later(30))


def test_without_a_job_nothing_is_applied() -> None:
    lane = creating()
    moved = rescheduled(1).data
    assert isinstance(moved, Rescheduled)

    assert applied(lane.row, moved, NOW, facts()) == lane.row


def test_what_the_booking_system_wants_is_kept_beside_what_is() -> None:
    refused = Refused(reason=Reason.NO_TECHNICIAN, detail="nobody is assigned", http_status=409)

    lane = booked().event(status_changed("completed", 1), refused)

    assert (lane.row.wants, status_of(lane)) == (Status.COMPLETED, "scheduled")
    assert seen(lane, 1) is Reason.NO_TECHNICIAN


@pytest.mark.parametrize("reason", [Reason.REFUSED, Reason.NOT_PERMITTED, Reason.NO_TECHNICIAN])
def test_a_refusal_keeps_its_reason(reason: Reason) -> None:
    lane = booked().event(rescheduled(1), Refused(reason=reason, detail="no", http_status=403))

    assert lane.row.problem is not None
    assert (lane.row.problem.reason, lane.row.problem.http_status) == (reason, 403)


def test_four_attempts_of_a_change_then_dead_lettered() -> None:
    lane = booked().event(rescheduled(1), FAILED)
    lane.now = later(60)
    lane.timer(FAILED).timer(NO_ANSWER).timer(FAILED)

    assert seen(lane, 1) is Reason.RETRIES_USED_UP
    assert [(letter.trouble.attempts, letter.first_failed) for letter in lane.letters] == [(4, NOW)]
    assert lane.row.lane.phase is Phase.IDLE


@pytest.mark.parametrize("last", [NO_ANSWER, FAILED])
def test_a_note_that_an_operator_has_written_again_may_have_been_sent_before(last: Unsure | Failed) -> None:
    lane = booked().event(status_changed("in_progress", 1), NO_ANSWER)
    lane.timer(FAILED).timer(FAILED).timer(last)
    lane.settle_left = 0
    assert seen(lane, 1) is Reason.RETRIES_USED_UP

    lane.act("retry")

    (call,) = (effect for effect in lane.effects if isinstance(effect, Call))
    assert (type(call.ask), call.again) == (Note, True)


def test_an_unsure_change_is_sent_again_without_waiting() -> None:
    lane = booked().event(rescheduled(1), NO_ANSWER)
    lane.settle_left = 90

    assert [type(ask) for ask in lane.timer().asks] == [Reschedule]


def test_the_next_write_waits_until_an_unsure_one_cannot_land() -> None:
    lane = booked().event(rescheduled(1), NO_ANSWER)
    lane.settle_left = 90
    lane.timer().event(rescheduled(2))
    assert (lane.asks, lane.row.lane.waits) == ([], Waits.SETTLE)
    assert (lane.timer().asks, lane.row.lane.waits) == ([], Waits.SETTLE)

    lane.settle_left = 0

    assert [type(ask) for ask in lane.timer().asks] == [Reschedule]
    assert lane.row.lane.unsettled is None


def test_what_a_report_told_meanwhile_is_not_sent_again() -> None:
    lane = booked().event(cancelled(1), NO_ANSWER)
    lane.signal(Observed(job_id=1001, status=Status.CANCELLED, at=later(20), seen_by="webhook"))

    assert (lane.timer().asks, seen(lane, 1)) == ([], Progress.WORKED)


def test_an_answered_error_delays_the_next_write_by_one_timer() -> None:
    answered = Unsure(detail="server error", http_status=503)
    lane = booked().event(rescheduled(1), answered)
    lane.timer(answered).timer(answered).timer(answered)
    lane.event(rescheduled(2))
    assert (lane.asks, lane.row.lane.waits) == ([], Waits.SETTLE)

    assert len(lane.timer().asks) == 1


def test_a_write_of_a_process_that_died_is_sent_again_before_anything_else_is_written() -> None:
    lane = booked()
    before = lane.row
    lane.event(rescheduled(1))
    lane.record, lane.settle_left = before, 90

    lane.another_worker().event(rescheduled(1))

    assert [type(ask) for ask in lane.asks] == [Reschedule]
    assert lane.row.lane.unsettled is not None


def test_the_write_after_a_closing_cancellation_waits_for_one_that_a_dead_process_may_have_sent() -> None:
    lane = creating().customer_is_found(NO_ANSWER)
    lane.settle_left = 90
    there = accepted((job_seen(),))
    lane.event(cancelled(1), there)

    lane.died_at_call().timer(there)
    assert [type(ask).__name__ for ask in lane.asks] == ["FindJob", "Cancel"]
    lane.event(status_changed("scheduled", 2))

    assert (lane.asks, lane.row.lane.waits) == ([], Waits.SETTLE)


def test_another_event_waits_for_the_write_of_a_process_that_died() -> None:
    lane = booked().event(rescheduled(1), Refused(reason=Reason.REFUSED, detail="no"))
    before = lane.row
    lane.event(rescheduled(2))
    lane.record, lane.settle_left = before, 90

    lane.act("retry")

    assert (lane.asks, lane.row.lane.waits) == ([], Waits.SETTLE)


def test_a_job_in_an_unknown_status_counts_as_scheduled() -> None:
    lane = creating().customer_is_found(accepted(job_seen(1, "Astray")))

    assert status_of(lane) == "scheduled"
