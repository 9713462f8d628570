"""The rules of the engine (design section 4), each by its number; the fifth has a file of its own."""

from dataclasses import replace

import pytest

from app.booking.identity import KEPT, NOTHING_SEEN, Identity, Progress, mark
from app.booking.inputs import Observed
from app.booking.lane import outcome_text
from app.booking.outcomes import Busy, Failed, Refused, Unsure
from app.booking.protocol import Call, Intend
from app.booking.reasons import Reason
from app.booking.record import Phase, RequestCustomer, State, Waits
from app.booking.status import Status
from tests.support.bookings import (
    BOOKED,
    accepted,
    created,
    event,
    job_seen,
    later,
    raw,
    rescheduled,
    status_changed,
)
from tests.support.lane import Lane, booked, creating, kinds, seen

FAILED = Failed(detail="connection refused")
NO_ANSWER = Unsure(detail="time-out")
ANSWERED = Unsure(detail="server error", http_status=503)
REFUSED = Refused(reason=Reason.AREA_NOT_SUPPORTED, detail="we do not drive there", http_status=400)
BUSY = Busy(detail="stopped", http_status=429)


# 1: attempts --------------------------------------------------------------------------------------


def test_rule_1_four_attempts_then_held() -> None:
    lane = creating().customer_is_found(FAILED)
    assert [timer.delay for timer in lane.timers] == [5]
    delays = [lane.timer(FAILED).timers[0].delay for _ in range(2)]

    lane.timer(FAILED)

    assert delays == [10, 20]
    assert (lane.row.state, lane.row.lane.phase, lane.timers) == (State.HELD, Phase.HELD, [])
    assert lane.row.problem is not None
    assert (lane.row.problem.reason, lane.row.problem.attempts) == (Reason.RETRIES_USED_UP, 4)


def test_rule_1_refused_is_never_tried_again() -> None:
    lane = creating().customer_is_found(REFUSED)

    assert lane.row.lane.phase is Phase.HELD
    assert lane.row.problem is not None
    assert (lane.row.problem.reason, lane.row.problem.http_status) == (Reason.AREA_NOT_SUPPORTED, 400)


def test_rule_1_busy_is_no_attempt() -> None:
    lane = creating().customer_is_found(BUSY)

    assert (lane.row.lane.attempts, lane.row.lane.waits) == (0, Waits.RETRY)
    assert lane.timers[0].delay == 5


def test_rule_1_busy_is_no_attempt_of_a_change_either() -> None:
    lane = booked().event(rescheduled(1), BUSY)

    assert (lane.row.lane.attempts, lane.row.lane.waits) == (0, Waits.RETRY)
    assert lane.timer().row.lane.phase is Phase.IDLE


# 2: never twice -----------------------------------------------------------------------------------


def test_rule_2_the_intent_is_durable_before_the_creation_is_sent() -> None:
    lane = creating().customer_is_found()

    names = [type(effect) for effect in lane.effects]
    assert names.index(Intend) + 1 == names.index(Call)


def test_rule_2_after_unsure_it_is_looked_up_and_found_is_believed_at_once() -> None:
    lane = creating().customer_is_found(NO_ANSWER)
    lane.settle_left = 90

    lane.timer(accepted((job_seen(1001),)))

    assert kinds(lane) == ["FindJob"]
    assert lane.row.job is not None
    assert (lane.row.job.id, lane.row.state) == (1001, State.ACTIVE)


def test_rule_2_nothing_found_is_believed_only_after_the_settle_time() -> None:
    lane = creating().customer_is_found(NO_ANSWER)
    lane.settle_left = 90
    assert kinds(lane.timer()) == ["FindJob"]
    assert (lane.row.lane.waits, lane.row.lane.attempts) == (Waits.SETTLE, 1)
    assert lane.timers[0].delay == 20

    lane.settle_left = 0

    assert kinds(lane.timer()) == ["FindJob", "CreateJob"]
    assert lane.row.state is State.ACTIVE


def test_rule_2_an_answered_error_settles_with_the_next_retry() -> None:
    lane = creating().customer_is_found(ANSWERED)
    lane.settle_left = 0

    assert kinds(lane.timer()) == ["FindJob", "CreateJob"]


def test_rule_2_a_restart_that_finds_an_intent_looks_the_job_up() -> None:
    lane = creating()
    before = lane.row
    lane.customer_is_found()
    lane.record = before
    lane.settle_left = 90

    lane.another_worker().customer_is_found()

    assert kinds(lane) == ["FindJob"]
    assert lane.row.lane.waits is Waits.SETTLE


def test_rule_2_a_look_up_that_fails_before_the_settle_time_spends_no_attempt() -> None:
    lane = creating().customer_is_found(NO_ANSWER)
    lane.settle_left = 90
    for _ in range(5):
        lane.timer(FAILED)
    assert (lane.row.lane.attempts, lane.row.lane.waits, lane.letters) == (1, Waits.SETTLE, [])

    lane.settle_left = 0
    lane.timer(FAILED)

    assert (lane.row.lane.attempts, lane.row.lane.waits) == (2, Waits.RETRY)


def test_rule_2_the_dead_letter_waits_until_the_last_attempt_has_settled() -> None:
    lane = creating().customer_is_found(FAILED)
    lane.timer(FAILED).timer(FAILED).timer(NO_ANSWER)
    assert (lane.row.lane.attempts, lane.row.lane.waits, lane.letters) == (4, Waits.SETTLE, [])
    lane.settle_left = 10
    assert lane.timer().row.lane.waits is Waits.SETTLE

    lane.settle_left = 0
    lane.timer()

    assert kinds(lane) == ["FindJob"]
    assert lane.row.lane.phase is Phase.HELD
    assert lane.letters[0].trouble.detail == "time-out"


def test_rule_2_of_two_jobs_found_the_oldest_live_one_is_taken_and_the_lane_looks_again() -> None:
    lane = creating().customer_is_found(NO_ANSWER)

    lane.timer(accepted((job_seen(1001, "Canceled"), job_seen(1002), job_seen(1003))))

    assert lane.row.job is not None
    assert lane.row.job.id == 1002
    assert lane.row.lane.recheck


def test_rule_2_a_job_found_cancelled_is_the_booking_s_job_all_the_same() -> None:
    lane = creating().customer_is_found(NO_ANSWER)

    lane.timer(accepted((job_seen(1001, "Canceled"),)))

    assert lane.row.job is not None
    assert (lane.row.state, lane.row.job.status) == (State.ENDED, Status.CANCELLED)


# 3: order -----------------------------------------------------------------------------------------


def test_rule_3_what_comes_while_the_head_waits_stands_behind_it_in_order() -> None:
    lane = creating().event(rescheduled(1))
    lane.event(status_changed("dispatched", 2))
    assert (lane.asks, list(lane.behind), lane.row.lane.behind) == ([], ["q0", "q1"], 2)

    lane.customer_is_found()

    assert kinds(lane) == ["CreateJob", "Reschedule", "Dispatch"]
    assert (lane.behind, lane.row.lane.phase) == ({}, Phase.IDLE)
    assert lane.announced == ["job.created", "job.updated", "job.updated"]


# 4: held ------------------------------------------------------------------------------------------


def test_rule_4_a_creation_that_failed_for_good_holds_the_lane() -> None:
    lane = creating().event(rescheduled(1)).customer_is_found(REFUSED)

    assert (lane.row.state, lane.row.lane.phase, lane.row.lane.behind) == (State.HELD, Phase.HELD, 1)
    assert lane.announced == ["booking.held"]
    assert [letter.raw.offset for letter in lane.letters] == [0]


def test_rule_4_a_change_that_failed_for_good_is_dead_lettered_and_the_lane_goes_on() -> None:
    lane = booked().event(rescheduled(1), REFUSED)

    assert (lane.row.lane.phase, seen(lane, 1)) == (Phase.IDLE, Reason.AREA_NOT_SUPPORTED)
    assert lane.announced == ["event.dead_lettered"]
    assert list(lane.behind) == ["f0"]


@pytest.mark.parametrize(
    ("event_type", "data", "reason"),
    [
        ("booking.exploded", {}, Reason.UNKNOWN_TYPE),
        ("booking.cancelled", {}, Reason.UNKNOWN_BOOKING),
    ],
)
def test_rule_4_what_is_no_creation_of_a_booking_never_seen_leaves_no_row(
    event_type: str, data: object, reason: Reason
) -> None:
    lane = Lane().event(event(event_type, data))

    assert lane.record is None
    assert [letter.trouble.reason for letter in lane.letters] == [reason]


def test_rule_4_a_repair_of_a_creation_without_a_row_is_worked_as_the_creation() -> None:
    lane = Lane().act("repair", data=BOOKED)
    assert lane.row.lane.waits is Waits.CUSTOMER

    lane.customer_is_found()

    assert lane.row.state is State.ACTIVE


# 6: outages ---------------------------------------------------------------------------------------


def test_rule_6_what_waits_for_the_upstream_spends_no_attempt_however_long_it_is_away() -> None:
    lane = creating().customer_is_found(BUSY)
    for minutes in range(10):
        lane.now = later(60 * minutes)
        lane.timer(BUSY)

    assert (lane.row.lane.attempts, lane.letters) == (0, [])
    assert lane.timer().row.state is State.ACTIVE


# 7: twice -----------------------------------------------------------------------------------------


def test_rule_7_a_redelivered_event_is_known_by_its_identity() -> None:
    lane = booked()
    before = lane.row

    lane.event(created(0))

    assert (lane.row, lane.owed) == (before, [])


def test_rule_7_an_event_of_a_topic_that_was_made_anew_is_worked_though_its_offset_is_an_old_one() -> None:
    lane = booked().event(rescheduled(7))

    lane.event(status_changed("completed", 3, id_="another id"))

    assert seen(lane, 7) is Progress.WORKED
    assert lane.row.wants is Status.COMPLETED


def forgetful(lane: Lane) -> Lane:
    """The same, having seen so much since that it remembers nothing of before."""
    filled = NOTHING_SEEN
    for number in range(KEPT):
        filled = mark(filled, Identity(source="/since", id=str(number)).digest(), Progress.WORKED)
    lane.record = replace(lane.row, seen=filled)
    return lane


def test_rule_7_a_redelivered_event_that_is_not_remembered_is_known_by_its_offset() -> None:
    lane = forgetful(booked().event(rescheduled(7)))
    before = lane.row

    lane.event(rescheduled(7))

    assert (lane.row, lane.owed) == (before, [])


def test_rule_7_a_re_sent_event_is_known_by_its_identity_whatever_its_bytes() -> None:
    lane = booked().event(rescheduled(1))

    lane.event(rescheduled(5, id_="e1", scheduledDate="2026-04-01T00:00:00Z"))

    assert (lane.asks, lane.owed) == ([], [])


def test_rule_7_a_second_creation_with_the_same_data_is_ignored() -> None:
    lane = booked().event(created(1))

    assert (lane.asks, lane.owed, seen(lane, 1)) == ([], [], Progress.WORKED)


def test_rule_7_a_second_creation_with_other_data_is_turned_away() -> None:
    lane = booked().event(created(1, firstName="Grace"))

    assert seen(lane, 1) is Reason.BOOKING_EXISTS


def test_rule_7_a_signal_comes_once() -> None:
    lane = booked().event(rescheduled(1), REFUSED).act("retry")
    assert kinds(lane) == ["Reschedule"]
    lane._signals -= 1

    assert lane.act("retry").asks == []


# 8: operators -------------------------------------------------------------------------------------


def held() -> Lane:
    return creating().customer_is_found(FAILED).timer(FAILED).timer(FAILED).timer(FAILED)


def test_rule_8_a_retry_starts_a_new_turn_with_all_attempts() -> None:
    lane = held()

    lane.act("retry", FAILED, plan="p1")

    assert (lane.row.lane.attempts, lane.row.state, lane.row.lane.waits) == (1, State.PENDING, Waits.RETRY)
    assert lane.row.timeline[-1].plan == "p1"


def test_rule_8_a_repair_keeps_the_original() -> None:
    lane = held().act("repair", data=BOOKED | {"doorCount": 2})

    assert lane.row.state is State.ACTIVE
    assert (lane.row.booked.door_count, lane.row.original and lane.row.original.door_count) == (2, 1)
    assert kinds(lane) == ["CreateJob"]


def test_rule_8_a_repair_of_the_customer_asks_for_the_customer_again() -> None:
    lane = held().act("repair", data=BOOKED | {"phone": "602-555-0199"})

    assert (lane.asks, lane.row.lane.waits) == ([], Waits.CUSTOMER)
    assert any(isinstance(owed, RequestCustomer) for owed in lane.owed)


def test_rule_8_an_invalid_repair_is_refused() -> None:
    lane = held().act("repair", data=BOOKED | {"phone": "1"})

    assert (lane.row.state, lane.asks) == (State.HELD, [])
    assert lane.row.timeline[-1].outcome == "refused"


def test_rule_8_a_discard_closes() -> None:
    lane = held().event(rescheduled(1)).act("discard")

    assert lane.row.state is State.CLOSED
    assert lane.row.problem is not None
    assert (lane.row.problem.reason, lane.row.problem.detail) == (Reason.DISCARDED, "op: because")
    assert [seen(lane, offset) for offset in (0, 1)] == [Reason.DISCARDED] * 2


def test_rule_8_the_look_up_comes_first_on_an_unsure_creation() -> None:
    lane = creating().customer_is_found(NO_ANSWER)
    for _ in range(3):
        lane.timer(accepted(()), NO_ANSWER)
    lane.timer(FAILED).timer()
    assert lane.row.lane.phase is Phase.HELD

    lane.another_worker().act("discard", accepted((job_seen(),)))

    assert kinds(lane) == ["FindJob"]
    assert lane.row.state is State.ACTIVE
    assert "not discarded: job 1001 is there" in lane.decisions


# 9: reports ---------------------------------------------------------------------------------------


def seen_in(status: Status, seconds: float, job_id: int = 1001) -> Observed:
    return Observed(job_id=job_id, status=status, at=later(seconds), seen_by="webhook")


@pytest.mark.parametrize("ended", [Status.CANCELLED, Status.COMPLETED])
def test_rule_9_a_note_says_nothing_of_whether_the_job_had_ended_by_then(ended: Status) -> None:
    lane = booked()
    lane.now = later(12)
    lane.event(status_changed("in_progress", 1), accepted(None, at=later(12)))
    assert lane.row.job is not None
    assert lane.row.job.status is Status.IN_PROGRESS

    lane.signal(seen_in(Status.DISPATCHED, 10))
    assert (lane.row.job.status, lane.announced) == (Status.IN_PROGRESS, [])
    lane.signal(seen_in(ended, 11))

    assert (lane.row.job.status, lane.row.state) == (ended, State.ENDED)
    assert lane.announced == ["job.cancelled" if ended is Status.CANCELLED else "job.updated"]


def test_rule_9_who_is_on_the_way_does_not_take_back_that_the_work_is_told_to_go_on() -> None:
    lane = booked().event(status_changed("in_progress", 1), accepted(None, at=later(12)))

    lane.signal(seen_in(Status.DISPATCHED, 13))

    assert lane.row.job is not None
    assert (lane.row.job.status, lane.announced) == (Status.IN_PROGRESS, [])
    lane.signal(seen_in(Status.SCHEDULED, 14))
    assert lane.row.job.status is Status.SCHEDULED


def test_rule_9_a_later_report_is_followed_announced_and_causes_no_call() -> None:
    lane = booked().signal(seen_in(Status.DISPATCHED, 10))

    assert lane.asks == []
    assert lane.row.job is not None
    assert lane.row.job.status is Status.DISPATCHED
    assert lane.announced == ["job.updated"]


def test_rule_9_a_cancellation_seen_there_ends_the_booking() -> None:
    lane = booked().signal(seen_in(Status.CANCELLED, 10))

    assert (lane.row.state, lane.announced) == (State.ENDED, ["job.cancelled"])


@pytest.mark.parametrize(
    "report",
    [seen_in(Status.DISPATCHED, -1), seen_in(Status.DISPATCHED, 10, job_id=5), seen_in(Status.SCHEDULED, 0)],
    ids=["older", "another job", "no news"],
)
def test_rule_9_what_is_no_news_changes_nothing(report: Observed) -> None:
    lane = booked()
    before = lane.row.job

    lane.signal(report)

    assert (lane.row.job, lane.owed) == (before, [])


def test_rule_9_what_is_so_still_makes_what_was_between_old_news() -> None:
    lane = booked().signal(seen_in(Status.SCHEDULED, 20))
    assert lane.announced == []

    lane.signal(seen_in(Status.CANCELLED, 10))

    assert lane.row.job is not None
    assert (lane.row.job.status, lane.announced) == (Status.SCHEDULED, [])


# 10: what cannot be worked ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "data", "reason"),
    [
        ("booking.rescheduled", {}, Reason.INVALID),
        ("booking.exploded", {}, Reason.UNKNOWN_TYPE),
    ],
)
def test_rule_10_an_event_that_cannot_be_worked_is_dead_lettered_as_it_came(
    event_type: str, data: object, reason: Reason
) -> None:
    lane = booked().event(event(event_type, data, offset=1))

    assert [(letter.trouble.reason, letter.raw) for letter in lane.letters] == [
        (reason, raw(event_type, data, offset=1))
    ]
    assert lane.row.state is State.ACTIVE


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("retry", None, Reason.UNKNOWN_BOOKING),
        ("discard", None, Reason.UNKNOWN_BOOKING),
        ("repair", {"phone": "1"}, Reason.INVALID),
    ],
)
def test_rule_10_an_act_that_finds_no_booking_is_dead_lettered(
    kind: str, data: dict[str, object] | None, reason: Reason
) -> None:
    lane = Lane().act(kind, data=data)  # type: ignore[arg-type]  # one of the three

    assert lane.record is None
    assert [(letter.trouble.reason, letter.raw.topic) for letter in lane.letters] == [
        (reason, "booking-signals")
    ]


def test_rule_10_a_report_of_a_booking_that_left_is_forgotten() -> None:
    lane = Lane().signal(seen_in(Status.DISPATCHED, 1))

    assert (lane.record, lane.owed) == (None, [])


def test_outcomes_are_told_in_one_line() -> None:
    assert outcome_text(accepted(None)) == "Accepted"
    assert outcome_text(REFUSED) == "Refused (area-not-supported): we do not drive there"
    assert outcome_text(BUSY) == "Busy: stopped"
