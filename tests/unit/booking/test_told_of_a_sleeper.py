"""A worker that slept between its last check and its socket tells the owner: there may be a second job."""

from dataclasses import replace

from app.booking.admission import head_of
from app.booking.asks import Cancel, FindJob
from app.booking.creation import _adopt
from app.booking.engine import decide
from app.booking.inputs import Arrived, Fired, Recheck
from app.booking.lane import Perform, Rest
from app.booking.record import Phase, Record, SendTimer, State
from tests.support.bookings import NOW, accepted, answered, created, facts, job_seen, rescheduled


def with_job() -> Record:
    """A booking that has its job, its lane idle."""
    first = decide(None, Arrived(event=created(0)), facts()).record
    assert first is not None
    record = _adopt(first, head_of(created(0), facts()), job_seen(1001), NOW, facts()).record
    assert record is not None
    return replace(record, owes=())


def test_an_idle_lane_looks_once_the_write_has_settled_and_cancels_the_extra_job() -> None:
    told = decide(with_job(), Recheck(), facts(settle_left=3.0))
    assert told.record is not None
    assert told.then == Rest()
    assert told.save
    assert [type(owed) for owed in told.record.owes] == [SendTimer]
    assert told.record.timeline[-1].decision == "look for a second job"
    looks = decide(replace(told.record, owes=()), Fired(turn=told.record.lane.turn), facts())
    assert isinstance(looks.then, Perform)
    assert isinstance(looks.then.ask, FindJob)
    both = (job_seen(1001), job_seen(1002))
    cancels = decide(looks.record, answered(looks.then.ask, accepted(both)), facts())
    assert isinstance(cancels.then, Perform)
    assert isinstance(cancels.then.ask, Cancel)
    assert cancels.then.ask.job_id == 1002


def test_a_busy_lane_looks_when_it_comes_to_rest() -> None:
    waiting = decide(None, Arrived(event=created(0)), facts()).record
    assert waiting is not None
    assert waiting.lane.phase is Phase.WAITING
    told = decide(replace(waiting, owes=()), Recheck(), facts())
    assert told.record is not None
    assert told.save
    assert told.record.owes == ()
    assert told.record.lane.recheck
    assert (told.record.state, told.record.lane.phase) == (State.PENDING, Phase.WAITING)


def test_a_booking_that_nobody_knows_has_nothing_to_look_for() -> None:
    assert decide(None, Recheck(), facts()).record is None


def test_what_the_lane_does_next_is_not_hindered() -> None:
    told = decide(with_job(), Recheck(), facts(settle_left=3.0)).record
    assert told is not None
    moving = decide(replace(told, owes=()), Arrived(event=rescheduled(1)), facts(settle_left=3.0))
    assert isinstance(moving.then, Perform)
