"""Workers with one fault built in each: a model that lets one of them pass proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.booking.asks import FindJob
from app.booking.inputs import Answered
from app.booking.outcomes import Accepted
from app.booking.protocol import Call, Effect, Intend, Keep, Publish, Save, handle
from tests.model.lane import Rules
from tests.support.bookings import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.booking.inputs import Given, Intent
    from app.booking.record import Record
    from tests.model.paths import Effects, Handler


def _changed(change: Callable[[Effects], Effects]) -> Handler:
    def handler(record: Record | None, given: Given, intent: Intent | None, *, first_touch: bool) -> Effects:
        return change(handle(record, given, intent, first_touch=first_touch))

    return handler


def _put_off(first: type[Effect], until: type[Effect]) -> Handler:
    """Effects of one kind wait until the next one of another has been carried out."""

    def change(effects: Effects) -> Effects:
        waiting: list[Effect] = []
        answer: Any = None
        while True:
            try:
                effect = effects.send(answer)
            except StopIteration as ended:
                for late in waiting:
                    yield late
                record: Record | None = ended.value
                return record
            if isinstance(effect, first):
                waiting.append(effect)
                answer = effect.record if isinstance(effect, Save) else None
                continue
            answer = yield effect
            if isinstance(effect, until):
                for late in waiting:
                    yield late
                waiting = []

    return _changed(change)


def _answered_with(kind: type[Effect], answer: Callable[[Any], object]) -> Handler:
    """Effects of one kind are not carried out at all."""

    def change(effects: Effects) -> Effects:
        given: Any = None
        while True:
            try:
                effect = effects.send(given)
            except StopIteration as ended:
                record: Record | None = ended.value
                return record
            skipped = answer(effect) if isinstance(effect, kind) else None
            given = (yield effect) if skipped is None else skipped

    return _changed(change)


def _nothing_found(call: Call) -> Answered | None:
    if not isinstance(call.ask, FindJob):
        return None
    return Answered(ask=call.ask, outcome=Accepted(value=(), at=NOW), duration_ms=0)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A faulty worker, and the scenario that shows its fault."""

    rules: Rules
    shown_by: str = "created, cancelled"


MUTANTS: dict[str, Mutant] = {
    "acknowledged before it is worked": Mutant(Rules(acknowledges_first=True)),
    "the intent after the call": Mutant(Rules(handler=_put_off(Intend, Call))),
    "no look-up": Mutant(Rules(handler=_answered_with(Call, _nothing_found))),
    "nothing found is believed at once": Mutant(Rules(settles=False)),
    "no first touch": Mutant(Rules(first_touch=False)),
    "what is owed before the row": Mutant(Rules(handler=_put_off(Save, Publish))),
    "the row before what stands behind": Mutant(Rules(handler=_put_off(Keep, Save))),
    "a new worker takes the last one's work for its own": Mutant(Rules(me_for_ever=True), "a sleeper wakes"),
}
