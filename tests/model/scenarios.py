"""The scenarios that are tried, small enough to be seen whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.booking.inputs import Action
from tests.model.scenario import Scenario
from tests.support.bookings import BOOKED, cancelled, created, rescheduled, status_changed

if TYPE_CHECKING:
    from collections.abc import Iterator


class Fixed(dict[str, Any]):
    """Data that never changes, so that a world which holds it can be looked up."""

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none, since it may change
        return hash(frozenset(self.items()))


REPAIRED_DAY = "2026-03-08"
RETRY = Action(kind="retry", by="op", why="again")
REPAIR = Action(
    kind="repair",
    by="op",
    why="mended",
    data=Fixed(BOOKED | {"problemType": "other", "scheduledDate": f"{REPAIRED_DAY}T00:00:00Z"}),
)
OTHER_CUSTOMER = Action(kind="repair", by="op", why="mended", data=Fixed(BOOKED | {"firstName": "Grace"}))
DISCARD = Action(kind="discard", by="op", why="not wanted")

ANOTHER_DAY = {"scheduledDate": "2026-03-07T00:00:00Z"}
CREATED, CANCELLED = created(0), cancelled(1)
INVALID = created(0, zip="8500")
MOVED, MOVED_AGAIN = rescheduled(1), rescheduled(2, **ANOTHER_DAY)


def scenarios(*, deep: bool) -> Iterator[Scenario]:
    """All scenarios; the deep ones have more misfortunes."""
    more = 1 if deep else 0
    yield Scenario(name="created, cancelled", events=(CREATED, CANCELLED), crashes=1, faults=1 + more)
    yield Scenario(
        name="killed twice", events=(CREATED, CANCELLED) if deep else (CREATED,), crashes=2, faults=0
    )
    yield Scenario(
        name="created, rescheduled, cancelled",
        events=(CREATED, MOVED, cancelled(2)),
        crashes=1,
        faults=more,
    )
    yield Scenario(name="rescheduled twice", events=(CREATED, MOVED, MOVED_AGAIN), crashes=more, faults=2)
    yield Scenario(
        name="cancelled, and scheduled again",
        events=(CREATED, CANCELLED, status_changed("scheduled", 2)),
        crashes=more,
        faults=3,
    )
    yield Scenario(
        name="scheduled again in vain, and cancelled",
        events=(CREATED, CANCELLED, status_changed("scheduled", 2), cancelled(3)),
        crashes=more,
        faults=3,
    )
    yield Scenario(
        name="held, retried, cancelled", events=(CREATED, CANCELLED), actions=(RETRY,), crashes=more, faults=2
    )
    yield Scenario(
        name="held, repaired, moved",
        events=(CREATED, MOVED),
        actions=(REPAIR, RETRY),
        crashes=more,
        faults=1 + more,
    )
    yield Scenario(
        name="made unseen, held, repaired",
        events=(CREATED,),
        actions=(REPAIR,),
        crashes=more,
        faults=3 + more,
    )
    if deep:
        yield Scenario(
            name="created unseen, dispatched, cancelled",
            events=(CREATED, status_changed("dispatched", 1), cancelled(2)),
            crashes=1,
            faults=1,
        )
    yield Scenario(
        name="invalid, moved, valid, cancelled",
        events=(INVALID, MOVED, created(2), cancelled(3)),
        crashes=1,
        faults=more,
    )
    yield Scenario(
        name="invalid, cancelled, valid",
        events=(INVALID, CANCELLED, created(2)),
        actions=(RETRY,),
        crashes=1,
        faults=more,
        repeats=more,
    )
    yield Scenario(
        name="invalid, acted on, valid",
        events=(INVALID, created(1)),
        actions=(REPAIR, DISCARD),
        crashes=1,
        faults=more,
    )
    yield Scenario(name="another customer", events=(CREATED,), actions=(OTHER_CUSTOMER,), crashes=1, faults=1)
    yield Scenario(
        name="held, discarded, cancelled",
        events=(CREATED, CANCELLED),
        actions=(DISCARD,),
        crashes=more,
        faults=2 + more,
    )
    yield Scenario(
        name="a change retried by an operator",
        events=(CREATED, MOVED, MOVED_AGAIN),
        actions=(RETRY,),
        crashes=more,
        faults=1,
    )
    yield Scenario(
        name="everything comes twice", events=(CREATED, CANCELLED), crashes=1, faults=more, repeats=1 + more
    )
    yield Scenario(name="a sleeper wakes", events=(CREATED, CANCELLED), crashes=1, faults=more, zombies=1)
    yield Scenario(name="a sleeper wakes, moved", events=(CREATED, MOVED), crashes=1, faults=more, zombies=1)
