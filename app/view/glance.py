"""What is seen at a glance: the strip's figures, and what was turned away and has no booking."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.view.schema import instant, milliseconds

MOST_LOOKED_AT = 20_000
"""Of waiting lanes and of dead letters: enough to tell, and no more than a moment's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Lanes by what they do, when the next goes on, the earliest visit of a held one, the last failure."""

    working: int
    waiting: int
    checking: int
    next_due: datetime | None
    held: int
    held_visit: datetime | None
    attention: int
    last_failure: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """Dead letters of one reason whose booking was never made."""

    reason: str
    records: int
    first: datetime
    last: datetime


def glance(reader: sqlite3.Connection) -> Glance:
    """The figures of this moment."""
    phases = dict(reader.execute("SELECT phase, COUNT(*) FROM bookings GROUP BY phase").fetchall())
    (checking,) = reader.execute(
        "SELECT COUNT(*) FROM (SELECT row FROM bookings WHERE phase = 'waiting' LIMIT ?) "
        "WHERE json_extract(CAST(row AS TEXT), '$.lane.waits') = 'settle'",
        (MOST_LOOKED_AT,),
    ).fetchone()
    (due,) = reader.execute("SELECT MIN(due) FROM bookings WHERE due IS NOT NULL").fetchone()
    (visit,) = reader.execute("SELECT MIN(visit) FROM bookings WHERE state = 'held'").fetchone()
    (attention,) = reader.execute("SELECT COUNT(DISTINCT booking_id) FROM attention").fetchone()
    (failure,) = reader.execute("SELECT MAX(at) FROM dead_letters").fetchone()
    return Glance(
        working=phases.get("working", 0),
        waiting=phases.get("waiting", 0) - checking,
        checking=checking,
        next_due=None if due is None else instant(due),
        held=phases.get("held", 0),
        held_visit=None if visit is None else instant(visit),
        attention=attention,
        last_failure=None if failure is None else instant(failure),
    )


def turned_away(reader: sqlite3.Connection, now: datetime, *, within: timedelta) -> list[TurnedAway]:
    """What was dead-lettered lately and has no booking, by reason, the latest first."""
    rows = reader.execute(
        "SELECT reason, COUNT(*), MIN(at), MAX(at) FROM "
        "(SELECT reason, at, booking_id FROM dead_letters WHERE at > ? ORDER BY at DESC LIMIT ?) d "
        "WHERE NOT EXISTS (SELECT 1 FROM bookings b WHERE b.booking_id = d.booking_id) "
        "GROUP BY reason ORDER BY MAX(at) DESC",
        (milliseconds(now - within), MOST_LOOKED_AT),
    )
    return [
        TurnedAway(reason=row[0], records=row[1], first=instant(row[2]), last=instant(row[3])) for row in rows
    ]
