"""What does not queue in the lane: operators' actions, customers' answers, changes seen in ServiceTitan."""

from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from app.booking.admission import admit, contents
from app.booking.changes import with_status
from app.booking.creation import begin, close_for, go_on_creating, may_be_there, resolved, unresolved
from app.booking.customers import customer_digest
from app.booking.events import CREATION, Booking, Invalid, validate
from app.booking.identity import Progress, forget, mark
from app.booking.inputs import (
    Action,
    CustomerFailed,
    CustomerResolved,
    Facts,
    Observed,
    Signal,
    Taken,
    VisitSeen,
)
from app.booking.lane import Decision, Take, announced, missing, noted, on_record, saved, unchanged
from app.booking.reasons import Reason
from app.booking.record import (
    Closing,
    Drop,
    FailedEvent,
    Head,
    Job,
    Phase,
    Record,
    SendDeadLetter,
    State,
    Technician,
    Trouble,
)
from app.booking.status import ENDED, Status

_CUSTOMER_MAY_BE_GONE = frozenset({Reason.REFUSED, Reason.CUSTOMER_CONFLICT})

TOLD_LATE = timedelta(minutes=1)
"""How much later than what it tells an event may be made: of a dispatching nothing else tells the time."""
_DATE_PRECISION = timedelta(seconds=1)
"""HTTP's Date has whole seconds (RFC 9110, section 5.6.7)."""


def signalled(record: Record | None, signal: Signal, facts: Facts) -> Decision:
    """What a signal does to a booking. One that came before changes nothing."""
    if record is None:
        return _without_row(signal, facts)
    raw = signal.raw
    if record.has_seen(signal.digest, raw.topic, raw.offset):
        return unchanged(record)
    match signal.says:
        case CustomerResolved():
            return resolved(record.took(raw.topic, raw.offset), signal.says, facts)
        case CustomerFailed():
            return unresolved(record.took(raw.topic, raw.offset), signal.says, facts)
        case Observed():
            return _observed(record, signal, signal.says, facts)
        case Action():
            return on_record(_act(_taken_in(record, signal), signal, signal.says, facts), facts)


def _taken_in(record: Record, signal: Signal) -> Record:
    record = record.took(signal.raw.topic, signal.raw.offset)
    return replace(record, seen=mark(record.seen, signal.digest, Progress.WORKED))


def _as_head(signal: Signal, facts: Facts, plan: str | None = None) -> Head:
    """A signal where a head is needed: as the cause of a line, an announcement, or a creation."""
    return Head(
        raw=signal.raw,
        event_id=signal.event_id,
        digest=signal.digest,
        type=CREATION,
        time=facts.now,
        taken_at=facts.now,
        trace_id=signal.trace_id,
        plan=plan,
    )


def _without_row(signal: Signal, facts: Facts) -> Decision:
    """Only the repair of a creation that was invalid makes a booking.

    Another act is dead-lettered, since somebody waits for it; what is told of a booking that left is not.
    """
    says = signal.says
    if not isinstance(says, Action):
        return unchanged(None)
    if says.kind != "repair":
        return _dead_letter(signal, Reason.UNKNOWN_BOOKING, f"{says.kind} for a booking never seen", facts)
    booking = validate(CREATION, says.data, signal.booking_id, _types(facts))
    if not isinstance(booking, Booking):
        return _dead_letter(signal, Reason.INVALID, f"the repair is invalid: {booking}", facts)
    head = replace(_as_head(signal, facts, says.plan), data=orjson.dumps(says.data).decode())
    record = Record(booking_id=signal.booking_id, booking=booking, changed_at=facts.now)
    record = _told(record, signal, says, facts, "worked as the creation")
    record = replace(record, seen=mark(record.seen, signal.digest, Progress.ON_ITS_WAY))
    return begin(record.took(signal.raw.topic, signal.raw.offset), head, facts)


def _dead_letter(signal: Signal, reason: Reason, detail: str, facts: Facts) -> Decision:
    problem = Trouble(reason=reason, detail=detail, attempts=0, http_status=None, at=facts.now)
    letter = SendDeadLetter(raw=signal.raw, trouble=problem, first_failed=facts.now, trace_id=signal.trace_id)
    return Decision(record=None, apart=(letter,))


def _observed(record: Record, signal: Signal, seen: Observed, facts: Facts) -> Decision:
    """ServiceTitan was seen showing a job: what differs and is later counts, and it never causes a call."""
    job = record.job
    if job is None or job.id != seen.job_id:
        return unchanged(record)
    seen = replace(seen, at=facts.not_ahead(seen.at))
    after = _with_visit(_with_technicians(job, seen), seen)
    shown = _with_status(after, seen)
    if shown == job:
        return unchanged(record)
    record = _taken_in(record, signal)
    if _outside(shown) == _outside(job):
        return saved(replace(record, job=shown))
    cause = _as_head(signal, facts)
    for what in _differences(job, shown):
        record = noted(
            record, facts, cause, asked=f"seen by {seen.seen_by}", outcome=what, decision="record follows"
        )
    if shown.status is job.status:
        record = replace(record, job=replace(shown, updated_at=seen.at))
        return saved(announced(record, "job.updated", facts, cause))
    record = with_status(record, shown, shown.status, seen.at)
    cancelled = shown.status is Status.CANCELLED
    return saved(announced(record, "job.cancelled" if cancelled else "job.updated", facts, cause))


def is_news(seen: Observed, job: Job) -> bool:
    """Whether a sight tells of this job what is not known of it, and is not older than what is."""
    if job.id != seen.job_id:
        return False
    status = _status_is_news(seen, job)
    return status or _visit_is_news(seen, job) or _with_technicians(job, seen).technicians != job.technicians


def _outside(job: Job) -> tuple[object, ...]:
    """What everybody outside sees of a job that the office can change."""
    return job.status, job.start, job.end, job.window_start, job.window_end, job.technicians


def _differences(before: Job, after: Job) -> list[str]:
    """What the office changed, each in a few words."""
    found: list[str] = []
    if after.status is not before.status:
        found.append(after.status.value)
    if _times(after) != _times(before):
        found.append(f"moved to {after.start.isoformat(timespec='minutes')}")
    if after.technicians != before.technicians:
        found.append(f"technicians: {', '.join(one.name for one in after.technicians) or 'nobody'}")
    return found


def _times(job: Job | VisitSeen) -> tuple[datetime | None, ...]:
    return job.start, job.end, job.window_start, job.window_end


def _is_of_our_visit(seen: Observed, job: Job) -> bool:
    return seen.appointment_id is None or seen.appointment_id == job.appointment_id


def _with_status(job: Job, seen: Observed) -> Job:
    """The job in the status that was seen, when that is news; else as of when it is known to be so."""
    if seen.status is None or not _is_of_our_visit(seen, job):
        return job
    if not _status_is_news(seen, job):
        # What is known was so later still: what was between, and comes after this, is old news then.
        still = job.reported is seen.status and job.reported_at is not None
        return replace(job, reported_at=max(job.reported_at or seen.at, seen.at)) if still else job
    behind = _is_behind(seen, seen.status, job)
    job = replace(job, reported=seen.status, reported_at=seen.at)
    return job if behind else replace(job, status=seen.status)


def _status_is_news(seen: Observed, job: Job) -> bool:
    if seen.status is None or not _is_of_our_visit(seen, job):
        return False
    if seen.appointment_id is not None and job.status in ENDED:
        # A visit that is not used any more says nothing of its job, which alone is opened again.
        return False
    return job.reported is not seen.status and not _is_older(seen, job)


def _is_behind(seen: Observed, status: Status, job: Job) -> bool:
    """Whether the booking system told more of a job that goes on than this report: its notes stand."""
    if job.status is job.reported or status in ENDED:
        return False
    on_the_way = (job.status, status) == (Status.IN_PROGRESS, Status.DISPATCHED)
    return on_the_way or seen.at < job.status_at


def _is_older(seen: Observed, job: Job) -> bool:
    """Whether a report is of what was before what is known, or may be.

    The time of a write of our own is its answer's Date, which has whole seconds: a webhook of that second may
    tell what was before the write. If it does not, the sweep tells it again, which reads what is.
    """
    since = job.known_since
    known = max(since, job.reported_at or since)
    if _goes_on_from_a_dispatching(seen, job):
        known = max(job.written_at or job.created_at, known - TOLD_LATE)
    if seen.at < known or (seen.at == known and _is_less_far(seen, job)):
        return True
    return since == job.written_at and _may_be_before(seen, since)


def _goes_on_from_a_dispatching(seen: Observed, job: Job) -> bool:
    """Whether it tells what comes after the dispatching that was reported last.

    An office that enters afterwards who came and that it is done does so within seconds.
    """
    return job.reported is Status.DISPATCHED and seen.status in {Status.IN_PROGRESS, Status.COMPLETED}


def _is_less_far(seen: Observed, job: Job) -> bool:
    """Whether a job has come farther than this webhook of the same moment, in whichever order they come.

    A sweep reads what is.
    """
    if seen.seen_by != "webhook":
        return False
    course = (None, *Status)
    return course.index(seen.status) < course.index(job.reported)


def _may_be_before(seen: Observed, written: datetime) -> bool:
    is_a_date = written.microsecond == 0
    return seen.seen_by == "webhook" and is_a_date and seen.at < written + _DATE_PRECISION


def _with_visit(job: Job, seen: Observed) -> Job:
    """The job with its visit where it was seen, unless it was there before something that is known."""
    visit = seen.visit
    if visit is None or visit.appointment_id != job.appointment_id or seen.at < job.visit_known_at:
        return job
    if _times(visit) == _times(job):
        return replace(job, visit_at=seen.at)
    if not _visit_is_news(seen, job):
        return job
    return replace(
        job,
        start=visit.start,
        end=visit.end,
        window_start=visit.window_start,
        window_end=visit.window_end,
        visit_at=seen.at,
    )


def _visit_is_news(seen: Observed, job: Job) -> bool:
    visit, since = seen.visit, job.visit_known_at
    if visit is None or visit.appointment_id != job.appointment_id or _times(visit) == _times(job):
        return False
    return seen.at >= since and not _may_be_before(seen, since)


def _with_technicians(job: Job, seen: Observed) -> Job:
    """The job with those who were put on its visit, and without those who were taken off it."""
    if not _is_of_our_visit(seen, job):
        return job
    there = {one.id: one for one in job.technicians}
    for one in seen.technicians:
        if one.assigned:
            there[one.id] = Technician(id=one.id, name=one.name)
        else:
            there.pop(one.id, None)
    return replace(job, technicians=tuple(sorted(there.values(), key=lambda one: one.id)))


def _act(record: Record, signal: Signal, action: Action, facts: Facts) -> Decision:
    head = record.lane.head
    held = record.lane.phase is Phase.HELD and head is not None
    if held and head is not None and action.event in {None, head.event_id}:
        return _act_on_held(record, head, signal, action, facts)
    failed = _failed(record, action.event)
    if failed is None:
        return _refused(record, signal, action, facts, "nothing of this booking waits for it")
    return _act_on_failed(record, failed, signal, action, facts)


def _failed(record: Record, event: str | None) -> FailedEvent | None:
    return next((f for f in reversed(record.failed) if event in {None, f.event_id}), None)


def _act_on_held(record: Record, head: Head, signal: Signal, action: Action, facts: Facts) -> Decision:
    match action.kind:
        case "retry":
            booking = record.booking or contents(head, record.booking_id)
            if not isinstance(booking, Booking):
                return _refused(record, signal, action, facts, f"it is still invalid: {booking}")
            record = replace(_wanted_again(record), booking=booking)
            record = _told(record, signal, action, facts, "new turn with all attempts")
            return _new_turn(record, head, action, facts)
        case "repair":
            return _repair_held(record, head, signal, action, facts)
        case "discard":
            record = _told(record, signal, action, facts, "discard")
            closing = record.lane.closing
            if closing is None or closing.discarded:
                closing = Closing(
                    head=_as_head(signal, facts),
                    discarded=True,
                    why=action.why,
                    by=action.by,
                    upto=record.lane.next,
                )
            if not may_be_there(record, facts):
                return close_for(record, closing, facts)
            return _new_turn(record.with_lane(closing=closing), head, action, facts)


def _wanted_again(record: Record) -> Record:
    """The same without a discard that could not be carried out: the operator thought better of it."""
    closing = record.lane.closing
    return record.with_lane(closing=None) if closing is not None and closing.discarded else record


def _new_turn(record: Record, head: Head, action: Action, facts: Facts) -> Decision:
    if record.problem is not None and record.problem.reason in _CUSTOMER_MAY_BE_GONE:
        record = replace(record.with_lane(fresh=True), customer=None)
    record = replace(
        record.with_lane(
            head=replace(head, plan=action.plan, begun_by=head.begun_by or facts.me),
            attempts=0,
            first_failed=None,
            last=None,
            waits=None,
        ),
        state=State.PENDING,
        seen=mark(record.seen, head.digest, Progress.ON_ITS_WAY),
    )
    return go_on_creating(record, facts)


def _repair_held(record: Record, head: Head, signal: Signal, action: Action, facts: Facts) -> Decision:
    booking = validate(CREATION, action.data, record.booking_id, _types(facts))
    if not isinstance(booking, Booking):
        return _refused(record, signal, action, facts, f"the repair is invalid: {booking}")
    before = record.booking
    same_customer = before is not None and customer_digest(booking) == customer_digest(before)
    repaired = replace(
        _wanted_again(record),
        booking=booking,
        original=record.original or before,
        repairs=record.repairs + 1,
        replaced=before if record.ordered == record.repairs else record.replaced,
        customer=record.customer if same_customer else None,
    )
    head = replace(head, data=orjson.dumps(action.data).decode())
    return _new_turn(_told(repaired, signal, action, facts, "repaired; new turn"), head, action, facts)


def _act_on_failed(
    record: Record, failed: FailedEvent, signal: Signal, action: Action, facts: Facts
) -> Decision:
    if action.kind == "repair":
        data = validate(failed.type, action.data, record.booking_id, _types(facts))
        if data is None or isinstance(data, Invalid):
            return _refused(record, signal, action, facts, f"the repair is invalid: {data or failed.type}")
    if action.kind == "discard":
        rest = tuple(other for other in record.failed if other.slot != failed.slot)
        record = replace(record, failed=rest, seen=mark(record.seen, failed.digest, Reason.DISCARDED)).owing(
            Drop(slots=(failed.slot,))
        )
        return saved(_told(record, signal, action, facts, f"{failed.event_id} discarded"))
    told = _told(record, signal, action, facts, f"{failed.event_id} is worked again")
    return Decision(record=told, then=Take(failed.slot, action))


def worked_again(record: Record, taken: Taken, action: Action, facts: Facts) -> Decision:
    """A dead-lettered event that an operator wants worked again is judged as if it came now.

    A row that came late from a worker which had lost the partition may stand where its own was.
    """
    head = taken.head
    meant = next((failed.digest for failed in record.failed if failed.slot == taken.slot), None)
    record = replace(record, failed=tuple(f for f in record.failed if f.slot != taken.slot))
    record = record.owing(Drop(slots=(taken.slot,)))
    if head is None or head.digest != meant:
        return saved(record.noted(missing(taken.slot, facts)))
    if action.kind == "repair":
        head = replace(head, data=orjson.dumps(action.data).decode())
    head = replace(head, plan=action.plan, redriven=True)
    record = replace(record, seen=forget(record.seen, head.digest))
    return on_record(admit(record, head, contents(head, record.booking_id, _types(facts)), facts), facts)


def _refused(record: Record, signal: Signal, action: Action, facts: Facts, why: str) -> Decision:
    return saved(_told(record, signal, action, facts, why, outcome="refused"))


def _told(
    record: Record, signal: Signal, action: Action, facts: Facts, decision: str, *, outcome: str = "accepted"
) -> Record:
    asked = f"{action.kind} by {action.by}: {action.why}"
    cause = _as_head(signal, facts, action.plan)
    return noted(record, facts, cause, asked=asked, outcome=outcome, decision=decision)


def _types(facts: Facts) -> frozenset[str]:
    return facts.policy.business.problem_types
