"""The order of effects (design section 5): what must be durable before what, for one input of one lane.

`handle` is a generator: it yields effects and is sent what they came to. It does no I/O itself, so that the
exhaustive model in `tests/model` and the workers run the very same order. An input is acknowledged when
the generator ends, and not before.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from app.booking.asks import Ask, FindJob
from app.booking.doubt import doubt_of
from app.booking.engine import decide
from app.booking.inputs import Facts, Given, Intent, Resumed, Taken
from app.booking.lane import Decision, Perform, Rest, Take
from app.booking.record import Announce, Head, Owed, Phase, Record, SendDeadLetter


@dataclass(frozen=True, slots=True)
class Look:
    """What time is it, and what of this record may still be running? Answered with Facts."""

    record: Record | None


@dataclass(frozen=True, slots=True)
class Save:
    """Write the row, stamped with generation and sequence; `along` may be sent at the same time.

    Answered with the record as it was stamped, once the broker has it all.
    """

    record: Record
    along: tuple[Announce, ...]


@dataclass(frozen=True, slots=True)
class Publish:
    """Send what the row owes, or dead letters of no row; answered once the broker has all."""

    record: Record | None
    owed: tuple[Owed, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    """Write rows of the table `behind`; answered once the broker has them."""

    rows: tuple[tuple[str, Head], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Read a row of the table `behind`. Answered with its head, or None."""

    slot: str


@dataclass(frozen=True, slots=True)
class Intend:
    """Write the intent; answered once the broker has it."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Call:
    """Ask ServiceTitan. Answered with Answered.

    `again` says that this ask may have been sent before; `live` is False for what an operator redrives;
    `cause` is the id of the event it is for.
    """

    ask: Ask
    again: bool
    live: bool
    cause: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Remove:
    """The booking leaves: tombstones for its rows and for its announcement."""

    record: Record


Effect: TypeAlias = Look | Save | Publish | Keep | Read | Intend | Call | Remove
# What an effect is answered with depends on the effect; see each class.
Effects: TypeAlias = Generator[Effect, Any, Record | None]


def handle(record: Record | None, given: Given, intent: Intent | None, *, first_touch: bool) -> Effects:
    """Work one input. Gives the record as it stands afterwards, or None when there is none.

    `record` and `intent` are the durable ones. `first_touch` says that this worker touches the row for
    the first time since it got the partition: then the row is made durable again and what it owes is sent
    again, since the local store may be ahead of the changelog and the last worker may have ended between.
    """
    if record is not None and not first_touch:
        # This worker has sent it all before.
        record = replace(record, owes=())
    elif record is not None and (record.owes or record.lane.phase is Phase.WORKING):
        record = yield from _saved(record)
        if record.lane.phase is Phase.WORKING:
            record = yield from _drive(record, Resumed(), intent)
    return (yield from _drive(record, given, intent))


def _drive(record: Record | None, given: Given, intent: Intent | None) -> Effects:
    settle_left = 0.0
    while True:
        facts: Facts = yield Look(record)
        # What was running when a look-up was sent may have landed after it was answered.
        facts = replace(facts, intent=intent, settle_left=max(facts.settle_left, settle_left))
        settle_left = 0.0
        decision = decide(record, given, facts)
        record = yield from _effects(decision)
        if record is None or isinstance(decision.then, Rest):
            return record
        match decision.then:
            case Take(slot=slot, action=action):
                head: Head | None = yield Read(slot)
                given = Taken(slot=slot, head=head, action=action)
            case Perform(ask=ask):
                if isinstance(ask, FindJob):
                    settle_left = facts.settle_left
                else:
                    yield Intend(intent_for(record, ask, facts))
                given = yield _call(record, ask, intent)


def _effects(decision: Decision) -> Generator[Effect, Any, Record | None]:
    """What was decided is made durable, in this order. Gives the record as it is from now on."""
    record = decision.record
    if decision.remove and record is not None:
        yield Remove(record)
        return None
    if decision.keep:
        yield Keep(decision.keep)
    if decision.save and record is not None:
        record = yield from _saved(record)
    if decision.apart:
        yield Publish(None, decision.apart)
    return record


def _saved(record: Record) -> Generator[Effect, Any, Record]:
    """The row first; dead letters, timers, requests and what follows from them strictly after it."""
    along = tuple(owed for owed in record.owes if isinstance(owed, Announce) and owed.type.startswith("job."))
    after = tuple(owed for owed in record.owes if owed not in along)
    stamped: Record = yield Save(record, along)
    if after:
        yield Publish(stamped, after)
    stamped = replace(stamped, owes=())
    if any(isinstance(owed, SendDeadLetter) for owed in after):
        # Whatever is owed is sent again when the next worker touches the row: of all else that changes
        # nothing, but a dead letter would tell of one more failure. Of the rest the next write tells.
        stamped = yield Save(stamped, ())
    return stamped


def intent_for(record: Record, ask: Ask, facts: Facts) -> Intent:
    """The intent of a write about to be sent at this turn, for this head."""
    turn, head = record.lane.turn, record.lane.head
    if head is None:
        return Intent(turn=turn, what="recheck", at=facts.now)
    return Intent(turn=turn, what=head.digest, at=facts.now, doubt=doubt_of(ask), ordered=record.ordered)


def _call(record: Record, ask: Ask, intent: Intent | None) -> Call:
    lane = record.lane
    head = lane.head
    current = intent is not None and intent.turn == lane.turn
    redriven = head is not None and head.redriven
    return Call(
        ask,
        again=current or redriven or lane.may_be_done,
        live=head is None or head.plan is None,
        cause=head.event_id if head else record.caused_by,
        trace_id=head.trace_id if head else None,
    )


def needs_settling(record: Record | None, intent: Intent | None) -> bool:
    """Whether a write of this booking may still be running upstream, so that its settle time counts."""
    if record is None:
        return False
    unsettled = record.lane.unsettled
    current = intent is not None and intent.turn == record.lane.turn
    return current or record.lane.recheck or (unsettled is not None and not unsettled.answered)
