"""The worker of the model: runs the real `protocol.handle` over a world, through every misfortune."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from app.booking.asks import Ask, CreateJob, FindJob
from app.booking.customers import customer_digest
from app.booking.inputs import Answered, Facts, Given, Intent, Overdue, Policy
from app.booking.outcomes import Accepted, Failed, Outcome, Refused, Unsure
from app.booking.protocol import (
    Call,
    Effect,
    Intend,
    Keep,
    Look,
    Publish,
    Read,
    Remove,
    Save,
    handle,
    needs_settling,
)
from app.booking.reasons import Reason
from app.booking.record import (
    Announce,
    Drop,
    Head,
    Owed,
    Phase,
    Record,
    RequestCustomer,
    SendDeadLetter,
    SendTimer,
)
from app.business_file import load_business
from tests.model.paths import Handler, Paths, Place
from tests.model.world import GONE, ME, Late, Row, Told, World, applied, shown
from tests.support.bookings import NOW, later

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

POLICY = Policy(business=load_business(), retry_delays=(5,), behind_limit=3)
LONG_AFTER = later(86_400)
SETTLE = 100.0


class ViolationError(AssertionError):
    """What must never happen has happened."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which worker is tried: the real one, or one with a fault built in to see that the model finds it."""

    handler: Handler = handle
    policy: Policy = POLICY
    first_touch: bool = True
    settles: bool = True
    acknowledges_first: bool = False
    me_for_ever: bool = False
    """A new worker takes what the last one began for its own."""
    paths: dict[Handler, Paths] = field(default_factory=dict)

    def begin(self, world: World, given: Given) -> Place:
        paths = self.paths.setdefault(self.handler, Paths(self.handler))
        first = self.first_touch and not world.touched
        row = world.row
        if row is not None and not first:
            # As a worker remembers it; in the table it stands with what it owed.
            row = replace(row, owes=())
        return paths.begin(row, given, world.intent, first_touch=first)


Worlds: TypeAlias = frozenset[World]


@dataclass(frozen=True, slots=True)
class Worked:
    """Where one input led: worlds in which it was worked to the end, and worlds in which the worker died."""

    done: Worlds
    died: Worlds


@dataclass(frozen=True, slots=True)
class _Input:
    given: Given
    intent: Intent | None
    rules: Rules


def work(world: World, given: Given, rules: Rules) -> Worked:
    """Every way in which one input can be worked from here."""
    done: set[World] = set()
    died: set[World] = set()
    at = _Input(given, world.intent, rules)
    todo: list[tuple[Place, Worlds]] = [(rules.begin(world, given), frozenset({world}))]
    while todo:
        place, worlds = todo.pop()
        if place.effect is None:
            for after in worlds:
                _check_rest(after, place.record)
            done |= {after._replace(touched=True) for after in worlds}
            continue
        died |= set(_deaths(place.effect, worlds, rules))
        last = place.answers[-1] if place.answers else None
        todo += [(place.on(answer), rest) for answer, rest in _answers(place.effect, worlds, at, last)]
    died |= {dead for after in done for dead in die(after, rules)}
    return Worked(frozenset(done), frozenset(died))


def _check_rest(world: World, record: Record | None) -> None:
    row = world.row
    if (row is None) is not (record is None):
        raise ViolationError("the worker and the table disagree whether there is a row")
    if row is not None and row.lane.phase is Phase.WORKING:
        raise ViolationError("acknowledged while the lane was working")


def die(world: World, rules: Rules) -> Iterator[World]:
    """The worker dies here and another one takes over; what was acknowledged last may come again."""
    if not world.crashes:
        return
    row = world.row
    begun = row is not None and row.lane.head is not None and row.lane.head.begun_by == ME
    if row is not None and row.lane.head is not None and begun and not rules.me_for_ever:
        row = row.with_lane(head=replace(row.lane.head, begun_by=GONE))
    waits = needs_settling(row, world.intent)
    dead = world._replace(row=row, crashes=world.crashes - 1, touched=False, settling=waits)
    yield dead
    if world.repeats and (world.events_next or world.signals_next):
        signals_next = max(world.signals_next - 1, 0)
        yield dead._replace(events_next=0, signals_next=signals_next, repeats=world.repeats - 1)


def _deaths(effect: Effect, worlds: Worlds, rules: Rules) -> Iterator[World]:
    """Deaths before an effect, and with only a part of it done."""
    mortal = [world for world in worlds if world.crashes]
    parts: list[World] = []
    match effect:
        case Look() | Read():
            return
        case Save(record=record, along=along) if along:
            parts = [_save(world, record) for world in mortal]
            parts += [_told(world, owed, _stamped(record)) for world in mortal for owed in along]
        case Publish(record=record, owed=owed):
            parts = [_published(world, record, part) for world in mortal for part in _parts(owed)]
        case Keep(rows=rows):
            parts = [_kept(world, rows[:end]) for world in mortal for end in range(1, len(rows))]
        case Call(ask=ask) if not isinstance(ask, FindJob):
            parts = [part for world in mortal for w in landings(world) for part in _cut_off(w, ask)]
        case _:
            pass
    for world in (*mortal, *parts):
        yield from die(world, rules)


def _cut_off(world: World, ask: Ask) -> Iterator[World]:
    """The worker dies during a call: it was done, or it is running, or a sleeping worker wakes to make it."""
    yield applied(world, ask)[0]
    yield _late(world, ask, answered=False)
    if world.zombies and isinstance(ask, CreateJob):
        yield _late(world._replace(zombies=world.zombies - 1), ask, answered=False, zombie=True)


def _late(world: World, ask: Ask, *, answered: bool, zombie: bool = False) -> World:
    turn = world.intent.turn if world.intent is not None else 0
    return world._replace(late=(*world.late, Late(ask, turn, answered, zombie)))


def _parts(owed: tuple[Owed, ...]) -> list[tuple[Owed, ...]]:
    """Any part of what is sent at once may be durable when the worker dies."""
    return [part for size in range(1, len(owed)) for part in combinations(owed, size)]


Answers: TypeAlias = list[tuple[object, Worlds]]


def _answers(effect: Effect, worlds: Worlds, at: _Input, last: object) -> Answers:
    """What an effect can be answered with, and in which worlds."""
    match effect:
        case Look(record=record):
            return _looked(worlds, record, at, last)
        case Save(record=record, along=along):
            stamped = _stamped(record)
            return [(stamped, frozenset(_saved(world, record, along) for world in worlds))]
        case Publish(record=record, owed=owed):
            return [(None, frozenset(_published(world, record, owed) for world in worlds))]
        case Keep(rows=rows):
            return [(None, frozenset(_kept(world, rows) for world in worlds))]
        case Read(slot=slot):
            return _grouped((dict(world.behind).get(slot), world) for world in worlds)
        case Intend(intent=intent):
            return [(None, frozenset(world._replace(intent=intent) for world in worlds))]
        case Call(ask=ask):
            found = (way for world in worlds for w in landings(world) for way in _outcomes(ask, w))
            return [
                (Answered(ask=ask, outcome=outcome, duration_ms=1), group)
                for outcome, group in _grouped(found)
            ]
        case Remove():
            raise ViolationError("nothing expires in this model")


def _grouped(pairs: Iterable[tuple[Any, World]]) -> list[tuple[Any, Worlds]]:
    groups: dict[object, set[World]] = {}
    for answer, world in pairs:
        groups.setdefault(answer, set()).add(world)
    return [(answer, frozenset(group)) for answer, group in groups.items()]


def _looked(worlds: Worlds, record: Record | None, at: _Input, last: object) -> Answers:
    """The clock is looked at first, and after each call: only after a look-up can the settle time be over."""
    looked_up = isinstance(last, Answered) and isinstance(last.ask, FindJob)
    running = needs_settling(record, at.intent)
    if running and (looked_up or not isinstance(last, Answered)):
        worlds |= {over for world in worlds if world.settling for over in settled(world)}
    now = LONG_AFTER if isinstance(at.given, Overdue) else NOW

    def facts(world: World) -> Facts:
        left = SETTLE if running and world.settling and at.rules.settles else 0.0
        return Facts(now=now, me=ME, settle_left=left, policy=at.rules.policy)

    return _grouped((facts(world), world) for world in worlds)


def settled(world: World) -> Iterator[World]:
    """The settle time is over: each write that was running has landed or never will. Sleepers go on."""
    for after in landings(world):
        yield after._replace(settling=False, late=tuple(late for late in after.late if late.zombie))


def landings(world: World) -> Iterator[World]:
    """The same, with any of the running writes landed just now."""
    yield world
    for late in set(world.late):
        rest = list(world.late)
        rest.remove(late)
        yield from landings(applied(world, late.ask)[0]._replace(late=tuple(rest)))


_STAMPED: dict[int, tuple[Record, Record]] = {}
"""By identity: an effect found once is met in thousands of worlds."""


def _stamped(record: Record) -> Record:
    if id(record) not in _STAMPED:
        _STAMPED[id(record)] = record, Row.of(replace(record, sequence=record.sequence + 1))
    return _STAMPED[id(record)][1]


def _saved(world: World, record: Record, along: tuple[Announce, ...]) -> World:
    world = _save(world, record)
    for owed in along:
        world = _told(world, owed, _stamped(record))
    return world


def _save(world: World, record: Record) -> World:
    told = world.told and replace(world.told, ahead=False)
    return world._replace(row=_stamped(record), told=told)


def _told(world: World, owed: Announce, record: Record) -> World:
    """Sent beside the row, an announcement may be there and the row not."""
    row = world.row
    ahead = row is None or record.sequence > row.sequence
    kinds = frozenset({owed.type}) | (world.told.kinds if world.told else frozenset())
    return world._replace(told=Told(kinds, view_of(record), ahead))


def view_of(record: Record) -> tuple[object, ...]:
    """What an announcement says, without times."""
    job = record.job and (record.job.id, record.job.status, record.job.start)
    return record.state, job, record.problem and record.problem.reason


def _published(world: World, record: Record | None, owed: tuple[Owed, ...]) -> World:
    for thing in owed:
        match thing:
            case SendTimer(turn=turn):
                world = world._replace(timers=world.timers | {turn})
            case SendDeadLetter(raw=raw):
                world = world._replace(letters=world.letters | {(raw.topic, raw.offset)})
            case Drop(slots=slots):
                world = world._replace(behind=tuple(row for row in world.behind if row[0] not in slots))
            case RequestCustomer(turn=turn) if record is not None:
                asked_for = (turn, customer_digest(record.booked))
                world = world._replace(requests=world.requests | {asked_for})
            case Announce() if record is not None:
                world = _told(world, thing, record)
            case _:
                raise ViolationError(f"{thing.kind} of no booking")
    return world


def _kept(world: World, rows: tuple[tuple[str, Head], ...]) -> World:
    kept = dict(world.behind) | dict(rows)
    return world._replace(behind=tuple(sorted(kept.items(), key=lambda row: row[0])))


def _outcomes(ask: Ask, world: World) -> Iterator[tuple[Outcome[Any], World]]:
    unlucky = world._replace(faults=world.faults - 1)
    if isinstance(ask, FindJob):
        if world.row is not None and world.row.lane.head is None:
            # A sleeper that wakes after the booking was looked at again is the one gap that stays.
            world = world._replace(late=tuple(late for late in world.late if not late.zombie))
        yield Accepted(value=tuple(shown(job) for job in world.jobs), at=NOW), world
        if world.faults:
            yield Failed(detail="no answer"), unlucky
        return
    # The clock of a creation runs from its send, whatever came of it; that of other writes when unsure.
    runs = world.settling or isinstance(ask, CreateJob)
    reached, accepted = applied(world, ask)
    jobs, done = reached.jobs, reached.done
    made = shown(jobs[-1]) if isinstance(ask, CreateJob) else None
    sent = world._replace(settling=runs)
    if accepted:
        yield Accepted(value=made, at=NOW), sent._replace(jobs=jobs, done=done)
    else:
        yield Refused(reason=Reason.REFUSED, detail="not in this status", http_status=409), sent
    if not world.faults:
        return
    of_recheck = world.intent is not None and world.intent.what == "recheck"
    if jobs != world.jobs and not of_recheck:
        # What is so already is accepted, however the upstream puts it. A second job that cannot be
        # cancelled is left to people, and an alert says so.
        yield Refused(reason=Reason.REFUSED, detail="no", http_status=400), unlucky._replace(settling=runs)
    yield Failed(detail="connection refused"), unlucky._replace(settling=runs)
    for status in (None, 503):
        unsure = Unsure(detail="lost", http_status=status)
        doubtful = unlucky._replace(settling=runs or status is None)
        yield unsure, doubtful
        yield unsure, doubtful._replace(jobs=jobs, done=done)
        yield unsure, _late(doubtful, ask, answered=status is not None)
