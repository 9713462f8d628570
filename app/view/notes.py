"""What operators' notes on `booking-signals` say beside their text: who looked, and what was closed.

A note is on a group of dead letters, by its reason. Events that were turned away are nothing that a lane
could act on, so closing them is a note on their group: the note says which, every worker's view leaves them
out from then on, and who did it and why stays on the page.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from app.booking.reasons import Reason
from app.view.schema import milliseconds

MOST_PLACES = 1000
"""How many dead letters one note names at most: it stays well below 64 KB."""
_WHOLE_GROUP = (-1, -1)
CLOSES = (
    "c.reason = d.reason AND ((c.partition = d.partition AND c.number = d.number) "
    "OR (c.partition = -1 AND c.number = -1 AND d.at <= c.until))"
)
"""Whether the closing `c` is one of the dead letter `d`."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a dead letter stands on its topic; `3-17` in words."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"


def place(text: str) -> Place | None:
    """The place that a text such as `3-17` names."""
    partition, dash, offset = text.partition("-")
    digits = partition + offset
    if not dash or not partition or not offset or not (digits.isascii() and digits.isdecimal()):
        return None
    return Place(int(partition), int(offset)) if len(digits) < 18 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Dead letters that no lane has are closed: the named ones.

    Notes of before they were always named have None: all of their reason up to `until`.
    """

    reason: Reason
    until: datetime
    places: tuple[Place, ...] | None
    total: int

    def data(self) -> dict[str, object]:
        """As a note carries it."""
        return {
            "closes": {
                "until": self.until.isoformat(),
                "letters": None if self.places is None else [str(one) for one in self.places],
                "total": self.total,
            }
        }


@dataclass(frozen=True, slots=True)
class Reveal:
    """The personal data of the note's subject was shown."""

    def data(self) -> dict[str, object]:
        """As a note carries it."""
        return {"reveals": True}


Said: TypeAlias = Closing | Reveal


def read(note: Mapping[str, Any]) -> Said | None:
    """What the data of a note says; None when it is only a text, or about a plan."""
    data = note.get("data")
    if not isinstance(data, dict):
        return None
    if data.get("reveals") is True:
        return Reveal()
    closes = data.get("closes")
    if not isinstance(closes, dict):
        return None
    try:
        named = closes["letters"]
        places = None if named is None else tuple(one for one in map(place, named) if one is not None)
        return Closing(
            reason=Reason(note["reason"]),
            until=datetime.fromisoformat(closes["until"]).astimezone(UTC),
            places=places,
            total=int(closes["total"]),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def keep(writer: sqlite3.Connection, closing: Closing, *, by: str, why: str, at: int) -> None:
    """Have the view leave out what was closed; `at` in epoch milliseconds. Order does not matter."""
    until = milliseconds(closing.until)
    places = [_WHOLE_GROUP] if closing.places is None else [(p.partition, p.offset) for p in closing.places]
    writer.executemany(
        "INSERT INTO closings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (reason, partition, number) DO UPDATE "
        "SET until = excluded.until, by = excluded.by, why = excluded.why, at = excluded.at "
        "WHERE excluded.until >= closings.until",
        [(closing.reason.value, *one, until, by, why, at) for one in places],
    )
    if closing.places is None:
        writer.execute("DELETE FROM turned_away WHERE reason = ? AND at <= ?", (closing.reason.value, until))
        return
    writer.executemany(
        "DELETE FROM turned_away WHERE partition = ? AND number = ? AND reason = ?",
        [(*one, closing.reason.value) for one in places],
    )
