"""Dead letters that no lane has, and that wait until they are dealt with: `weighing` says which they are."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from app.booking.reasons import Reason
from app.view.notes import CLOSES, Place, place
from app.view.queries import dead_letter
from app.view.rows import DeadLetter
from app.view.schema import instant, milliseconds

_LETTERS = "SELECT d.* FROM turned_away t CROSS JOIN dead_letters d USING (partition, number)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """Open dead letters of one reason."""

    reason: str
    records: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Who closed a dead letter, why and when."""

    by: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a dead letter stands, for what reason and since when."""

    place: Place
    reason: str
    at: datetime


def place_of(letter: DeadLetter) -> Place:
    """Where the dead letter stands."""
    return Place(letter.partition, letter.offset)


def groups(reader: sqlite3.Connection) -> list[TurnedAway]:
    """What waits, by reason, the latest first."""
    rows = reader.execute(
        "SELECT reason, COUNT(*), MIN(at), MAX(at) FROM turned_away GROUP BY reason ORDER BY MAX(at) DESC"
    )
    return [
        TurnedAway(reason=row[0], records=row[1], first=instant(row[2]), last=instant(row[3])) for row in rows
    ]


def group(reader: sqlite3.Connection, reason: Reason) -> TurnedAway | None:
    """What waits for one reason; None when nothing does."""
    row = reader.execute(
        "SELECT COUNT(*), MIN(at), MAX(at) FROM turned_away WHERE reason = ?", (reason.value,)
    ).fetchone()
    if not row[0]:
        return None
    return TurnedAway(reason=reason.value, records=row[0], first=instant(row[1]), last=instant(row[2]))


def places(reader: sqlite3.Connection, reason: Reason, *, until: datetime) -> list[Place]:
    """Where those stand that wait for one reason, up to a time."""
    rows = reader.execute(
        "SELECT partition, number FROM turned_away WHERE reason = ? AND at <= ? ORDER BY at",
        (reason.value, milliseconds(until)),
    )
    return [Place(*row) for row in rows]


def at(reader: sqlite3.Connection, reason: Reason, places: Collection[Place]) -> list[DeadLetter]:
    """Those of these dead letters that wait for this reason."""
    asked = f"{_LETTERS} WHERE t.partition = ? AND t.number = ? AND t.reason = ?"
    rows = (reader.execute(asked, (one.partition, one.offset, reason.value)).fetchone() for one in places)
    return [dead_letter(row) for row in rows if row is not None]


def named(reader: sqlite3.Connection, name: str, *, reason: Reason | None, limit: int) -> list[DeadLetter]:
    """What waits of this booking, or the letter of this name, such as `3-17`; the latest first."""
    spot = place(name)
    where = Place(-1, -1) if spot is None else spot
    rows = reader.execute(
        f"{_LETTERS} WHERE (t.booking_id = ? OR (t.partition = ? AND t.number = ?)) "
        "AND t.reason = IFNULL(?, t.reason) ORDER BY t.at DESC LIMIT ?",
        (name, where.partition, where.offset, None if reason is None else reason.value, limit),
    )
    return [dead_letter(row) for row in rows]


def letters(
    reader: sqlite3.Connection,
    *,
    reason: Reason | None = None,
    booking_id: str | None = None,
    event_id: str | None = None,
    limit: int,
) -> list[DeadLetter]:
    """What waits, of one reason, booking or event or of all, the latest first."""
    where = {
        "t.reason": None if reason is None else reason.value,
        "t.booking_id": booking_id,
        "d.event_id": event_id,
    }
    asked = {name: value for name, value in where.items() if value is not None}
    condition = " AND ".join(f"{name} = ?" for name in asked) or "TRUE"
    rows = reader.execute(
        f"{_LETTERS} WHERE {condition} ORDER BY t.at DESC LIMIT ?", (*asked.values(), limit)
    )
    return [dead_letter(row) for row in rows]


def spots(reader: sqlite3.Connection, *, booking_id: str, event_id: str | None) -> list[Spot]:
    """Where all stand that wait of a booking, or of one event of it."""
    rows = reader.execute(
        "SELECT t.partition, t.number, t.reason, t.at FROM turned_away t "
        "CROSS JOIN dead_letters d USING (partition, number) "
        "WHERE t.booking_id = ? AND (? IS NULL OR d.event_id = ?) ORDER BY t.at",
        (booking_id, event_id, event_id),
    )
    return [Spot(Place(row[0], row[1]), row[2], instant(row[3])) for row in rows]


def closed(reader: sqlite3.Connection, letters: Collection[DeadLetter]) -> dict[Place, Closed]:
    """Who closed these dead letters; what is open is left out."""
    found = ((place_of(one), _closed(reader, one)) for one in letters)
    return {place: who for place, who in found if who is not None}


def _closed(reader: sqlite3.Connection, letter: DeadLetter) -> Closed | None:
    row = reader.execute(
        f"SELECT c.by, c.why, c.at FROM dead_letters d JOIN closings c ON {CLOSES} "  # noqa: S608 - words of our own
        "WHERE d.partition = ? AND d.number = ? ORDER BY c.at LIMIT 1",
        (letter.partition, letter.offset),
    ).fetchone()
    return None if row is None else Closed(by=row["by"], why=row["why"], at=instant(row["at"]))
