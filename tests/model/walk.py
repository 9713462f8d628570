"""Random walks through long stories: too large to be seen whole, so every write is held against the events.

A walk goes one of the model's steps after another, whichever chance gives, to a quiet end. There each event
that was worked must have had its effect, in the order of the events, and nothing else may have happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from app.booking.identity import Progress, look_up
from app.booking.reasons import Reason
from app.booking.record import Phase
from tests.model.lane import Rules, ViolationError
from tests.model.scenario import Scenario, Step, check_quiet, is_quiet, steps
from tests.model.scenarios import DISCARD, REPAIR, REPAIRED_DAY, RETRY
from tests.support.bookings import cancelled, created, rescheduled, status_changed

if TYPE_CHECKING:
    from random import Random

    from app.booking.events import BookingEvent
    from app.booking.record import Record
    from tests.model.world import Effect, World

LONGEST = 400
MAY_FOLLOW = {
    "scheduled": ("moved", "moved", "cancelled", "dispatched", "in_progress", "completed", "scheduled"),
    "dispatched": ("moved", "scheduled", "cancelled", "in_progress", "completed"),
    "in_progress": ("cancelled", "completed"),
    "cancelled": ("scheduled", "scheduled", "moved", "cancelled"),
    "completed": ("moved",),
}
"""What a story goes on with at a status, also the same. What is not legal there is dead-lettered."""

Told: TypeAlias = tuple["BookingEvent", "Effect"]
"""An event, and what it is to do."""


def story(random: Random, length: int) -> list[Told]:
    """A creation and what follows it, each visit on a day of its own."""
    told: list[Told] = [(created(0), ("created", ""))]
    status = "scheduled"
    for offset in range(1, length):
        kind = random.choice(MAY_FOLLOW[status])
        day = f"2026-03-{10 + offset:02}"
        match kind:
            case "moved":
                told.append((rescheduled(offset, scheduledDate=f"{day}T00:00:00Z"), (kind, day)))
                continue
            case "cancelled" if random.random() < 0.5:
                event = cancelled(offset)
            case _:
                event = status_changed(kind, offset)
        told.append((event, (kind, "")))
        status = kind
    return told


def _after_an_invalid_one(random: Random, told: list[Told]) -> tuple[BookingEvent, ...]:
    """The creation comes after an invalid one that it mends, and perhaps after the first change to it."""
    events = [event for event, _ in told]
    if told[1][1][0] != "cancelled" and random.random() < 0.5:
        events[:2] = events[1::-1]
    return created(len(events), zip="8500"), *events


def walk(random: Random, rules: Rules) -> int:
    """Walk through one story; gives how many steps it took. Raises ViolationError with its trace."""
    told = story(random, random.randint(3, 8))
    begins_invalid = random.random() < 0.2
    acts = (
        ((), (), (RETRY,)) if begins_invalid else ((), (), (RETRY,), (DISCARD,), (REPAIR,), (REPAIR, RETRY))
    )
    scenario = Scenario(
        name="a walk",
        events=_after_an_invalid_one(random, told) if begins_invalid else tuple(event for event, _ in told),
        actions=random.choice(acts),
        crashes=random.randint(0, 2),
        faults=random.randint(0, 5),
        repeats=1,
        zombies=random.randint(0, 1),
    )
    world = scenario.begins()._replace(done=())
    trace: list[str] = []
    try:
        while not is_quiet(scenario, world):
            name, world = _chosen(random, list(steps(scenario, world, rules)))
            trace.append(name)
            _check_goes_on(trace)
        check_quiet(scenario, world)
        _check_effects(scenario, told, world)
    except ViolationError as violation:
        kinds = [" ".join(effect) for _, effect in told]
        raise ViolationError(f"{kinds}: {violation}\ndone {world.done}\nafter {trace}") from violation
    return len(trace)


def _chosen(random: Random, ways: list[Step]) -> tuple[str, World]:
    """What happens next, then one of the ways in which it can: the same for the same seed.

    The ways come out of sets, whose order is another in each process.
    """
    name = random.choice(sorted({way.name for way in ways}))
    return name, random.choice(sorted((way.world for way in ways if way.name == name), key=_in_words))


def _in_words(world: World) -> str:
    return repr([sorted(part) if isinstance(part, frozenset) else part for part in world])


def _check_goes_on(trace: list[str]) -> None:
    if len(trace) > LONGEST:
        raise ViolationError("it does not come to rest")


def _check_effects(scenario: Scenario, told: list[Told], world: World) -> None:
    row = world.row
    if row is None or world.done is None:
        raise ViolationError("there is no row")
    done = [one for n, one in enumerate(world.done) if n == 0 or one != world.done[n - 1]]
    repaired = ("moved", REPAIRED_DAY)
    if scenario.actions and (repaired in done[2:] or any(offset > 0 for _, offset in world.letters)):
        # An operator has a change worked again, after those that came behind it.
        return
    if done[1:2] == [repaired]:
        # A repair came after the creation it repairs: the job follows it.
        del done[1]
    matched = _in_order(told, done)
    became = [_became(row, event) for event, _ in told]
    if row.lane.phase is Phase.HELD or any(_may_be_done(one) for one in became):
        # What was given up may have been done or not, and what follows was judged without it.
        return
    first = next((n for n, (_, effect) in enumerate(told) if effect[0] == "cancelled"), 0)
    for n, (event, effect) in enumerate(told):
        if became[n] is Progress.WORKED and n not in matched and n > first and not _is_so_already(told, n):
            raise ViolationError(f"{event.identity.id} was worked, and {effect} never happened")
        # The move of a late repair stands under the creation's name.
        moved_late = n == 0 and REPAIR in scenario.actions
        if isinstance(became[n], Reason) and n in matched and not moved_late:
            raise ViolationError(f"{event.identity.id} was turned away, and {effect} happened")


def _is_so_already(told: list[Told], n: int) -> bool:
    """Whether an event asks for the status that the last one before it asked for."""
    before = [effect for _, effect in told[:n] if effect[0] != "moved"]
    return told[n][1] == (before[-1] if len(before) > 1 else ("scheduled", ""))


def _in_order(told: list[Told], done: list[Effect]) -> set[int]:
    """The events whose effects were done. What no event after the last one asked for must not happen."""
    matched: set[int] = set()
    at = -1
    for effect in done:
        place = next((n for n in range(max(at, 0), len(told)) if told[n][1] == effect), None)
        if place is None:
            raise ViolationError(f"{effect} was done, and was not to be by then")
        matched.add(place)
        at = place
    return matched


def _became(row: Record, event: BookingEvent) -> Progress | Reason | None:
    return look_up(row.seen, event.identity.digest())


def _may_be_done(became: Progress | Reason | None) -> bool:
    return isinstance(became, Reason) and became is not Reason.ILLEGAL_TRANSITION
