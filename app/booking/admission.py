"""What happens to a booking event when it comes: begun, ignored, queued, turned away, or closing."""

from dataclasses import replace

import orjson

from app.booking.changes import is_cancellation, why_cancelled, work
from app.booking.creation import begin, close_for, go_on_creating, is_creating, may_be_there
from app.booking.events import CREATION, Booking, BookingEvent, Data, Invalid, read, validate
from app.booking.identity import Progress, mark
from app.booking.inputs import Facts
from app.booking.lane import Decision, given_up, hold, noted, on_record, saved, turn_away, unchanged
from app.booking.reasons import Reason
from app.booking.record import Closing, Head, Phase, Record, SendDeadLetter, State, Trouble, queued
from app.booking.status import Status


def arrived(record: Record | None, event: BookingEvent, facts: Facts) -> Decision:
    """What an event does to its booking. The same event again changes nothing (design section 4, rule 7)."""
    if record is None:
        return _first(event, facts)
    raw = event.raw
    if record.has_seen(event.identity.digest(), raw.topic, raw.offset):
        return unchanged(record)
    return admit(record.took(raw.topic, raw.offset), head_of(event, facts), event.data, facts)


def _first(event: BookingEvent, facts: Facts) -> Decision:
    if event.type == CREATION:
        record = Record(booking_id=event.booking_id, booking=None, changed_at=facts.now)
        record = record.took(event.raw.topic, event.raw.offset)
        return admit(record, head_of(event, facts), event.data, facts)
    if event.data is None or isinstance(event.data, Invalid):
        problem = _unworkable(event.type, event.data, facts)
    else:
        detail = f"{event.type} for a booking never seen"
        problem = _trouble(Reason.UNKNOWN_BOOKING, detail, facts)
    letter = SendDeadLetter(raw=event.raw, trouble=problem, first_failed=facts.now, trace_id=event.trace_id)
    return Decision(record=None, apart=(letter,))


def admit(record: Record, head: Head, data: Data | Invalid | None, facts: Facts) -> Decision:
    """Judge an event that was not seen before, or that an operator wants worked again."""
    record = replace(record, seen=mark(record.seen, head.digest, Progress.ON_ITS_WAY))
    if record.is_open and isinstance(data, Booking):
        return _creation(record, data, head, facts)
    if data is None or isinstance(data, Invalid):
        if record.is_open and head.type == CREATION and record.state is not State.HELD:
            return _held(record, head, _unworkable(head.type, data, facts), facts)
        return turned_away(record, head, data, facts, from_lane=False)
    if isinstance(data, Booking):
        return _second_creation(record, data, head, facts)
    if is_cancellation(data) and is_creating(record) and not _is_closing(record):
        closing = Closing(head=head, discarded=False, why=why_cancelled(data), upto=record.lane.next)
        return _overtakes(record, closing, facts)
    if record.lane.phase is not Phase.IDLE:
        return _queued(record, head, facts, exempt=is_cancellation(data))
    # What the look for a second job spent is not this event's.
    return work(record.with_lane(attempts=0), head, data, facts)


def _is_closing(record: Record) -> bool:
    """Whether the lane is about to close; a held one has given up, and may be told again."""
    return record.lane.closing is not None and record.lane.phase is not Phase.HELD


def head_of(event: BookingEvent, facts: Facts) -> Head:
    """The event as the head of a lane."""
    return Head(
        raw=event.raw,
        event_id=event.identity.id,
        digest=event.identity.digest(),
        type=event.type,
        time=event.time,
        taken_at=facts.now,
        trace_id=event.trace_id,
    )


def contents(
    head: Head, booking_id: str, problem_types: frozenset[str] | None = None
) -> Data | Invalid | None:
    """What a head says: an operator's repair of it, else the event's own data."""
    if head.data is not None:
        return validate(head.type, orjson.loads(head.data), booking_id, problem_types)
    event = read(head.raw, problem_types)
    return event.data if isinstance(event, BookingEvent) else None


def _creation(record: Record, booking: Booking, head: Head, facts: Facts) -> Decision:
    """The first that is valid: an invalid one before it, which held the lane, is put right by it."""
    if record.state is not State.PENDING:
        record = noted(record, facts, head, asked="-", outcome="valid", decision="worked as the creation")
    return begin(replace(record, booking=booking, problem=None), head, facts)


def _held(record: Record, head: Head, problem: Trouble, facts: Facts) -> Decision:
    """An invalid creation holds its booking as a refused one does: what follows must find it."""
    record = given_up(record, facts, head, outcome="turned away", decision=f"held: {problem.reason}")
    return hold(record.with_lane(head=head), facts, head, problem)


def _second_creation(record: Record, booking: Booking, head: Head, facts: Facts) -> Decision:
    if any(known is not None and booking.same_as(known) for known in (record.booking, record.original)):
        record = replace(record, seen=mark(record.seen, head.digest, Progress.WORKED))
        return saved(
            noted(record, facts, head, asked="-", outcome="duplicate", decision="ignored: the same data")
        )
    if record.state is State.CLOSED:
        problem = _trouble(Reason.ILLEGAL_TRANSITION, "the booking is closed", facts)
    else:
        problem = _trouble(Reason.BOOKING_EXISTS, "the booking was created with other data", facts)
    return _turn_away(record, head, problem, facts)


def _overtakes(record: Record, closing: Closing, facts: Facts) -> Decision:
    """A cancellation that finds its creation not done closes both (design section 4, rule 5)."""
    record = replace(record, wants=Status.CANCELLED)
    if not may_be_there(record, facts):
        record = noted(
            record, facts, closing.head, asked="-", outcome="overtaken", decision="closed: no job was made"
        )
        return close_for(record, closing, facts)
    record = noted(
        record, facts, closing.head, asked="-", outcome="overtaking", decision="look whether the job is there"
    )
    record = record.with_lane(closing=closing, attempts=0, first_failed=None, last=None)
    return on_record(go_on_creating(replace(record, state=State.PENDING), facts), facts)


def _queued(record: Record, head: Head, facts: Facts, *, exempt: bool) -> Decision:
    lane = record.lane
    if lane.behind >= facts.policy.behind_limit and not exempt:
        problem = _trouble(Reason.LANE_FULL, f"{lane.behind} events wait before it", facts)
        return _turn_away(record, head, problem, facts)
    record = record.with_lane(next=lane.next + 1)
    return Decision(record=record, save=True, keep=((queued(lane.next), head),))


def turned_away(
    record: Record, head: Head, data: Data | Invalid | None, facts: Facts, *, from_lane: bool
) -> Decision:
    """An event whose data cannot be worked is dead-lettered."""
    return _turn_away(record, head, _unworkable(head.type, data, facts), facts, from_lane=from_lane)


def _turn_away(
    record: Record, head: Head, problem: Trouble, facts: Facts, *, from_lane: bool = False
) -> Decision:
    record = given_up(record, facts, head, outcome="turned away", decision=f"dead letter: {problem.reason}")
    return turn_away(record, facts, head, problem, from_lane=from_lane)


def _unworkable(event_type: str, data: Data | Invalid | None, facts: Facts) -> Trouble:
    if isinstance(data, Invalid):
        return _trouble(Reason.INVALID, str(data), facts)
    if data is None:
        return _trouble(Reason.UNKNOWN_TYPE, f"unknown type {event_type}", facts)
    return _trouble(Reason.BOOKING_EXISTS, "a creation cannot stand behind another", facts)


def _trouble(reason: Reason, detail: str, facts: Facts) -> Trouble:
    return Trouble(reason=reason, detail=detail, attempts=0, http_status=None, at=facts.now)
