"""What is seen at a glance: the strip's figures, and what operators did."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.booking.record import Entry, Record, decode
from app.view.queries import actions
from app.view.rows import ActionSeen
from app.view.schema import instant, milliseconds

MOST_LOOKED_AT = 20_000
"""Of waiting lanes: enough to tell, and no more than a moment's work."""


# Most lanes are idle: they are not counted.
_BUSY = "SELECT phase, COUNT(*) FROM bookings WHERE phase IN ('working', 'waiting', 'held') GROUP BY phase"


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


def glance(reader: sqlite3.Connection) -> Glance:
    """The figures of this moment."""
    phases = dict(reader.execute(_BUSY).fetchall())
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


LATE = timedelta(minutes=1)


def late(reader: sqlite3.Connection, now: datetime) -> int:
    """How many bookings' next step was due more than a minute ago, counted up to 20,000."""
    before = milliseconds(now - LATE)
    (due,) = reader.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM bookings WHERE due IS NOT NULL AND due < ? LIMIT ?)",
        (before, MOST_LOOKED_AT),
    ).fetchone()
    (stuck,) = reader.execute(
        "SELECT COUNT(*) FROM (SELECT changed FROM bookings WHERE phase = 'working' LIMIT ?) "
        "WHERE changed < ?",
        (MOST_LOOKED_AT, before),
    ).fetchone()
    return int(due + stuck)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """What an operator did, and the line that its booking's owner wrote about it, if it has come."""

    action: ActionSeen
    told: Entry | None
    known: bool
    """Whether the subject is a booking of ours."""


def results(reader: sqlite3.Connection, *, limit: int, subject: str | None = None) -> list[ActionResult]:
    """What operators did and what came of it, newest first."""
    found = actions(reader, limit=limit, subject=subject)
    records = {one.subject: _record(reader, one.subject) for one in found}
    return [_result(one, records[one.subject]) for one in found]


def _record(reader: sqlite3.Connection, booking_id: str) -> Record | None:
    row = reader.execute("SELECT row FROM bookings WHERE booking_id = ?", (booking_id,)).fetchone()
    return None if row is None else decode(row["row"])


def _result(action: ActionSeen, record: Record | None) -> ActionResult:
    lines = () if record is None else record.timeline
    told = next((line for line in lines if line.event == action.event_id), None)
    return ActionResult(action=action, told=told, known=record is not None)


def records(reader: sqlite3.Connection, booking_ids: list[str]) -> dict[str, Record]:
    """The records of these bookings, by id."""
    found = ((booking_id, _record(reader, booking_id)) for booking_id in booking_ids)
    return {booking_id: record for booking_id, record in found if record is not None}
