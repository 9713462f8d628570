"""What happens around the worker: which events and operator's acts there are, and what may go wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.booking.events import Booking, Cancelled, Rescheduled, StatusChanged
from app.booking.identity import Progress, look_up
from app.booking.inputs import (
    Action,
    Arrived,
    CustomerFailed,
    CustomerResolved,
    Fired,
    Given,
    Overdue,
)
from app.booking.outcomes import Failed, Refused
from app.booking.protocol import needs_settling
from app.booking.reasons import Reason
from app.booking.record import Phase, Record, State
from app.booking.status import ENDED, FROM_UPSTREAM, MAY_BE_RESCHEDULED, MAY_BECOME, Status
from tests.model.lane import Rules, ViolationError, die, landings, settled, view_of, work
from tests.model.world import World, canonical
from tests.support.bookings import SIGNALS, signal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from app.booking.events import BookingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A booking's script, and how many misfortunes of each kind may befall it.

    `crashes` are deaths of the worker; `faults` are calls that are not simply accepted; `repeats` are
    answers and requests that come twice; `zombies` are workers that sleep through their own death.
    """

    name: str
    events: tuple[BookingEvent, ...]
    actions: tuple[Action, ...] = ()
    crashes: int = 0
    faults: int = 0
    repeats: int = 0
    zombies: int = 0

    def begins(self) -> World:
        return World(crashes=self.crashes, faults=self.faults, repeats=self.repeats, zombies=self.zombies)


@dataclass(frozen=True, slots=True)
class Step:
    """One way on from a world, with its name for a trace."""

    name: str
    world: World


def steps(scenario: Scenario, world: World, rules: Rules) -> Iterator[Step]:
    """Every way on from here: the worker's and the surroundings'."""
    for name, given, after in _inputs(scenario, world):
        try:
            ways = [
                way
                for begun in _before(given, world)
                for way in _worked(scenario, given, begun, after, rules)
            ]
        except ViolationError as violation:
            raise ViolationError(f"{violation}\nat {name}") from violation
        for dies, reached in dict.fromkeys(ways):
            yield Step(f"{name}, and dies" if dies else name, reached)
    for name, after in _surroundings(scenario, world, rules):
        yield Step(name, canonical(after))


def _worked(
    scenario: Scenario, given: Given, world: World, after: World, rules: Rules
) -> Iterator[tuple[bool, World]]:
    needed = needs_settling(world.row, world.intent)
    fired = world.timers - after.timers
    begun = world._replace(timers=after.timers, repeats=after.repeats)
    if rules.acknowledges_first:
        begun = begun._replace(events_next=after.events_next, signals_next=after.signals_next)
    worked = work(begun, given, rules)
    for done in worked.done:
        needs = needs_settling(done.row, done.intent)
        acknowledged = done._replace(
            events_next=after.events_next,
            signals_next=after.signals_next,
            settling=needs and (done.settling or not needed),
        )
        _check_jobs(scenario, acknowledged)
        for reached in react(scenario, acknowledged):
            yield False, canonical(reached)
    for died in worked.died:
        _check_jobs(scenario, died)
        again = died if rules.acknowledges_first else died._replace(timers=died.timers | fired)
        for reached in react(scenario, again):
            yield True, canonical(reached)


def _before(given: Given, world: World) -> list[World]:
    """A timer of the lane's turn comes after the delay that settles an answered write."""
    if not isinstance(given, Fired) or not any(late.answered for late in world.late):
        return [world]
    return [
        after._replace(
            late=tuple(late for late in after.late if not late.answered or late.turn >= given.turn),
        )
        for after in landings(world)
    ]


def _inputs(scenario: Scenario, world: World) -> Iterator[tuple[str, Given, World]]:
    if world.events_next < len(scenario.events):
        event = scenario.events[world.events_next]
        after = world._replace(events_next=world.events_next + 1)
        yield f"event {event.identity.id}", Arrived(event=event), after
    if world.signals_next < len(world.signals):
        found = world.signals[world.signals_next]
        after = world._replace(signals_next=world.signals_next + 1)
        yield f"signal {type(found.says).__name__}", found, after
    for turn in world.timers:
        yield f"timer {turn}", Fired(turn=turn), world._replace(timers=world.timers - {turn})
    row = world.row
    if row is None or not world.repeats:
        return
    if not world.touched:
        yield "a stale timer", Fired(turn=row.lane.turn - 1), world
    if row.lane.phase is Phase.WAITING:
        yield "the scan", Overdue(turn=row.lane.turn), world._replace(repeats=world.repeats - 1)


def _surroundings(scenario: Scenario, world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.late and not any(True for _ in _inputs(scenario, world)):
        for after in settled(world):
            yield "the settle time ends", after
    for dead in die(world, rules):
        yield "dies at rest", dead


def react(scenario: Scenario, world: World) -> Iterator[World]:
    """What the surroundings do at once: a customer is looked for, an operator acts.

    When the lane takes their signals in is another matter: that can be any time later.
    """
    row = world.row
    waits_for_operator = row is not None and (row.lane.phase is Phase.HELD or bool(row.failed))
    if world.actions_sent < len(scenario.actions) and waits_for_operator:
        sent = _signalled(world, scenario.actions[world.actions_sent])
        yield from react(scenario, sent._replace(actions_sent=world.actions_sent + 1))
        return
    if not world.requests:
        yield world
        return
    turn, digest = min(world.requests)
    answered = world._replace(requests=world.requests - {(turn, digest)})
    resolved = CustomerResolved(turn=turn, digest=digest, customer_id=7, location_id=8)
    yield from react(scenario, _signalled(answered, resolved))
    if world.repeats:
        twice = _signalled(_signalled(answered._replace(repeats=world.repeats - 1), resolved), resolved)
        yield from react(scenario, twice)
    if world.faults:
        unlucky = answered._replace(faults=world.faults - 1)
        failed = CustomerFailed(turn=turn, digest=digest, outcome=Failed(detail="away"))
        yield from react(scenario, _signalled(unlucky, failed))
        refusal = Refused(reason=Reason.PHONE_REFUSED, detail="no")
        yield from react(scenario, _signalled(unlucky, replace(failed, outcome=refusal)))


def _signalled(world: World, says: Action | CustomerResolved | CustomerFailed) -> World:
    """Signals keep their offsets: what a row took in stays taken in."""
    offset = world.signals[-1].raw.offset + 1 if world.signals else _highest(world.row) + 1
    return world._replace(signals=(*world.signals, signal(says, offset)))


def _highest(row: Record | None) -> int:
    return -1 if row is None else row.highest(SIGNALS)


def _check_jobs(scenario: Scenario, world: World) -> None:
    if world.live_jobs() > 1 and not scenario.zombies:
        raise ViolationError("the booking has two live jobs")


def is_quiet(scenario: Scenario, world: World) -> bool:
    """Whether nothing more comes by itself; a death may still come, and change nothing of it."""
    return (
        world.events_next == len(scenario.events)
        and world.signals_next == len(world.signals)
        and not world.timers
        and not world.late
    )


def check_quiet(scenario: Scenario, world: World) -> None:
    """What must hold when nothing more comes."""
    row = world.row
    if row is None:
        raise ViolationError("the booking was dropped")
    lane = row.lane
    if lane.phase not in {Phase.IDLE, Phase.HELD}:
        raise ViolationError(f"the lane is stuck: {lane.phase}, waiting for {lane.waits}")
    if lane.phase is Phase.IDLE and lane.recheck:
        raise ViolationError("a second job is to be looked for, and nothing will")
    if (lane.phase is Phase.HELD) is not (row.state is State.HELD):
        raise ViolationError(f"{row.state} does not fit a lane that is {lane.phase}")
    if world.live_jobs() > 1:
        raise ViolationError("the booking has two live jobs")
    _check_events(scenario, world, row)
    _check_last(scenario, world, row)
    _check_told(world, row)
    _check_upstream(scenario, world, row)
    _check_legal(scenario, row)


def _check_events(scenario: Scenario, world: World, row: Record) -> None:
    held = row.lane.phase is Phase.HELD
    for event in scenario.events:
        became = look_up(row.seen, event.identity.digest())
        name = event.identity.id
        if became is None or (became is Progress.ON_ITS_WAY and not held):
            raise ViolationError(f"{name} was dropped: {became}")
        lettered = (event.raw.topic, event.raw.offset) in world.letters
        if isinstance(became, Reason) and became is not Reason.DISCARDED and not lettered:
            raise ViolationError(f"{name} is {became} without a dead letter")
        if became is Progress.ON_ITS_WAY and lane_lost(world, row):
            raise ViolationError(f"{name} waits behind, and its row is lost")
    slots = {slot for slot, _ in world.behind}
    wanted = {f"q{number}" for number in range(row.lane.first, row.lane.next)}
    wanted |= {failed.slot for failed in row.failed}
    if not wanted <= slots:
        raise ViolationError(f"rows of behind are lost: {wanted - slots}")


def _check_last(scenario: Scenario, world: World, row: Record) -> None:
    """Nothing but an operator overtakes the last event: when it was worked, what it asked for is so."""
    last = scenario.events[-1]
    if scenario.actions or look_up(row.seen, last.identity.digest()) is not Progress.WORKED:
        return
    status = None if row.job is None else row.job.status
    there = next((FROM_UPSTREAM[up.status] for up in world.jobs if row.job and up.id == row.job.id), None)
    match last.data:
        case Cancelled() | StatusChanged(status=Status.CANCELLED):
            so = row.state is State.CLOSED or status is there is Status.CANCELLED
        case StatusChanged(status=wanted):
            # A note that was given up moves no job, except in the model's words.
            so = status is wanted and (there is wanted or not {there, wanted} & ENDED)
        case Booking():
            so = row.job is not None or row.state is State.HELD
        case Rescheduled(scheduled_date=date):
            so = row.job is not None and row.job.scheduled_date == date
        case _:
            so = True
    if not so:
        said = f"the booking is {row.state}, its job {status}, and {there} in ServiceTitan"
        raise ViolationError(f"{last.identity.id} was worked, and {said}")


def lane_lost(world: World, row: Record) -> bool:
    slots = {slot for slot, _ in world.behind}
    return any(f"q{number}" not in slots for number in range(row.lane.first, row.lane.next))


def _check_told(world: World, row: Record) -> None:
    if world.told is None:
        raise ViolationError("nothing was announced")
    if world.told.view != view_of(row):
        raise ViolationError(f"announced {world.told.view}, and it is {view_of(row)}")
    if world.told.ahead:
        raise ViolationError("what was announced is ahead of the row")
    wanted = {"booking.held"} if row.state is State.HELD else set()
    if row.state is State.CLOSED:
        wanted = {"booking.closed"}
    if row.job is not None:
        wanted = {"job.created"} | ({"job.cancelled"} if row.job.status is Status.CANCELLED else set())
    if not wanted <= world.told.kinds:
        raise ViolationError(f"{wanted - world.told.kinds} was never announced")


def _check_legal(scenario: Scenario, row: Record) -> None:
    """Nobody but these events changes the job: what is legal after those before it is not turned away.

    What was given up, or was turned away rightly, had no effect.
    """
    if (
        scenario.actions
        or row.state is State.CLOSED
        or _gave_up(scenario, row, besides={Reason.ILLEGAL_TRANSITION})
    ):
        return
    status = Status.SCHEDULED
    for event in scenario.events:
        wanted = status
        match event.data:
            case StatusChanged(status=wanted):
                legal = wanted is status or wanted in MAY_BECOME[status]
            case Cancelled():
                wanted = Status.CANCELLED
                legal = wanted is status or wanted in MAY_BECOME[status]
            case Rescheduled():
                legal = status in MAY_BE_RESCHEDULED
            case _:
                continue
        turned_away = look_up(row.seen, event.identity.digest()) is Reason.ILLEGAL_TRANSITION
        if legal and turned_away:
            raise ViolationError(
                f"{event.identity.id} was turned away, and is legal of a job that is {status}"
            )
        status = wanted if legal else status


def _gave_up(scenario: Scenario, row: Record, besides: Collection[Reason] = ()) -> bool:
    became = {look_up(row.seen, event.identity.digest()) for event in scenario.events}
    became |= {failed.trouble.reason for failed in row.failed}
    return any(isinstance(one, Reason) for one in became - {Reason.INVALID, Reason.BOOKING_EXISTS, *besides})


def _check_upstream(scenario: Scenario, world: World, row: Record) -> None:
    live = [job for job in world.jobs if job.live]
    job = row.job
    if job is None:
        if live and row.state is not State.HELD:
            raise ViolationError(f"the booking is {row.state}, and there is a job")
        return
    ended = job.status in ENDED
    if ended is not (row.state is State.ENDED):
        raise ViolationError(f"the booking is {row.state}, and its job {job.status}")
    there = next((up for up in world.jobs if up.id == job.id), None)
    if there is None:
        raise ViolationError("the record has a job that is not there")
    if row.lane.unsettled is not None or _gave_up(scenario, row):
        # What was given up after an unsure answer may have been done; the report of it will tell.
        return
    if FROM_UPSTREAM[there.status] is not job.status:
        raise ViolationError(f"the job is {there.status}, and the record says {job.status}")
    if there.start != job.start:
        raise ViolationError("the visit is at another time than the record says")
