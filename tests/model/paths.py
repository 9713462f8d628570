"""The ways through `protocol.handle`, found once each.

A generator cannot be copied. So a place in it is known by what its effects were answered with, and another
way on from there is found by running a new generator up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from app.booking.protocol import Effect
from app.booking.record import Record

if TYPE_CHECKING:
    from app.booking.inputs import Given, Intent

Effects: TypeAlias = Generator[Effect, Any, Record | None]
Handler: TypeAlias = Callable[..., Effects]


@dataclass(slots=True)
class Place:
    """A place on a way: the effect that is wanted next, or the record that the input came to."""

    begin: Callable[[], Effects]
    answers: tuple[object, ...]
    effect: Effect | None
    record: Record | None
    at_rest: Effects | None
    """A generator that stands here, until one way on has taken it."""
    ways: dict[object, Place] = field(default_factory=dict)

    def on(self, answer: object) -> Place:
        """The place that this answer leads to."""
        if answer not in self.ways:
            self.ways[answer] = self._find(answer)
        return self.ways[answer]

    def _find(self, answer: object) -> Place:
        effects, self.at_rest = self.at_rest, None
        if effects is None:
            effects = self.begin()
            next(effects)
            for given in self.answers:
                effects.send(given)
        answers = (*self.answers, answer)
        try:
            effect = effects.send(answer)
        except StopIteration as ended:
            return Place(self.begin, answers, None, ended.value, None)
        return Place(self.begin, answers, effect, None, effects)


class Paths:
    """All ways that were found through one handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._begins: dict[object, Place] = {}

    def begin(self, row: Record | None, given: Given, intent: Intent | None, *, first_touch: bool) -> Place:
        """Where the handling of an input begins."""
        key = (row, given, intent, first_touch)
        if key not in self._begins:

            def begin() -> Effects:
                return self._handler(row, given, intent, first_touch=first_touch)

            effects = begin()
            self._begins[key] = Place(begin, (), next(effects), None, effects)
        return self._begins[key]
