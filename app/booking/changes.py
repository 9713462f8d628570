"""Events that change a job that is there: judged against its last known status, asked for, applied."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, TypeGuard

from app.booking.asks import Ask, Cancel, Complete, Dispatch, Note, PutBack, Reschedule, is_a_note
from app.booking.doubt import NO_DOUBT, Doubt, doubt_of
from app.booking.events import CUSTOMER_REQUEST, Cancelled, Change, Rescheduled, StatusChanged
from app.booking.inputs import Answered, Facts
from app.booking.lane import (
    Decision,
    Perform,
    announced,
    answer_noted,
    counted,
    finish,
    given_up,
    noted,
    retry_delay,
    saved,
    sent_before,
    settling,
    trouble,
    turn_away,
    wait,
    wait_settled,
    without_overtaken,
)
from app.booking.outcomes import Accepted, Busy, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import Head, Job, Means, Phase, Record, State, Trouble, Unsettled, Waits
from app.booking.status import ENDED, MAY_BE_RESCHEDULED, MAY_BECOME, SETTABLE, Status
from app.booking.visits import appointment


@dataclass(frozen=True, slots=True)
class Same:
    """The job is so already: accepted without a call."""


@dataclass(frozen=True, slots=True)
class Illegal:
    """The job's status does not allow the change."""

    detail: str


Verdict: TypeAlias = Ask | Same | Illegal
_MAY_BE_DONE = "; an earlier attempt was not answered, and may have been done"


def target(change: Change) -> Status | None:
    """The status a change wants, or None for a reschedule."""
    match change:
        case Rescheduled():
            return None
        case StatusChanged():
            return change.status
        case Cancelled():
            return Status.CANCELLED


def is_cancellation(change: object) -> TypeGuard[StatusChanged | Cancelled]:
    """Whether a change wants the visit not to happen."""
    return isinstance(change, (StatusChanged, Cancelled)) and target(change) is Status.CANCELLED


def why_cancelled(change: StatusChanged | Cancelled) -> str:
    """The reason that a cancellation gives, or the usual one."""
    return change.reason or CUSTOMER_REQUEST


def judge(record: Record, change: Change, head: Head, facts: Facts) -> Verdict:
    """What a change asks of ServiceTitan, given the job's last known status (contract section 2).

    What is so already is asked for again while the job may have become something else without an answer.
    """
    job = record.job
    if job is None or record.state is State.CLOSED:
        return Illegal("the booking is closed: it has no job")
    wanted = target(change)
    if isinstance(change, Rescheduled):
        if job.status not in MAY_BE_RESCHEDULED:
            return Illegal(f"a job that is {job.status} cannot be rescheduled")
        zone = facts.policy.business.zone_of(record.booked.zip)
        slot = appointment(change.scheduled_date, change.time_slot, job.minutes, zone)
        return Reschedule(job_id=job.id, appointment_id=job.appointment_id, slot=slot)
    if wanted is job.status and not _may_be_undone(job.status, record.doubt):
        return Same()
    if wanted is not job.status and wanted not in MAY_BECOME[job.status]:
        return Illegal(f"a job that is {job.status} cannot become {wanted}")
    return _ask(job, record.doubt, change, replace(head, time=facts.not_ahead(head.time)))


def _may_be_undone(status: Status, doubt: Doubt) -> bool:
    """Whether a write without an answer may have made the job something else that asking again mends."""
    if status is Status.DISPATCHED:
        return Status.SCHEDULED in doubt.statuses
    return status in SETTABLE and any(other is not status for other in doubt.statuses)


def _ask(job: Job, doubt: Doubt, change: StatusChanged | Cancelled, head: Head) -> Ask:
    if isinstance(change, Cancelled):
        return Cancel(job_id=job.id, memo=why_cancelled(change))
    because = f": {change.reason}" if change.reason else ""
    match change.status:
        case Status.SCHEDULED:
            may_be = {job.status, *doubt.statuses}
            return PutBack(
                job_id=job.id,
                appointment_id=job.appointment_id,
                cancelled=not may_be.isdisjoint(ENDED),
                assigned=Status.DISPATCHED in may_be,
                # Of a job that is said to be scheduled only those whom a write of ours may have put on it.
                technician_ids=() if job.status is Status.DISPATCHED else doubt.technicians,
            )
        case Status.DISPATCHED:
            return Dispatch(
                job_id=job.id,
                appointment_id=job.appointment_id,
                technician_ids=change.technician_ids,
                note=f"The booking system reports the job dispatched{because} ({head.event_id})",
            )
        case Status.IN_PROGRESS:
            return Note(
                job_id=job.id,
                text=f"The booking system reports the job in progress{because} ({head.event_id})",
            )
        case Status.COMPLETED:
            return Complete(job_id=job.id, completed_on=head.time)
        case Status.CANCELLED:
            return Cancel(job_id=job.id, memo=why_cancelled(change))


def work(record: Record, head: Head, change: Change, facts: Facts) -> Decision:
    """Begin, or begin again, to work a change at the front of its lane."""
    again = sent_before(record, head, facts)
    may_be_done = again and record.lane.unsettled is not None
    record = settling(record, facts)
    record = record.with_lane(head=head, phase=Phase.WORKING)
    wanted = target(change)
    if wanted is not None:
        record = replace(record, wants=wanted)
    verdict = judge(record, change, head, facts)
    match verdict:
        case Illegal():
            detail = verdict.detail + (_MAY_BE_DONE if may_be_done else "")
            problem = Trouble(
                reason=Reason.ILLEGAL_TRANSITION,
                detail=detail,
                attempts=record.lane.attempts,
                http_status=None,
                at=facts.now,
            )
            record = given_up(record, facts, head, outcome="not legal", decision=f"dead letter: {detail}")
            return turn_away(record, facts, head, problem, from_lane=True)
        case Same():
            record = noted(record, facts, head, asked="-", outcome="already so", decision="nothing to do")
            return finish(record, facts, head)
        case _:
            if record.lane.unsettled is not None and not (again and not is_a_note(verdict)):
                # An earlier write may still land, and would undo this one: wait until it cannot.
                return saved(wait_settled(record, facts))
            return Decision(record=record, then=Perform(verdict))


def answered(record: Record, head: Head, change: Change, given: Answered, facts: Facts) -> Decision:
    """What an attempt at a change came to, and where the lane goes from here."""
    outcome = given.outcome
    if given.unanswered:
        record = record.with_lane(unsettled=Unsettled(answered=False), may_be_done=True)
    doubt = doubt_of(given.ask)
    if given.unanswered or isinstance(outcome, Unsure):
        record = replace(record, doubt=record.doubt.joined(doubt))
    match outcome:
        case Accepted():
            record = replace(record, doubt=NO_DOUBT if doubt.statuses else record.doubt)
            record = applied(record, change, facts.not_ahead(outcome.at), facts)
            record = answer_noted(record, facts, head, given, _done(change))
            cancelled = is_cancellation(change)
            record = announced(record, "job.cancelled" if cancelled else "job.updated", facts, head)
            return finish(record, facts, head)
        case Busy():
            record = answer_noted(record, facts, head, given, "wait, no attempt spent")
            return saved(wait(record, facts, Waits.RETRY, facts.policy.retry_delays[0]))
        case Failed() | Unsure() | Refused():
            return _unhappy(record, head, given, outcome, facts)


def _unhappy(
    record: Record, head: Head, given: Answered, outcome: Failed | Unsure | Refused, facts: Facts
) -> Decision:
    record = counted(record, facts, outcome)
    delay = None if isinstance(outcome, Refused) else retry_delay(record, facts)
    if delay is not None:
        record = answer_noted(record, facts, head, given, f"retry in {delay} s")
        return saved(wait(record, facts, Waits.RETRY, delay))
    problem = trouble(record, facts, outcome)
    record = answer_noted(record, facts, head, given, f"dead letter: {problem.reason}", means=Means.GAVE_UP)
    if Status.CANCELLED in record.doubt.statuses:
        # It may have been done: what stood before it must not undo it.
        record = without_overtaken(record, facts)
    return turn_away(record, facts, head, problem, from_lane=True)


def applied(record: Record, change: Change, at: datetime, facts: Facts) -> Record:
    """The record after ServiceTitan accepted a change at its time `at`."""
    job = record.job
    if job is None:
        return record
    wanted = target(change)
    if isinstance(change, Rescheduled):
        zone = facts.policy.business.zone_of(record.booked.zip)
        slot = appointment(change.scheduled_date, change.time_slot, job.minutes, zone)
        moved = replace(
            job,
            scheduled_date=change.scheduled_date,
            time_slot=change.time_slot,
            start=slot.start,
            end=slot.end,
            window_start=slot.window_start,
            window_end=slot.window_end,
            visit_at=at,
            updated_at=at,
        )
        return replace(record, job=moved)
    status = wanted or job.status
    if status in SETTABLE:
        # What ServiceTitan will report now is what it accepted: only another word is news.
        job = replace(job, reported=status, reported_at=at, written_at=at)
    return with_status(record, job, status, at)


def with_status(record: Record, job: Job, status: Status, at: datetime) -> Record:
    """The same with this job, in this status as of the upstream's time `at`."""
    state = State.ENDED if status in ENDED else State.ACTIVE
    return replace(record, state=state, job=replace(job, status=status, status_at=at, updated_at=at))


def _done(change: Change) -> str:
    wanted = target(change)
    return "rescheduled" if wanted is None else f"job is {wanted}"
