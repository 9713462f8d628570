"""Customers' answers, operators' acts, and what is seen in ServiceTitan."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.booking import report
from app.booking.asks import Complete, CreateJob, Reschedule
from app.booking.customers import customer_digest
from app.booking.identity import Progress
from app.booking.inputs import (
    Action,
    CustomerFailed,
    CustomerResolved,
    Observed,
    TechnicianSeen,
    VisitSeen,
)
from app.booking.outcomes import Busy, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import FAILED_KEPT, Announce, Job, Means, Phase, State, Waits
from app.booking.signals import is_news
from app.booking.status import Status
from tests.support.bookings import (
    BOOKED,
    NOW,
    RESCHEDULED,
    accepted,
    booking,
    cancelled,
    created,
    event,
    job_seen,
    later,
    rescheduled,
    signal,
    status_changed,
)
from tests.support.lane import Lane, booked, creating, in_status, seen

FAILED = Failed(detail="connection refused")
REFUSED = Refused(reason=Reason.REFUSED, detail="no", http_status=400)
NO_ANSWER = Unsure(detail="time-out")


def last(lane: Lane) -> tuple[str, str]:
    entry = lane.row.timeline[-1]
    return entry.outcome, entry.decision


# Customers


@pytest.mark.parametrize(
    ("turn", "digest"),
    [(0, customer_digest(booking())), (1, customer_digest(booking(firstName="Grace")))],
    ids=["of an earlier turn", "of other data"],
)
def test_a_stale_answer_changes_nothing(turn: int, digest: str) -> None:
    lane = creating()
    before = lane.row.lane
    assert before.turn == 1

    lane.signal(CustomerResolved(turn=turn, digest=digest, customer_id=7, location_id=8))
    lane.signal(CustomerFailed(turn=turn, digest=digest, outcome=FAILED))

    assert (lane.row.lane, lane.asks, lane.owed) == (before, [], [])


@pytest.mark.parametrize("outcome", [FAILED, NO_ANSWER])
def test_a_customer_that_was_not_found_is_the_creation_s_attempt(outcome: Failed | Unsure) -> None:
    lane = creating().customer_fails(outcome)

    assert (lane.row.lane.attempts, lane.row.lane.waits, lane.row.lane.unsettled) == (1, Waits.RETRY, None)
    assert (lane.timer().asks, lane.row.lane.waits) == ([], Waits.CUSTOMER)


def test_a_busy_customer_lane_is_no_attempt() -> None:
    lane = creating().customer_fails(Busy(detail="still under way"))

    assert (lane.row.lane.attempts, lane.row.lane.waits) == (0, Waits.RETRY)


@pytest.mark.parametrize("reason", [Reason.CUSTOMER_CONFLICT, Reason.PHONE_REFUSED])
def test_a_refused_customer_holds_the_booking(reason: Reason) -> None:
    lane = creating().customer_fails(Refused(reason=reason, detail="no"))

    assert lane.row.state is State.HELD
    assert lane.row.problem is not None
    assert lane.row.problem.reason is reason


def test_an_answer_after_a_process_died_with_the_job_sent_does_not_forget_what_was_sent() -> None:
    lane = creating()
    before = lane.row
    lane.customer_is_found()
    lane.record, lane.settle_left = before, 90

    lane.another_worker().customer_fails(FAILED)

    assert lane.row.lane.unsettled is not None
    lane.timer()
    assert not any(isinstance(ask, CreateJob) for ask in lane.asks)


# Held creations


def test_an_act_that_nothing_waits_for_is_refused() -> None:
    assert last(booked().act("retry")) == ("refused", "nothing of this booking waits for it")
    assert last(creating().act("discard", event="e0"))[0] == "refused"


def test_an_act_on_the_held_event_by_its_id() -> None:
    lane = creating().customer_is_found(REFUSED).act("retry", event="e0")

    assert lane.row.state is State.PENDING


def test_a_discard_does_not_lose_the_cancellation_that_a_held_lane_could_not_work() -> None:
    lane = creating().customer_is_found(NO_ANSWER).event(cancelled(1), FAILED)
    lane.timer(FAILED).timer(FAILED).timer(FAILED)
    assert (lane.row.state, seen(lane, 1)) == (State.HELD, Progress.ON_ITS_WAY)

    lane.act("discard", accepted((job_seen(),)))

    assert [type(ask).__name__ for ask in lane.asks] == ["FindJob", "Cancel"]
    assert (lane.row.state, seen(lane, 1)) == (State.ENDED, Progress.WORKED)


def test_a_second_cancellation_closes_what_the_first_left_held() -> None:
    lane = creating().customer_is_found(NO_ANSWER).event(cancelled(1), FAILED)
    lane.timer(FAILED).timer(FAILED).timer(FAILED)
    assert lane.row.state is State.HELD

    lane.event(cancelled(2))

    assert (lane.row.state, seen(lane, 1), seen(lane, 2)) == (
        State.CLOSED,
        Progress.WORKED,
        Progress.WORKED,
    )


def test_a_cancellation_while_a_discard_waits_cancels_a_job_that_turns_up() -> None:
    lane = creating().customer_is_found(REFUSED).another_worker()
    lane.act("discard", FAILED).event(cancelled(1))
    assert lane.row.lane.behind == 1

    lane.timer(accepted((job_seen(),)))

    assert [type(ask).__name__ for ask in lane.asks] == ["FindJob", "Cancel"]
    assert lane.row.state is State.ENDED


# Dead-lettered changes


def dead_lettered() -> Lane:
    return booked().event(rescheduled(1), REFUSED)


def test_a_dead_lettered_change_is_retried() -> None:
    lane = dead_lettered().act("retry", event="e1", plan="p1")

    assert [type(ask) for ask in lane.asks] == [Reschedule]
    assert (lane.row.failed, lane.behind, seen(lane, 1)) == ((), {}, Progress.WORKED)


def test_it_is_repaired() -> None:
    data = RESCHEDULED | {"scheduledDate": "2026-03-09T00:00:00Z"}

    lane = dead_lettered().act("repair", data=data)

    assert lane.row.job is not None
    assert lane.row.job.scheduled_date == "2026-03-09T00:00:00Z"


def test_an_invalid_repair_of_it_is_refused() -> None:
    lane = dead_lettered().act("repair", data={"scheduledDate": "soon"})

    assert last(lane)[0] == "refused"
    assert lane.row.failed


def test_a_repair_of_an_unknown_type_is_refused() -> None:
    lane = booked().event(event("booking.exploded", {}, offset=1)).act("repair", data={})

    assert last(lane) == ("refused", "the repair is invalid: booking.exploded")


def test_it_is_discarded() -> None:
    lane = dead_lettered().act("discard")

    assert (lane.row.failed, lane.behind, seen(lane, 1)) == ((), {}, Reason.DISCARDED)


def test_a_retry_stands_behind_what_waits() -> None:
    lane = dead_lettered().event(rescheduled(2), FAILED).act("retry", event="e1")

    assert (lane.asks, lane.row.lane.behind) == ([], 1)
    assert len(lane.timer().asks) == 2


@pytest.mark.parametrize("instead", [None, "e7"])
def test_a_retry_whose_row_was_lost_changes_nothing(instead: str | None) -> None:
    lane = dead_lettered()
    if instead is None:
        lane.behind.clear()
    else:
        lane.behind = {slot: replace(head, digest=instead) for slot, head in lane.behind.items()}

    lane.act("retry")

    assert (lane.asks, lane.row.failed) == ([], ())
    assert last(lane) == ("row missing", "skipped: its row was lost")
    assert lane.row.timeline[-1].means is Means.ROW_MISSING


def test_a_retried_event_that_still_cannot_be_worked_is_dead_lettered_again() -> None:
    lane = booked().event(event("booking.rescheduled", {}, offset=1)).act("retry")

    assert (seen(lane, 1), len(lane.row.failed), list(lane.behind)) == (Reason.INVALID, 1, ["f1"])


def test_a_dead_letter_of_an_event_that_was_never_the_head_does_not_carry_the_head_s_failure() -> None:
    lane = booked().event(rescheduled(1), FAILED)
    lane.now = later(100)

    lane.event(event("booking.exploded", {}, offset=2))

    assert [letter.first_failed for letter in lane.letters] == [later(100)]


def test_only_the_last_dead_letters_can_be_worked_again() -> None:
    lane = booked()
    for offset in range(1, FAILED_KEPT + 3):
        lane.event(event("booking.exploded", {}, offset=offset))

    assert len(lane.row.failed) == FAILED_KEPT
    assert set(lane.behind) == {failed.slot for failed in lane.row.failed}


def test_an_invalid_second_creation_can_be_repaired_into_a_duplicate() -> None:
    lane = booked().event(created(1, phone="1")).act("repair", data=BOOKED)

    assert seen(lane, 1) is Progress.WORKED


# What ServiceTitan shows


def shows(status: Status, seconds: float) -> Observed:
    return Observed(job_id=1001, status=status, at=later(seconds), seen_by="sweep")


def test_a_report_older_than_the_last_report_is_no_news_even_when_that_changed_nothing() -> None:
    lane = booked()
    record = lane.row
    assert record.job is not None
    lane.record = replace(record, job=replace(record.job, reported=None, reported_at=None))
    lane.signal(shows(Status.SCHEDULED, 20))
    assert lane.row.job is not None
    assert lane.row.job.reported_at == later(20)

    lane.signal(shows(Status.DISPATCHED, 10))

    assert lane.row.job.status is Status.SCHEDULED


@pytest.mark.parametrize(
    ("seen_by", "seconds", "status"),
    [
        ("webhook", 10.5, Status.CANCELLED),
        ("webhook", 11.0, Status.SCHEDULED),
        ("sweep", 10.5, Status.SCHEDULED),
    ],
)
def test_a_webhook_of_the_second_of_our_own_write_may_be_older_than_the_write(
    seen_by: str, seconds: float, status: Status
) -> None:
    lane = booked().event(cancelled(1), accepted(None, later(10)))

    lane.signal(Observed(job_id=1001, status=Status.SCHEDULED, at=later(seconds), seen_by=seen_by))

    assert lane.row.job is not None
    assert lane.row.job.status is status


@pytest.mark.parametrize("seconds", [10, 10.2])
def test_a_webhook_of_the_second_of_another_report_is_judged_by_it(seconds: float) -> None:
    lane = booked().signal(
        Observed(job_id=1001, status=Status.DISPATCHED, at=later(seconds), seen_by="webhook")
    )

    lane.signal(Observed(job_id=1001, status=Status.SCHEDULED, at=later(10.7), seen_by="webhook"))

    assert lane.row.job is not None
    assert lane.row.job.status is Status.SCHEDULED


def test_a_webhook_of_the_second_in_which_the_job_was_made_is_news() -> None:
    lane = booked()
    made = lane.row.job
    assert made is not None

    lane.signal(
        Observed(
            job_id=1001,
            status=Status.DISPATCHED,
            at=made.status_at + timedelta(milliseconds=300),
            seen_by="webhook",
        )
    )

    assert lane.row.job is not None
    assert lane.row.job.status is Status.DISPATCHED


VISIT = 9
MOVED = VisitSeen(
    appointment_id=VISIT,
    start=NOW + timedelta(days=9),
    end=NOW + timedelta(days=9, hours=2),
    window_start=None,
    window_end=None,
)


def moves(seconds: float, visit: VisitSeen = MOVED, seen_by: str = "webhook") -> Observed:
    return Observed(
        job_id=1001, at=later(seconds), seen_by=seen_by, appointment_id=visit.appointment_id, visit=visit
    )


def job_of(lane: Lane) -> Job:
    assert lane.row.job is not None
    return lane.row.job


@pytest.mark.parametrize("start", [MOVED.start, NOW - timedelta(hours=3)], ids=["ahead", "before now"])
def test_a_visit_that_the_office_moved_is_followed_and_what_was_asked_for_stays(start: datetime) -> None:
    lane, visit = booked(), replace(MOVED, start=start, end=start + timedelta(hours=2))
    asked = (job_of(lane).scheduled_date, job_of(lane).time_slot)

    lane.signal(moves(20, visit))

    job = job_of(lane)
    assert (job.start, job.end, job.window_start, job.visit_at) == (start, visit.end, None, later(20))
    assert (job.scheduled_date, job.time_slot, job.status) == (*asked, Status.SCHEDULED)
    assert (lane.announced, lane.asks) == (["job.updated"], [])
    assert lane.row.timeline[-1].outcome == f"moved to {start.isoformat(timespec='minutes')}"
    told = report.view(lane.row)["job"]
    assert (told["appointmentStart"], told["appointmentEnd"]) == (
        report.instant(start),
        report.instant(visit.end),
    )


def test_of_two_moves_the_later_counts_in_whichever_order_they_come() -> None:
    elsewhere = replace(MOVED, start=MOVED.start + timedelta(hours=3), end=MOVED.end + timedelta(hours=3))
    lane = booked().signal(moves(30)).signal(moves(20, elsewhere))
    assert job_of(lane).start == MOVED.start
    lane.signal(moves(40)).signal(moves(35, elsewhere))
    assert (job_of(lane).start, job_of(lane).visit_at) == (MOVED.start, later(40))
    assert lane.announced == []


@pytest.mark.parametrize(
    ("written", "seen", "seen_by", "followed"),
    [
        (10.0, 10.5, "webhook", False),
        (10.0, 11.0, "webhook", True),
        (10.0, 10.5, "sweep", True),
        (10.3, 10.5, "webhook", True),
        (10.3, 10.2, "sweep", False),
    ],
)
def test_the_later_of_our_move_and_theirs_wins(
    written: float, seen: float, seen_by: str, *, followed: bool
) -> None:
    lane = booked().event(rescheduled(1), accepted(None, later(written)))
    lane.signal(moves(seen, seen_by=seen_by))
    assert (job_of(lane).start == MOVED.start) is followed


def test_another_visit_of_the_job_is_not_the_bookings() -> None:
    lane = booked().signal(replace(moves(20, replace(MOVED, appointment_id=77)), status=Status.IN_PROGRESS))
    assert (job_of(lane).status, lane.announced) == (Status.SCHEDULED, [])
    other = Observed(
        job_id=1001, at=later(20), seen_by="webhook", appointment_id=77, status=Status.IN_PROGRESS
    )
    assert not is_news(other, job_of(lane))


def test_a_visit_does_not_open_a_job_that_ended() -> None:
    lane = booked().event(cancelled(1), accepted(None, later(10)))
    lane.signal(
        Observed(job_id=1001, at=later(20), seen_by="sweep", appointment_id=VISIT, status=Status.SCHEDULED)
    )
    assert job_of(lane).status is Status.CANCELLED


def test_who_comes_is_followed() -> None:
    def sent(seconds: float, **there: bool) -> Observed:
        technicians = tuple(
            TechnicianSeen(id=number, name=name, assigned=assigned)
            for number, (name, assigned) in enumerate(there.items(), 500)
        )
        return Observed(
            job_id=1001, at=later(seconds), seen_by="sweep", appointment_id=VISIT, technicians=technicians
        )

    lane = booked().signal(sent(20, rosa=True, tom=True))
    assert [one.name for one in job_of(lane).technicians] == ["rosa", "tom"]
    assert lane.announced == ["job.updated"]
    assert lane.row.timeline[-1].outcome == "technicians: rosa, tom"
    assert lane.signal(sent(30, rosa=True)).announced == []
    lane.signal(sent(40, rosa=False, tom=False))
    assert (job_of(lane).technicians, lane.row.timeline[-1].outcome) == ((), "technicians: nobody")


def test_a_sight_that_changes_several_things_is_announced_once() -> None:
    lane = booked().signal(replace(moves(20), status=Status.DISPATCHED))
    assert (job_of(lane).status, job_of(lane).start) == (Status.DISPATCHED, MOVED.start)
    assert lane.announced == ["job.updated"]


def test_an_occurrence_counts_once() -> None:
    said = Observed(job_id=1001, at=later(20), seen_by="webhook", status=Status.DISPATCHED, occurrence="o")
    lane = booked().signal(said)
    assert is_news(replace(said, status=Status.SCHEDULED, at=later(21)), job_of(lane))
    assert not is_news(said, job_of(lane))
    assert not is_news(replace(said, job_id=1), job_of(lane))


@pytest.mark.parametrize(
    ("status", "seconds", "followed"),
    [
        (Status.IN_PROGRESS, -59, True),
        (Status.COMPLETED, -59, True),
        (Status.COMPLETED, -61, False),
        (Status.CANCELLED, -1, False),
        (Status.SCHEDULED, -1, False),
    ],
)
@pytest.mark.parametrize("seen_by", ["webhook", "sweep"])
def test_what_comes_after_a_dispatching_counts_though_the_event_of_that_was_made_a_little_later(
    status: Status, seconds: float, seen_by: str, *, followed: bool
) -> None:
    lane = booked()
    lane.now = later(700)
    lane.signal(shows(Status.DISPATCHED, 600)).signal(replace(shows(status, 600 + seconds), seen_by=seen_by))
    assert job_of(lane).status is (status if followed else Status.DISPATCHED)


def test_nothing_from_before_a_write_of_our_own_comes_after_a_dispatching() -> None:
    lane = in_status("cancelled")
    lane.now = later(700)
    lane.event(status_changed("scheduled", 2), accepted(None, later(590)))
    lane.signal(shows(Status.DISPATCHED, 600)).signal(shows(Status.COMPLETED, 589))
    assert job_of(lane).status is Status.DISPATCHED


def test_of_two_reports_of_one_moment_the_one_that_is_farther_counts() -> None:
    for reports in ((Status.DISPATCHED, Status.COMPLETED), (Status.COMPLETED, Status.DISPATCHED)):
        lane = booked()
        for status in reports:
            lane.signal(replace(shows(status, 20), seen_by="webhook"))
        assert job_of(lane).status is Status.COMPLETED


def test_a_report_of_a_booking_without_a_job_is_no_news() -> None:
    assert creating().signal(shows(Status.DISPATCHED, 1)).owed == []


def test_an_action_on_a_topic_that_was_made_anew_is_taken_though_its_offset_is_an_old_one() -> None:
    lane = booked().event(event("booking.exploded", {}, offset=1)).act("discard").act("discard")
    again = signal(Action(kind="discard", by="op", why="because"), 0, id_="another id")
    before = len(lane.row.timeline)
    assert lane.row.highest(again.raw.topic) > 0

    lane.give(again)

    assert len(lane.row.timeline) == before + 1


def test_a_signal_read_again_by_its_identity_changes_nothing() -> None:
    lane = booked().signal(shows(Status.DISPATCHED, 10))
    before = lane.row
    again = signal(shows(Status.COMPLETED, 20), 9)

    lane.give(replace(again, digest=signal(shows(Status.COMPLETED, 2), lane._signals).digest))

    assert lane.row == before


def test_a_booking_repaired_into_being_is_told_so() -> None:
    lane = Lane().act("repair", data=BOOKED)

    assert lane.row.lane.phase is Phase.WAITING
    assert lane.decisions == ["worked as the creation"]


def test_an_event_that_is_turned_away_again_is_announced_again() -> None:
    lane = booked().event(status_changed("astray", 1))
    first = [owed.id for owed in lane.owed if isinstance(owed, Announce)]

    lane.act("retry", event="e1")

    (second,) = (owed.id for owed in lane.owed if isinstance(owed, Announce))
    assert lane.announced == ["event.dead_lettered"]
    assert second not in first


def test_what_waits_for_an_operator_is_told_newest_first_and_the_held_creation_before_all() -> None:
    lane = creating().customer_is_found(Refused(reason=Reason.AREA_NOT_SUPPORTED, detail="far"))
    lane.event(status_changed("astray", 1)).event(status_changed("astray", 2))

    assert [(one.slot, one.event_id, one.trouble.reason) for one in lane.row.waiting] == [
        ("", "e0", Reason.AREA_NOT_SUPPORTED),
        ("f1", "e2", Reason.INVALID),
        ("f0", "e1", Reason.INVALID),
    ]
    assert [one.event_id for one in booked().event(status_changed("astray", 1)).row.waiting] == ["e1"]


# Times that are still to come

FAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("seen_by", ["webhook", "sweep"])
def test_a_report_from_the_future_counts_as_of_now_and_later_ones_are_news(seen_by: str) -> None:
    lane = booked()
    lane.signal(Observed(job_id=1001, status=Status.DISPATCHED, at=FAR, seen_by=seen_by))
    lane.now = later(60)

    lane.signal(Observed(job_id=1001, status=Status.COMPLETED, at=later(59), seen_by=seen_by))

    assert lane.row.job is not None
    assert (lane.row.job.status, lane.row.job.reported_at) == (Status.COMPLETED, later(59))


def test_a_report_of_a_clock_a_little_ahead_is_taken_as_it_is() -> None:
    lane = booked().signal(shows(Status.DISPATCHED, 299))

    assert lane.row.job is not None
    assert lane.row.job.status_at == later(299)


def test_an_answer_from_the_future_does_not_make_old_news_of_what_follows() -> None:
    ahead = job_seen(modified_on=FAR)
    made = creating().customer_is_found(accepted(ahead, FAR))
    found = creating().customer_is_found(NO_ANSWER).timer(accepted((ahead,), FAR))
    written = booked().event(cancelled(1), accepted(None, FAR))

    for lane in (made, found, written):
        lane.now = later(60)
        lane.signal(shows(Status.IN_PROGRESS, 59))
        assert lane.row.job is not None
        assert lane.row.job.status is Status.IN_PROGRESS


def test_a_job_made_in_the_future_does_not_make_old_news_of_where_its_visit_is_moved() -> None:
    lane = creating().customer_is_found(accepted(job_seen(created_on=FAR, modified_on=FAR), FAR))
    lane.now = later(60)

    lane.signal(moves(59))

    assert (job_of(lane).start, job_of(lane).created_at) == (MOVED.start, NOW)


def test_a_completion_is_not_of_a_time_that_is_still_to_come() -> None:
    completion = event(
        "booking.status_changed", {"status": "completed"}, offset=1, time="2099-01-01T00:00:00Z"
    )

    assert booked().event(completion).asks == [Complete(job_id=1001, completed_on=NOW)]
