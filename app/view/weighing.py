"""Which dead letters are turned away: no lane has them, and nobody has acted on them yet.

A letter waits until its event was worked after all, a repair of it was worked as the creation, or an operator
closed it. What its booking's row answers for waits in the lines of the booking, or not at all; what the row
never took in, or keeps no more since later ones failed, waits here. Of an event that was dead-lettered again
only the latest letter counts.

It depends on what there is, never on the order in which it was read: so every worker tells the same.
"""

import sqlite3
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from app.booking.record import Record, decode
from app.view.columns import answered, creation
from app.view.notes import CLOSES

Event: TypeAlias = tuple[str, str]
"""A booking and the digest of one of its events."""

_OPEN = f"NOT EXISTS (SELECT 1 FROM closings c WHERE {CLOSES})"  # noqa: S608 - words of our own
# A worker that dies before it notes that a letter was sent has it sent again: one failure is one letter. What
# no row owes fails anew then, so that its time tells nothing; what cannot be named never fails a second time.
_SAME = (
    "e.original_topic = d.original_topic AND e.original_partition = d.original_partition "
    "AND e.original_offset = d.original_offset AND e.reason = d.reason AND e.attempts = d.attempts "
    "AND e.digest IS d.digest AND e.size = d.size AND e.value IS d.value "
    "AND (d.digest IS NULL OR e.first_failed = d.first_failed)"
)
FIRST = (
    f"NOT EXISTS (SELECT 1 FROM dead_letters e WHERE {_SAME} "  # noqa: S608 - words of our own
    "AND (e.partition, e.number) < (d.partition, d.number))"
)
"""Whether a dead letter `d` is none that was sent again."""
_COLUMNS = "d.partition, d.number, d.reason, d.at, d.booking_id"
_ADD_NAMELESS = (
    f"INSERT OR REPLACE INTO turned_away SELECT {_COLUMNS} FROM dead_letters d "  # noqa: S608 - words of our own
    f"WHERE d.partition = ? AND d.number = ? AND {FIRST} AND {_OPEN}"
)
_REMOVE_REPEATS = (
    "DELETE FROM turned_away WHERE (partition, number) IN (SELECT e.partition, e.number "  # noqa: S608 - as above
    f"FROM dead_letters d JOIN dead_letters e ON {_SAME} "
    "AND (e.partition, e.number) > (d.partition, d.number) WHERE d.partition = ? AND d.number = ?)"
)
# All letters of one key stand in one partition.
_LATEST = (
    "SELECT partition, number, reason, at, booking_id, event_id, type FROM dead_letters d "  # noqa: S608 - as above
    f"WHERE booking_id = ? AND digest = ? AND {FIRST} ORDER BY number DESC LIMIT 1"
)
_REPAIRED = (
    "EXISTS (SELECT 1 FROM actions r WHERE r.subject = d.booking_id AND r.kind = 'repair' AND r.digest = ? "
    "AND r.at >= d.at AND (r.event = d.event_id OR (r.event IS NULL AND d.type = 'booking.created')))"
)
_ADD = (
    f"INSERT OR REPLACE INTO turned_away SELECT {_COLUMNS} FROM ({_LATEST}) d "  # noqa: S608 - words of our own
    f"WHERE {_OPEN} AND NOT {_REPAIRED}"
)
_REMOVE = (
    "DELETE FROM turned_away WHERE (partition, number) IN "
    "(SELECT partition, number FROM dead_letters WHERE booking_id = ? AND digest = ?)"
)


def add_nameless(writer: sqlite3.Connection, partition: int, number: int) -> None:
    """Have a letter wait whose event cannot be named: nothing but a closing ends that."""
    writer.execute(_REMOVE_REPEATS, (partition, number))
    writer.execute(_ADD_NAMELESS, (partition, number))


def changed(writer: sqlite3.Connection, booking_id: str, after: Record | None) -> set[Event]:
    """The events to be weighed again once the booking has this row; call it before the row is written."""
    if not _has_letters(writer, booking_id):
        return set()
    before = _record(writer, booking_id)
    if before is None or after is None or creation(before) != creation(after):
        return all_of(writer, booking_id)
    return {(booking_id, digest) for digest in answered(before) ^ answered(after)}


def _has_letters(writer: sqlite3.Connection, booking_id: str) -> bool:
    asked = "SELECT 1 FROM dead_letters WHERE booking_id = ? LIMIT 1"
    return writer.execute(asked, (booking_id,)).fetchone() is not None


def all_of(writer: sqlite3.Connection, booking_id: str) -> set[Event]:
    """Every event of the booking that was dead-lettered and can be named."""
    asked = "SELECT DISTINCT digest FROM dead_letters WHERE booking_id = ? AND digest IS NOT NULL"
    return {(booking_id, row["digest"]) for row in writer.execute(asked, (booking_id,))}


def weigh(writer: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Have exactly those of these events wait that nobody has dealt with."""
    for booking_id, group in groupby(sorted(events), key=itemgetter(0)):
        record = _record(writer, booking_id)
        dealt_with = frozenset[str]() if record is None else answered(record)
        begun_with = None if record is None else creation(record)
        for event in group:
            writer.execute(_REMOVE, event)
            if event[1] not in dealt_with:
                writer.execute(_ADD, (*event, begun_with))


def _record(writer: sqlite3.Connection, booking_id: str) -> Record | None:
    row = writer.execute("SELECT row FROM bookings WHERE booking_id = ?", (booking_id,)).fetchone()
    return None if row is None else decode(row["row"])
