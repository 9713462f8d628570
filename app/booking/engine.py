"""The engine: what a booking's lane does with what it is given. A pure function, without clock or I/O.

`decide(record, given, facts)` is called with each input, and again with each answer its decision asks
for, until it rests. What must happen to the decisions, in which order, stands in `protocol`.
"""

from datetime import timedelta

from app.booking.admission import arrived, contents, turned_away
from app.booking.asks import Cancel, CreateJob, FindJob
from app.booking.changes import answered as change_answered
from app.booking.changes import work
from app.booking.creation import created, found, go_on_creating, is_creating
from app.booking.events import Cancelled, Change, Rescheduled, StatusChanged
from app.booking.inputs import (
    Answered,
    Arrived,
    Expire,
    Facts,
    Fired,
    Given,
    Overdue,
    Recheck,
    Restate,
    Resumed,
    Signal,
    Taken,
)
from app.booking.lane import (
    CUSTOMER_PATIENCE,
    Decision,
    Take,
    back_from_timer,
    go_on,
    missing,
    remembering,
    restated,
    saved,
    unchanged,
)
from app.booking.recheck import extra_cancelled, look_again, look_later, looked_again
from app.booking.record import (
    Drop,
    Head,
    Phase,
    Record,
    RequestCustomer,
    SendTimer,
    State,
    Waits,
    queued,
)
from app.booking.signals import signalled, worked_again


def decide(record: Record | None, given: Given, facts: Facts) -> Decision:
    """What this input does to the record, and what is to be done next."""
    if record is not None and not isinstance(given, (Answered, Taken)):
        record = remembering(record, facts)
    if isinstance(given, Arrived):
        return arrived(record, given.event, facts)
    if isinstance(given, Signal):
        return signalled(record, given, facts)
    if record is None:
        return unchanged(record)
    match given:
        case Fired():
            return _fired(record, given, facts)
        case Overdue():
            return _overdue(record, given, facts)
        case Resumed():
            return _resumed(record)
        case Restate() | Recheck():
            return _mended(record, given, facts)
        case Expire():
            return _expire(record, facts)
        case Taken():
            return _taken(record, given, facts)
        case Answered():
            return _answered(record, given, facts)


def _fired(record: Record, fired: Fired, facts: Facts) -> Decision:
    lane = record.lane
    if fired.turn != lane.turn:
        return unchanged(record)
    if lane.phase is Phase.IDLE and lane.recheck:
        return look_again(record, facts)
    if lane.phase is not Phase.WAITING or lane.head is None:
        return unchanged(record)
    record = back_from_timer(record)
    if is_creating(record):
        return go_on_creating(record, facts)
    return work(record, lane.head, _change(lane.head, record), facts)


def _overdue(record: Record, overdue: Overdue, facts: Facts) -> Decision:
    """What the lane waits for is sent again, in case it was lost. The turn stays: both may come."""
    lane = record.lane
    if lane.phase is Phase.WORKING:
        return _resumed(record)
    if overdue.turn != lane.turn or lane.due is None or facts.now < lane.due:
        return unchanged(record)
    if lane.waits is Waits.CUSTOMER:
        due = facts.now + CUSTOMER_PATIENCE
        asked = RequestCustomer(turn=lane.turn, fresh=lane.fresh)
        return saved(record.with_lane(due=due).owing(asked))
    delay = facts.policy.retry_delays[0]
    due = facts.now + timedelta(seconds=delay)
    timer = SendTimer(turn=lane.turn, delay=delay, attempt=lane.attempts, due=due)
    return saved(record.with_lane(due=due).owing(timer))


def _mended(record: Record, given: Restate | Recheck, facts: Facts) -> Decision:
    return saved(restated(record)) if isinstance(given, Restate) else look_later(record, facts)


def _resumed(record: Record) -> Decision:
    if record.lane.phase is not Phase.WORKING:
        return unchanged(record)
    return Decision(record=record, then=Take(queued(record.lane.first)))


def _taken(record: Record, taken: Taken, facts: Facts) -> Decision:
    """The next event from behind, or a dead-lettered one that an operator wants worked again."""
    if taken.action is not None:
        return worked_again(record, taken, taken.action, facts)
    record = record.with_lane(first=record.lane.first + 1).owing(Drop(slots=(taken.slot,)))
    if taken.head is None:
        return go_on(record.noted(missing(taken.slot, facts)), facts)
    data = contents(taken.head, record.booking_id)
    if isinstance(data, (Rescheduled, StatusChanged, Cancelled)):
        return work(record, taken.head, data, facts)
    return turned_away(record, taken.head, data, facts, from_lane=True)


def _answered(record: Record, given: Answered, facts: Facts) -> Decision:
    head = record.lane.head
    match given.ask:
        case FindJob():
            return looked_again(record, given, facts) if head is None else found(record, head, given, facts)
        case CreateJob() if head is not None:
            return created(record, head, given, facts)
        case Cancel() if head is None:
            return extra_cancelled(record, given, facts)
        case _ if head is not None:
            return change_answered(record, head, _change(head, record), given, facts)
        case _:
            return unchanged(record)


def _change(head: Head, record: Record) -> Change:
    data = contents(head, record.booking_id)
    if not isinstance(data, (Rescheduled, StatusChanged, Cancelled)):
        raise TypeError(f"the head of a lane that has its job is a change, not {type(data).__name__}")
    return data


def _expire(record: Record, facts: Facts) -> Decision:
    """A booking that ended or was closed long enough ago leaves, with its rows."""
    kept = timedelta(days=facts.policy.keep_ended_days)
    over = record.state in {State.ENDED, State.CLOSED} and record.lane.phase is Phase.IDLE
    if not over or record.lane.recheck or facts.now - record.changed_at < kept:
        return unchanged(record)
    return Decision(record=record, remove=True)
