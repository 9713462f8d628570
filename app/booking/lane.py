"""How a lane moves: it waits, holds, goes on, closes. Every move is a new turn, which voids old timers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from app.booking.asks import Ask
from app.booking.events import LONGEST_DETAIL
from app.booking.identity import Progress, mark, mark_before
from app.booking.inputs import Action, Answered, Facts
from app.booking.outcomes import Accepted, Busy, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import (
    FAILED_KEPT,
    Announce,
    Closing,
    Drop,
    Entry,
    FailedEvent,
    Head,
    Means,
    Phase,
    Record,
    RequestCustomer,
    SendDeadLetter,
    SendTimer,
    State,
    Trouble,
    Unsettled,
    Waits,
    put_aside,
    queued,
)

CUSTOMER_PATIENCE = timedelta(minutes=5)
"""How long a customer's answer may take before it is asked for again (design section 5, point 4)."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing more to do for this input: it may be acknowledged."""


@dataclass(frozen=True, slots=True)
class Perform:
    """Ask ServiceTitan; the answer is the next input."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Take:
    """Read this row of the table `behind`; its event, with the action it is for, is the next input."""

    slot: str
    action: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the engine decided: the record from now on, whether it must be saved, and what comes next.

    `keep` are rows of `behind` to be durable before the record is; `apart` are dead letters of no row;
    `remove` says that the booking leaves.
    """

    record: Record | None
    then: Rest | Perform | Take = Rest()
    save: bool = False
    keep: tuple[tuple[str, Head], ...] = ()
    apart: tuple[SendDeadLetter, ...] = ()
    remove: bool = False


Unhappy: TypeAlias = Busy | Failed | Unsure | Refused
AnnounceType = Literal[
    "job.created", "job.updated", "job.cancelled", "booking.held", "booking.closed", "event.dead_lettered"
]


def on_record(decision: Decision, facts: Facts) -> Decision:
    """The same, its record written before ServiceTitan is asked.

    It is for what changes whatever the lane was about to do: were it not on record, the worker that goes on
    after a death would take what was done for somebody else's doing. The timer brings the lane back then.
    """
    record = decision.record
    if decision.save or record is None or not isinstance(decision.then, Perform):
        return decision
    waiting = wait(record, facts, Waits.RETRY, min(facts.policy.retry_delays))
    return replace(decision, record=waiting, save=True)


def unchanged(record: Record | None) -> Decision:
    """Nothing happens, and nothing is written."""
    return Decision(record=record)


def saved(record: Record) -> Decision:
    """The record is written, and the lane rests."""
    return Decision(record=record, save=True)


def noted(
    record: Record,
    facts: Facts,
    head: Head,
    *,
    asked: str,
    outcome: str,
    decision: str,
    answered: Answered | None = None,
    came: Accepted[object] | Unhappy | None = None,
    means: Means | None = None,
) -> Record:
    """The same with one line in its timeline about this event, which may be about an outcome that `came`."""
    return record.noted(
        Entry(
            at=facts.now,
            event=head.event_id,
            asked=asked,
            outcome=outcome,
            decision=decision,
            http_status=None if answered is None else answered.outcome.http_status,
            duration_ms=None if answered is None else answered.duration_ms,
            trace_id=head.trace_id,
            plan=head.plan,
            came=None if came is None else type(came).__name__,
            means=means,
        )
    )


def given_up(record: Record, facts: Facts, head: Head, *, outcome: str, decision: str) -> Record:
    """The same with one line for an event that failed for good, and for which nothing was asked."""
    return noted(record, facts, head, asked="-", outcome=outcome, decision=decision, means=Means.GAVE_UP)


def answer_noted(
    record: Record,
    facts: Facts,
    head: Head,
    answered: Answered,
    decision: str,
    *,
    means: Means | None = None,
) -> Record:
    """The same with one line for an attempt: what was asked, what it came to, what was decided."""
    return noted(
        record,
        facts,
        head,
        asked=type(answered.ask).__name__,
        outcome=outcome_text(answered.outcome),
        decision=decision,
        answered=answered,
        came=answered.outcome,
        means=means,
    )


def outcome_text(outcome: Accepted[object] | Unhappy) -> str:
    """An outcome in one line for people."""
    match outcome:
        case Accepted():
            return "Accepted"
        case Refused():
            return f"Refused ({outcome.reason}): {outcome.detail}"[:300]
        case Busy() | Failed() | Unsure():
            return f"{type(outcome).__name__}: {outcome.detail}"[:300]


def announced(record: Record, kind: AnnounceType, facts: Facts, head: Head) -> Record:
    """The same, changed by this event now, and owing an announcement of it."""
    # Turned away again, an event is another cause, and a lane that goes on with its head has the same turn.
    number = record.lane.next_failed if kind == "event.dead_lettered" else record.lane.turn
    name = f"servicetitan-stream/{record.booking_id}/{kind}/{head.digest}/{number}"
    owed = Announce(
        type=kind, id=str(uuid5(NAMESPACE_URL, name)), caused_by=head.event_id, trace_id=head.trace_id
    )
    return replace(record.owing(owed), changed_at=facts.now, caused_by=head.event_id)


def missing(slot: str, facts: Facts) -> Entry:
    """A row that the record counts on is not there: said loudly, since only a lost changelog explains it."""
    return Entry(
        at=facts.now,
        event=slot,
        asked="-",
        outcome="row missing",
        decision="skipped: its row was lost",
        means=Means.ROW_MISSING,
    )


def restated(record: Record) -> Record:
    """The same, owing an announcement of what it is, under an id of its own."""
    kind: AnnounceType
    match record.state:
        case State.PENDING:
            return record
        case State.HELD:
            kind = "booking.held"
        case State.CLOSED:
            kind = "booking.closed"
        case State.ACTIVE | State.ENDED:
            kind = "job.updated"
    name = f"servicetitan-stream/{record.booking_id}/restated/{record.sequence}"
    return record.owing(Announce(type=kind, id=str(uuid5(NAMESPACE_URL, name)), caused_by=record.caused_by))


def wait(record: Record, facts: Facts, waits: Waits, seconds: int) -> Record:
    """The lane waits with its head, and owes the timer that brings it back."""
    due = facts.now + timedelta(seconds=seconds)
    turn = record.lane.turn + 1
    timer = SendTimer(turn=turn, delay=seconds, attempt=record.lane.attempts, due=due)
    return record.with_lane(phase=Phase.WAITING, waits=waits, turn=turn, due=due).owing(timer)


def wait_for_customer(record: Record, facts: Facts) -> Record:
    """The lane waits for its customer, and owes the request."""
    turn = record.lane.turn + 1
    due = facts.now + CUSTOMER_PATIENCE
    waiting = record.with_lane(phase=Phase.WAITING, waits=Waits.CUSTOMER, turn=turn, due=due)
    return waiting.owing(RequestCustomer(turn=turn, fresh=record.lane.fresh))


def wait_settled(record: Record, facts: Facts) -> Record:
    """The lane looks again once its unsettled write cannot be running any more, as far as timers reach."""
    return wait(record, facts, Waits.SETTLE, settle_delay(facts))


def settle_delay(facts: Facts) -> int:
    """The shortest retry delay that covers what is left of the settle time, else the longest."""
    delays = sorted(facts.policy.retry_delays)
    return next((delay for delay in delays if delay >= facts.settle_left), delays[-1])


def is_settled(record: Record, facts: Facts) -> bool:
    """Whether no write of this lane can still be running upstream (design section 4, rule 2).

    An answered 5xx is settled once the lane has come back from its timer; a write without an answer when
    the settle time is over.
    """
    unsettled = record.lane.unsettled
    if unsettled is None:
        return True
    return unsettled.over if unsettled.answered else facts.settle_left <= 0


def remembering(record: Record, facts: Facts) -> Record:
    """The same, remembering what was sent, perhaps, by a process that ended before it wrote its row.

    It comes before anything that moves the lane to another turn, of which the intent would be void.
    """
    intent = facts.intent
    if intent is None or intent.turn != record.lane.turn:
        return record
    what, ordered = intent.what, record.ordered
    if intent.ordered is not None:
        # The creation itself, which may be found: what follows it under the same name is not found with it.
        what, ordered = "", intent.ordered
    record = replace(record, ordered=ordered, doubt=record.doubt.joined(intent.doubt))
    return record.with_lane(unsettled=Unsettled(answered=False, what=what), may_be_done=True)


def back_from_timer(record: Record) -> Record:
    """The same, its delay over: an answered write cannot be running any more."""
    unsettled = record.lane.unsettled
    if unsettled is None or not unsettled.answered:
        return record
    return record.with_lane(unsettled=replace(unsettled, over=True))


def settling(record: Record, facts: Facts) -> Record:
    """The same, forgetting a write that cannot be running any more."""
    return record.with_lane(unsettled=None) if is_settled(record, facts) else record


def sent_before(record: Record, head: Head, facts: Facts) -> bool:
    """Whether what may be running is this very event, so that sending it again undoes nothing."""
    if facts.intent is not None and facts.intent.turn == record.lane.turn:
        return facts.intent.what == head.digest
    return record.lane.attempts > 0 and record.lane.waits is Waits.RETRY


def retry_delay(record: Record, facts: Facts) -> int | None:
    """Seconds until the next attempt, or None when all are used up. Call it with the attempt counted."""
    used = record.lane.attempts
    return facts.policy.retry_delays[used - 1] if used <= len(facts.policy.retry_delays) else None


def counted(record: Record, facts: Facts, outcome: Unhappy) -> Record:
    """The same with this attempt counted, and a write that may still be running remembered."""
    if isinstance(outcome, Busy):
        return record
    lane = record.lane
    unsettled = lane.unsettled
    if isinstance(outcome, Unsure):
        earlier = unsettled is None or unsettled.answered
        what = "" if unsettled is None else unsettled.what
        unsettled = Unsettled(answered=earlier and outcome.http_status is not None, what=what)
    record = record.with_lane(
        attempts=lane.attempts + 1,
        first_failed=lane.first_failed or facts.now,
        unsettled=unsettled,
        may_be_done=lane.may_be_done or isinstance(outcome, Unsure),
    )
    return record.with_lane(last=trouble(record, facts, outcome))


def trouble(record: Record, facts: Facts, outcome: Unhappy) -> Trouble:
    """What an outcome that ends all attempts is called: its own reason, or that attempts are used up."""
    reason = outcome.reason if isinstance(outcome, Refused) else Reason.RETRIES_USED_UP
    return Trouble(
        reason=reason,
        detail=outcome.detail[:LONGEST_DETAIL],
        attempts=record.lane.attempts,
        http_status=outcome.http_status,
        at=facts.now,
    )


def hold(record: Record, facts: Facts, head: Head, problem: Trouble) -> Decision:
    """The creation failed for good: the lane waits for an operator, and what stands behind it waits too."""
    held = replace(
        record.with_lane(phase=Phase.HELD, waits=None, due=None, turn=record.lane.turn + 1),
        state=State.HELD,
        problem=problem,
        seen=mark(record.seen, head.digest, problem.reason),
    ).owing(_dead_letter(head, problem, record.lane.first_failed))
    return saved(announced(held, "booking.held", facts, head))


def turn_away(record: Record, facts: Facts, head: Head, problem: Trouble, *, from_lane: bool) -> Decision:
    """The event is dead-lettered and changes nothing; its bytes are kept for an operator.

    `from_lane` says that it was the lane's head, so that the lane goes on with the next one.
    """
    slot = put_aside(record.lane.next_failed)
    failed = FailedEvent(
        slot=slot, event_id=head.event_id, digest=head.digest, type=head.type, trouble=problem
    )
    kept = (*record.failed, failed)
    record = replace(
        record.with_lane(next_failed=record.lane.next_failed + 1),
        failed=kept[-FAILED_KEPT:],
        # While a creation is held, what became of it is what there is to know of the booking.
        problem=record.problem if record.state is State.HELD else problem,
        seen=mark(record.seen, head.digest, problem.reason),
    ).owing(_dead_letter(head, problem, record.lane.first_failed if from_lane else None))
    forgotten = tuple(old.slot for old in kept[:-FAILED_KEPT])
    if forgotten:
        record = record.owing(Drop(slots=forgotten))
    record = announced(record, "event.dead_lettered", facts, head)
    decision = go_on(record, facts) if from_lane else saved(record)
    return replace(decision, keep=((slot, head),))


def finish(record: Record, facts: Facts, head: Head) -> Decision:
    """The head was worked; the lane goes on, without what the head overtook."""
    record = without_overtaken(record, facts)
    return go_on(replace(record, seen=mark(record.seen, head.digest, Progress.WORKED)), facts)


def without_overtaken(record: Record, facts: Facts) -> Record:
    """The same without what a cancellation at the head overtakes."""
    closing = record.lane.closing
    return record if closing is None else overtaken(record, facts, closing, Progress.WORKED)


def go_on(record: Record, facts: Facts) -> Decision:
    """The lane has no head any more: it takes the next one, or rests idle."""
    lane = replace(
        record.lane,
        phase=Phase.IDLE,
        turn=record.lane.turn + 1,
        head=None,
        attempts=0,
        first_failed=None,
        last=None,
        waits=None,
        due=None,
        may_be_done=False,
        closing=None,
    )
    if lane.behind:
        working = replace(record, lane=replace(lane, phase=Phase.WORKING))
        return Decision(record=working, save=True, then=Take(queued(lane.first)))
    record = replace(record, lane=lane)
    return saved(owing_recheck(record, facts) if lane.recheck else record)


def owing_recheck(record: Record, facts: Facts) -> Record:
    """An idle lane that must look for a second job owes the timer for it."""
    seconds = settle_delay(facts)
    due = facts.now + timedelta(seconds=seconds)
    timer = SendTimer(turn=record.lane.turn, delay=seconds, attempt=0, due=due)
    return record.with_lane(due=due).owing(timer)


def close(record: Record, facts: Facts, closing: Closing, became: Progress | Reason) -> Decision:
    """No job was or will be made; what came before the closing `became` this, and the lane goes on."""
    by = closing.head
    record = overtaken(record, facts, closing, became)
    record = replace(record, state=State.CLOSED, seen=mark(record.seen, by.digest, Progress.WORKED))
    return go_on(announced(record, "booking.closed", facts, by), facts)


def overtaken(record: Record, facts: Facts, closing: Closing, became: Progress | Reason) -> Record:
    """The same, without what stood behind when the closing came: in the timeline, no dead letters.

    What came after it stays, to be judged by what is so then.
    """
    record = replace(record, seen=mark_before(record.seen, closing.head.digest, became))
    slots = tuple(queued(number) for number in range(record.lane.first, closing.upto))
    if not slots:
        return record
    record = record.with_lane(first=closing.upto).owing(Drop(slots=slots))
    decision = f"{len(slots)} behind it overtaken"
    return noted(record, facts, closing.head, asked="-", outcome="-", decision=decision)


def _dead_letter(head: Head, problem: Trouble, first_failed: datetime | None) -> SendDeadLetter:
    return SendDeadLetter(
        raw=head.raw, trouble=problem, first_failed=first_failed or problem.at, trace_id=head.trace_id
    )
