"""The one gap of the protocol: a process that slept between its last check and its socket made a second job.

After the settle time the booking's jobs are looked up once more, and one that is not ours is cancelled.
"""

from app.booking.asks import Cancel, FindJob
from app.booking.creation import CLOCKS_APART
from app.booking.inputs import Answered, Facts
from app.booking.lane import Decision, Perform, Unhappy, outcome_text, owing_recheck, saved
from app.booking.outcomes import Accepted, Busy, Refused
from app.booking.record import Entry, Means, Phase, Record


def look_later(record: Record, facts: Facts) -> Decision:
    """Look for a second job when the lane rests, once the write that another worker sent has settled."""
    record = record.with_lane(recheck=True).noted(
        Entry(
            at=facts.now,
            event=record.caused_by,
            asked="CreateJob",
            outcome="sent by a worker that had lost the booking",
            decision="look for a second job",
        )
    )
    # A lane that is busy looks when it comes to rest.
    return saved(owing_recheck(record, facts) if record.lane.phase is Phase.IDLE else record)


def look_again(record: Record, facts: Facts) -> Decision:
    """Look for a second job, once one that another process may have sent must have shown."""
    if facts.settle_left > 0:
        return saved(owing_recheck(record, facts))
    return Decision(record=record, then=Perform(_look_up(record)))


def looked_again(record: Record, given: Answered, facts: Facts) -> Decision:
    """What the look for a second job came to: one that is not ours is cancelled."""
    outcome = given.outcome
    if not isinstance(outcome, Accepted):
        return _recheck_again(record, given, outcome, facts)
    ours = None if record.job is None else record.job.id
    jobs = outcome.value if isinstance(outcome.value, tuple) else ()
    extra = next((job for job in jobs if job.job_id != ours and job.status != "Canceled"), None)
    if extra is None:
        record = record.with_lane(recheck=False, attempts=0, due=None, turn=record.lane.turn + 1)
        return saved(told_of_recheck(record, facts, given, "no second job"))
    text = f"second job: {extra.job_id} is cancelled"
    record = told_of_recheck(record, facts, given, text, means=Means.SECOND_JOB)
    memo = f"Made twice for booking {record.booking_id}; the other job stays"
    return Decision(record=record, then=Perform(Cancel(job_id=extra.job_id, memo=memo)))


def extra_cancelled(record: Record, given: Answered, facts: Facts) -> Decision:
    """What cancelling a second job came to; then it is looked whether there is a third."""
    if not isinstance(given.outcome, Accepted):
        return _recheck_again(record, given, given.outcome, facts)
    record = told_of_recheck(record, facts, given, "second job cancelled")
    return Decision(record=record, then=Perform(_look_up(record)))


def _look_up(record: Record) -> FindJob:
    job = record.job
    known = job or record.customer
    return FindJob(
        booking_id=record.booking_id,
        customer_id=None if known is None else known.customer_id,
        created_on_or_after=None if job is None else job.created_at - CLOCKS_APART,
    )


def _recheck_again(record: Record, given: Answered, outcome: Unhappy, facts: Facts) -> Decision:
    attempts = record.lane.attempts + (0 if isinstance(outcome, Busy) else 1)
    record = record.with_lane(attempts=attempts, turn=record.lane.turn + 1)
    if attempts <= len(facts.policy.retry_delays) and not isinstance(outcome, Refused):
        return saved(owing_recheck(told_of_recheck(record, facts, given, "look again"), facts))
    record = record.with_lane(recheck=False, attempts=0, due=None)
    text = "second job: could not be ruled out, look by hand"
    return saved(told_of_recheck(record, facts, given, text, means=Means.SECOND_JOB))


def told_of_recheck(
    record: Record, facts: Facts, given: Answered, decision: str, *, means: Means | None = None
) -> Record:
    """The same with a line about the look for a second job, which no event caused."""
    return record.noted(
        Entry(
            at=facts.now,
            event=record.caused_by,
            asked=type(given.ask).__name__,
            outcome=outcome_text(given.outcome),
            decision=decision,
            http_status=given.outcome.http_status,
            duration_ms=given.duration_ms,
            came=type(given.outcome).__name__,
            means=means,
        )
    )
