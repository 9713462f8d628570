"""Breadth first through every world a scenario can lead to: what is found first has a shortest trace."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.model.lane import ViolationError
from tests.model.scenario import Scenario, check_quiet, is_quiet, steps

if TYPE_CHECKING:
    from tests.model.lane import Rules
    from tests.model.world import World


@dataclass(frozen=True, slots=True)
class Explored:
    """How much was seen, and that it all was seen."""

    states: int
    steps: int
    quiet: int
    complete: bool


class _Seen:
    def __init__(self, start: World) -> None:
        self.number = {start: 0}
        self.came_from: list[tuple[int, str]] = [(-1, "begins")]
        self.leads_to: list[list[int]] = [[]]

    def add(self, world: World, before: int, name: str) -> bool:
        """Whether it is new."""
        number = self.number.get(world)
        new = number is None
        if number is None:
            number = self.number[world] = len(self.came_from)
            self.came_from.append((before, name))
            self.leads_to.append([])
        self.leads_to[number].append(before)
        return new

    def trace(self, number: int) -> list[str]:
        names: list[str] = []
        while number >= 0:
            number, name = self.came_from[number]
            names.append(name)
        return names[::-1]


def explore(scenario: Scenario, rules: Rules, *, most: int = 1_000_000) -> Explored:
    """See every world of the scenario, up to a number of states. Raises ViolationError with its trace."""
    start = scenario.begins()
    seen = _Seen(start)
    todo = deque([start])
    quiet: list[int] = []
    taken = 0
    while todo and len(seen.number) < most:
        world = todo.popleft()
        number = seen.number[world]
        try:
            if is_quiet(scenario, world):
                quiet.append(number)
                check_quiet(scenario, world)
            for step in steps(scenario, world, rules):
                taken += 1
                if seen.add(step.world, number, step.name):
                    todo.append(step.world)
        except ViolationError as violation:
            trace = " > ".join(seen.trace(number))
            raise ViolationError(f"{scenario.name}: {violation}\nafter {trace}") from violation
    complete = not todo
    if complete:
        _check_all_come_to_rest(scenario, seen, quiet)
    return Explored(states=len(seen.number), steps=taken, quiet=len(quiet), complete=complete)


def _check_all_come_to_rest(scenario: Scenario, seen: _Seen, quiet: list[int]) -> None:
    """From everywhere there is a way to a quiet end: no lane goes round for ever."""
    good = set(quiet)
    todo = list(quiet)
    while todo:
        for before in seen.leads_to[todo.pop()]:
            if before >= 0 and before not in good:
                good.add(before)
                todo.append(before)
    lost = next((number for number in range(len(seen.came_from)) if number not in good), None)
    if lost is not None:
        trace = " > ".join(seen.trace(lost))
        raise ViolationError(f"{scenario.name}: it never comes to rest\nafter {trace}")
