"""A write that got no answer may still be running, even when the desk's next try of it was accepted."""

from dataclasses import replace

from app.booking.asks import Note, Reschedule
from app.booking.engine import decide
from app.booking.inputs import Answered, Arrived, Facts, Fired
from app.booking.lane import Decision, Perform, Rest
from app.booking.outcomes import Accepted, Unsure
from app.booking.protocol import Call, Look, handle
from app.booking.record import Phase, Record, State, Waits
from tests.support.bookings import NOW, accepted, created, facts, job_seen, rescheduled, status_changed


def with_job() -> Record:
    """A booking that has its job, its lane idle."""
    from app.booking.creation import _adopt

    first = decide(None, Arrived(event=created(0)), facts()).record
    assert first is not None
    head = first.lane.head
    assert head is not None
    record = _adopt(first, head, job_seen(), NOW, facts()).record
    assert record is not None
    assert (record.state, record.lane.phase) == (State.ACTIVE, Phase.IDLE)
    return replace(record, owes=())


def asked(decision: Decision) -> object:
    assert isinstance(decision.then, Perform)
    return decision.then.ask


def answer(decision: Decision, outcome: Accepted[None] | Unsure, *, unanswered: bool, now: Facts) -> Decision:
    ask = decision.then
    assert isinstance(ask, Perform)
    given = Answered(ask=ask.ask, outcome=outcome, duration_ms=1, unanswered=unanswered)
    return decide(decision.record, given, now)


def test_the_next_write_waits_until_one_without_an_answer_cannot_land_any_more() -> None:
    moving = decide(with_job(), Arrived(event=rescheduled(1)), facts())
    moved = answer(moving, accepted(None), unanswered=True, now=facts())
    assert moved.record is not None
    assert moved.record.lane.phase is Phase.IDLE
    waits = decide(moved.record, Arrived(event=rescheduled(2)), facts(settle_left=3.0))
    assert waits.record is not None
    assert waits.then == Rest()
    assert waits.record.lane.waits is Waits.SETTLE
    goes_on = decide(waits.record, Fired(turn=waits.record.lane.turn), facts(settle_left=0.0))
    assert isinstance(asked(goes_on), Reschedule)


def test_the_next_write_goes_at_once_when_each_try_was_answered() -> None:
    moving = decide(with_job(), Arrived(event=rescheduled(1)), facts())
    moved = answer(moving, accepted(None), unanswered=False, now=facts())
    assert isinstance(
        asked(decide(moved.record, Arrived(event=rescheduled(2)), facts(settle_left=3.0))), Reschedule
    )


def test_a_note_without_an_answer_is_not_written_again_while_it_may_land() -> None:
    noting = decide(with_job(), Arrived(event=status_changed("in_progress", 1)), facts())
    assert isinstance(asked(noting), Note)
    unsure = answer(noting, Unsure(detail="time-out"), unanswered=True, now=facts())
    assert unsure.record is not None
    assert unsure.record.lane.waits is Waits.RETRY
    waits = decide(unsure.record, Fired(turn=unsure.record.lane.turn), facts(settle_left=2.0))
    assert waits.record is not None
    assert (waits.then, waits.record.lane.waits) == (Rest(), Waits.SETTLE)
    goes_on = decide(waits.record, Fired(turn=waits.record.lane.turn), facts())
    assert isinstance(asked(goes_on), Note)


def test_a_note_that_waited_for_an_earlier_one_to_settle_is_looked_for_first() -> None:
    noting = decide(with_job(), Arrived(event=status_changed("in_progress", 1)), facts())
    unsure = answer(noting, Unsure(detail="time-out"), unanswered=True, now=facts())
    assert unsure.record is not None
    waits = decide(unsure.record, Fired(turn=unsure.record.lane.turn), facts(settle_left=2.0)).record
    assert waits is not None
    waits = waits.with_lane(attempts=0)
    steps = handle(waits, Fired(turn=waits.lane.turn), None, first_touch=False)
    effect = next(steps)
    while not isinstance(effect, Call):
        effect = steps.send(facts() if isinstance(effect, Look) else None)
    assert isinstance(effect.ask, Note)
    assert effect.again
