"""Making a booking's job exactly once: its customer first, never again blindly, looked up when unsure."""

from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from app.booking.asks import CreateJob, FindJob, JobOrder, JobSeen
from app.booking.changes import work
from app.booking.customers import customer_digest
from app.booking.events import Booking, Cancelled, Rescheduled, must_be_one_of
from app.booking.identity import Progress, mark
from app.booking.inputs import Answered, CustomerFailed, CustomerResolved, Facts
from app.booking.lane import (
    Decision,
    Perform,
    Unhappy,
    announced,
    answer_noted,
    close,
    counted,
    finish,
    given_up,
    hold,
    is_settled,
    noted,
    outcome_text,
    retry_delay,
    saved,
    trouble,
    unchanged,
    wait,
    wait_for_customer,
    wait_settled,
)
from app.booking.outcomes import Accepted, Busy, Refused
from app.booking.reasons import Reason
from app.booking.record import (
    NOBODY,
    Closing,
    Customer,
    Head,
    Job,
    Means,
    Phase,
    Record,
    State,
    Trouble,
    Unsettled,
    Waits,
)
from app.booking.status import ENDED, FROM_UPSTREAM, Status
from app.booking.words import description, summary, visit_of

CLOCKS_APART = timedelta(hours=1)
"""How far the upstream's clock may be from ours, when jobs are looked for by creation time."""


def is_creating(record: Record) -> bool:
    """Whether the lane's head is the booking's creation."""
    return record.lane.head is not None and record.job is None


def begin(record: Record, head: Head, facts: Facts) -> Decision:
    """Work a new creation: its customer comes first."""
    record = record.with_lane(head=replace(head, begun_by=facts.me))
    return go_on_creating(replace(record, state=State.PENDING), facts)


def go_on_creating(record: Record, facts: Facts) -> Decision:
    """The next step towards the job: a look-up when it may be there, its customer, or the job itself."""
    known = record.customer is not None
    if record.lane.closing or record.lane.unsettled or (known and of_another(record, facts)):
        return Decision(record=record.with_lane(phase=Phase.WORKING), then=Perform(_look_up(record)))
    return _create(record, facts)


def may_be_there(record: Record, facts: Facts) -> bool:
    """Whether the booking's job may have been made without its row telling."""
    return record.lane.unsettled is not None or of_another(record, facts)


def of_another(record: Record, facts: Facts) -> bool:
    """Whether another process, or this one before a rebalance, began the creation and may still be at it."""
    head = record.lane.head
    return head is not None and head.begun_by not in {NOBODY, facts.me}


def _create(record: Record, facts: Facts) -> Decision:
    customer, head = record.customer, record.lane.head
    problem_types = facts.policy.business.problem_types
    if record.booked.problem_type not in problem_types and head is not None:
        # It was taken before the business file was changed.
        detail = f"problemType: {must_be_one_of(problem_types)}"
        problem = Trouble(reason=Reason.INVALID, detail=detail, attempts=0, http_status=None, at=facts.now)
        record = given_up(record, facts, head, outcome="not known", decision=f"held: {problem.reason}")
        return hold(record, facts, head, problem)
    if customer is None or customer.digest != customer_digest(record.booked):
        return saved(wait_for_customer(record, facts))
    order = job_order(record.booking_id, record.booked, customer, facts)
    record = replace(record.with_lane(phase=Phase.WORKING), ordered=record.repairs, replaced=None)
    return Decision(record=record, then=Perform(CreateJob(order=order)))


def job_order(booking_id: str, booking: Booking, customer: Customer, facts: Facts) -> JobOrder:
    """The job that a booking asks for."""
    business = facts.policy.business
    problem = business.problem_of(booking.problem_type)
    return JobOrder(
        booking_id=booking_id,
        customer_id=customer.customer_id,
        location_id=customer.location_id,
        business_unit=business.unit_of(booking.problem_type, booking.zip),
        job_type=business.job_type_of(booking.problem_type),
        tags=business.tags_of(booking.problem_type),
        priority=problem.priority,
        summary=summary(problem, booking, customer.name),
        slot=visit_of(booking, business),
    )


def _look_up(record: Record) -> FindJob:
    head = record.lane.head
    customer = record.customer
    return FindJob(
        booking_id=record.booking_id,
        customer_id=None if customer is None else customer.customer_id,
        created_on_or_after=None if head is None else head.taken_at - CLOCKS_APART,
    )


def resolved(record: Record, answer: CustomerResolved, facts: Facts) -> Decision:
    """The customer is known: the job can be made."""
    if not _is_waited_for(record, answer):
        return unchanged(record)
    customer = Customer(
        digest=answer.digest,
        customer_id=answer.customer_id,
        location_id=answer.location_id,
        name=answer.name,
    )
    return go_on_creating(replace(record.with_lane(fresh=False), customer=customer), facts)


def unresolved(record: Record, answer: CustomerFailed, facts: Facts) -> Decision:
    """The customer could not be found or made this time: that is the creation's own attempt."""
    head = record.lane.head
    if head is None or not _is_waited_for(record, answer):
        return unchanged(record)
    outcome = answer.outcome
    # What is unsure is the customer, and its own lane looks after that: no job was sent.
    unsettled = record.lane.unsettled
    record = counted(record, facts, outcome).with_lane(unsettled=unsettled)
    return _again(record, head, outcome, facts, None)


def _is_waited_for(record: Record, answer: CustomerResolved | CustomerFailed) -> bool:
    lane = record.lane
    waiting = lane.phase is Phase.WAITING and lane.waits is Waits.CUSTOMER
    return waiting and lane.turn == answer.turn and answer.digest == customer_digest(record.booked)


def _again(record: Record, head: Head, outcome: Unhappy, facts: Facts, given: Answered | None) -> Decision:
    """Where an attempt leads that did not make the job: another one, a last look, or the hold."""

    def told(decision: str, means: Means | None = None) -> Record:
        if given is not None:
            return answer_noted(record, facts, head, given, decision, means=means)
        text = outcome_text(outcome)
        return noted(record, facts, head, asked="Customer", outcome=text, decision=decision, means=means)

    if isinstance(outcome, Busy):
        return saved(wait(told("wait, no attempt spent"), facts, Waits.RETRY, facts.policy.retry_delays[0]))
    delay = None if isinstance(outcome, Refused) else retry_delay(record, facts)
    if delay is not None:
        return saved(wait(told(f"retry in {delay} s"), facts, Waits.RETRY, delay))
    if record.lane.unsettled is not None and isinstance(given and given.ask, CreateJob):
        return saved(wait_settled(told("look it up before giving up"), facts))
    problem = trouble(record, facts, outcome)
    return hold(told(f"held: {problem.reason}", Means.GAVE_UP), facts, head, problem)


def created(record: Record, head: Head, given: Answered, facts: Facts) -> Decision:
    """What an attempt to make the job came to."""
    outcome = given.outcome
    if isinstance(outcome, Accepted):
        if not isinstance(outcome.value, JobSeen):
            raise TypeError("a creation is answered with its job")
        told = answer_noted(record, facts, head, given, f"job {outcome.value.job_id} made")
        return _adopt(told, head, outcome.value, facts.not_ahead(outcome.at), facts)
    if isinstance(outcome, Refused):
        # The upstream judged this very order: nothing of it can be running.
        record = record.with_lane(unsettled=None)
    return _again(counted(record, facts, outcome), head, outcome, facts, given)


def found(record: Record, head: Head, given: Answered, facts: Facts) -> Decision:
    """What a look-up came to: found is believed at once, nothing only after the settle time."""
    outcome = given.outcome
    if not isinstance(outcome, Accepted):
        if not is_settled(record, facts):
            text = "it may still be under way: look again, no attempt spent"
            return saved(wait_settled(answer_noted(record, facts, head, given, text), facts))
        return _again(counted(record, facts, outcome), head, outcome, facts, given)
    jobs = outcome.value if isinstance(outcome.value, tuple) else ()
    if jobs:
        chosen = next((job for job in jobs if job.status != "Canceled"), jobs[0])
        if len(jobs) > 1:
            record = record.with_lane(recheck=True)
        text = f"job {chosen.job_id} was there" + (f", of {len(jobs)}" if len(jobs) > 1 else "")
        told = answer_noted(record, facts, head, given, text)
        return _adopt(told, head, chosen, facts.not_ahead(outcome.at), facts, made_from=_made_from(record))
    if not is_settled(record, facts):
        text = "nothing yet, but it may still be under way: look again"
        return saved(wait_settled(answer_noted(record, facts, head, given, text), facts))
    return _not_there(record, head, given, facts)


def _made_from(record: Record) -> Booking | None:
    """The booking as the job that was found was ordered; None when it was not repaired since."""
    return None if record.ordered == record.repairs else record.replaced or record.original


def _not_there(record: Record, head: Head, given: Answered, facts: Facts) -> Decision:
    """It was looked up, it is not there, and nothing can be under way any more."""
    recheck = record.lane.recheck or of_another(record, facts)
    record = record.with_lane(unsettled=None, recheck=recheck)
    closing = record.lane.closing
    if closing is not None:
        return close_for(answer_noted(record, facts, head, given, "not there: closed"), closing, facts)
    last = record.lane.last
    if record.lane.attempts > len(facts.policy.retry_delays) and last is not None:
        text = f"not there; held: {last.reason}"
        record = answer_noted(record, facts, head, given, text, means=Means.GAVE_UP)
        return hold(record, facts, head, replace(last, at=facts.now))
    return _create(answer_noted(record, facts, head, given, "not there: make it"), facts)


def close_for(record: Record, closing: Closing, facts: Facts) -> Decision:
    """Close the booking, for the cancellation or the operator that wants it."""
    if not closing.discarded:
        return close(replace(record, problem=None), facts, closing, Progress.WORKED)
    head = record.lane.head
    detail = f"{closing.by}: {closing.why}"
    problem = Trouble(
        reason=Reason.DISCARDED, detail=detail, attempts=record.lane.attempts, http_status=None, at=facts.now
    )
    seen = record.seen if head is None else mark(record.seen, head.digest, Reason.DISCARDED)
    return close(replace(record, problem=problem, seen=seen), facts, closing, Reason.DISCARDED)


def _adopt(
    record: Record,
    head: Head,
    job: JobSeen,
    at: datetime,
    facts: Facts,
    *,
    made_from: Booking | None = None,
) -> Decision:
    """The booking has its job. `made_from` is given when a repair came since, and may not be in the job."""
    status = FROM_UPSTREAM.get(job.status, Status.SCHEDULED)
    running = _after_the_creation(record, facts)
    record = replace(
        record.with_lane(
            unsettled=running,
            recheck=record.lane.recheck or of_another(record, facts),
        ),
        state=State.ENDED if status in ENDED else State.ACTIVE,
        problem=None,
        ordered=None,
        replaced=None,
        job=_job(job, status, made_from or record.booked, at, facts),
    )
    record = announced(record, "job.created", facts, head)
    closing = record.lane.closing
    if closing is not None and closing.discarded:
        text = f"not discarded: job {job.job_id} is there"
        record = noted(record, facts, closing.head, asked="discard", outcome="refused", decision=text)
        record, closing = _worked(record, closing.head).with_lane(closing=None), None
    if made_from is not None:
        record = _late(record, made_from, head, facts)
    if closing is None:
        return finish(record, facts, head) if made_from is None else _repair(record, head, facts)
    if status is Status.CANCELLED:
        record = announced(record, "job.cancelled", facts, closing.head)
    record = _worked(record, head).with_lane(
        attempts=0, first_failed=None, last=None, waits=None, unsettled=None
    )
    decision = work(record, closing.head, Cancelled(reason=closing.why), replace(facts, intent=None))
    # What may be running is this very cancellation: it may come twice, but nothing right after it.
    after = decision.record or record
    return replace(decision, record=after.with_lane(unsettled=running))


def _job(seen: JobSeen, status: Status, booking: Booking, at: datetime, facts: Facts) -> Job:
    business = facts.policy.business
    problem = business.problem_of(booking.problem_type)
    slot = visit_of(booking, business)
    made, changed = facts.not_ahead(seen.created_on), facts.not_ahead(seen.modified_on)
    return Job(
        id=seen.job_id,
        number=seen.job_number,
        customer_id=seen.customer_id,
        location_id=seen.location_id,
        appointment_id=seen.appointment_id,
        business_unit=business.unit_of(booking.problem_type, booking.zip),
        priority=problem.priority,
        description=description(problem, booking),
        status=status,
        status_at=max(at, changed),
        scheduled_date=booking.scheduled_date,
        time_slot=booking.time_slot,
        start=slot.start,
        end=slot.end,
        window_start=slot.window_start,
        window_end=slot.window_end,
        visit_at=made,
        minutes=problem.minutes,
        created_at=made,
        updated_at=at,
        reported=FROM_UPSTREAM.get(seen.status),
        reported_at=changed,
    )


def _late(record: Record, was: Booking, head: Head, facts: Facts) -> Record:
    stays = _what_stays(was, record.booked)
    text = "it is as before the repair" + (f"; its {stays} cannot be changed from here" if stays else "")
    return noted(record, facts, head, asked="repair", outcome="late", decision=text)


def _repair(record: Record, head: Head, facts: Facts) -> Decision:
    """A job that was there before the repair is moved to the repaired time; the rest of it stays."""
    booking = record.booked
    wanted = Rescheduled(scheduled_date=booking.scheduled_date, time_slot=booking.time_slot)
    data = {"scheduledDate": wanted.scheduled_date, "timeSlot": wanted.time_slot}
    head = replace(head, type="booking.rescheduled", data=orjson.dumps(data).decode())
    record = record.with_lane(attempts=0, first_failed=None, last=None, waits=None)
    return work(record, head, wanted, replace(facts, intent=None))


def _what_stays(was: Booking, booking: Booking) -> str:
    """What a repair changed and no call can change, in words."""
    changed = {
        "customer and address": customer_digest(was) != customer_digest(booking),
        "problem, doors and instructions": _visit_for(was) != _visit_for(booking),
    }
    return ", ".join(words for words, is_so in changed.items() if is_so)


def _visit_for(booking: Booking) -> tuple[object, ...]:
    return booking.problem_type, booking.door_count, booking.special_instructions


def _after_the_creation(record: Record, facts: Facts) -> Unsettled | None:
    """What may still be running although the creation is found: a change that a dead process had sent."""
    unsettled = record.lane.unsettled
    if unsettled is None or not unsettled.what or is_settled(record, facts):
        return None
    return unsettled


def _worked(record: Record, head: Head) -> Record:
    return replace(record, seen=mark(record.seen, head.digest, Progress.WORKED))
