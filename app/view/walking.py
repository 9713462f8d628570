"""Walking over jobs by the start of their visits, a page at a time.

In a walk each job stands where it stood when the walk began, however it is moved meanwhile: so none comes
twice and none is passed over. That moment is told by how far the changelog was read, which means the same to
every worker. Jobs that are added come where they were at first.
"""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta

from app.booking.record import decode
from app.view.rows import JobPage, Walk
from app.view.schema import milliseconds, snapshot

LONGEST_WALK = timedelta(hours=1)
"""How long a walk may take: as long as the changelog keeps every row, for views rebuilt meanwhile."""
KEPT = 2 * LONGEST_WALK
"""How long moves are kept."""

_TOTAL = "SELECT COUNT(*) FROM bookings WHERE job_id IS NOT NULL AND job_start BETWEEN ? AND ?"
_STILL = (
    "SELECT job_start, job_id, row FROM bookings WHERE job_id IS NOT NULL "
    "AND (job_start, job_id) > (?, ?) AND job_start BETWEEN ? AND ? {but} ORDER BY job_start, job_id LIMIT ?"
)
_BUT = "AND booking_id NOT IN (SELECT value FROM json_each(?))"
# With MIN, SQLite takes the other columns from the row that has it: the first move since.
_MOVED = (
    "SELECT moves.booking_id, before, MIN(moves.number) FROM json_each(?) AS place CROSS JOIN moves "
    "ON moves.partition = place.key AND moves.number >= place.value GROUP BY moves.booking_id"
)
_ONE = "SELECT job_id, row FROM bookings WHERE booking_id = ? AND job_id IS NOT NULL"
_PLACES = "SELECT partition, next FROM positions WHERE topic = ?"


class NotSoFar(Exception):  # noqa: N818 - read as a sentence
    """The walk began at a row that this view has not read yet."""


def jobs_between(
    reader: sqlite3.Connection,
    start: datetime,
    end: datetime,
    *,
    limit: int,
    changelog: str,
    partitions: int,
    after: Walk | None = None,
) -> JobPage:
    """Jobs whose visit starts from `start` to `end`, both inclusive, by start and id. Raises NotSoFar."""
    bounds = milliseconds(start), milliseconds(end)
    with snapshot(reader):
        here = _places(reader, changelog, partitions)
        walk = after or Walk(places=here, start=bounds[0], job_id=-1)
        if any(mine < theirs for mine, theirs in zip(here, walk.places, strict=True)):
            raise NotSoFar
        moved = {} if walk.places == here else _moved(reader, walk.places)
        (total,) = reader.execute(_TOTAL, bounds).fetchone()
        rows = _still(reader, walk, bounds, moved, limit + 1)
        rows += _where_they_stood(reader, walk, bounds, moved)
    rows.sort(key=lambda row: row[:2])
    shown = rows[:limit]
    more = len(rows) > limit and shown
    return JobPage(
        records=tuple(decode(row) for _, _, row in shown),
        following=Walk(places=walk.places, start=shown[-1][0], job_id=shown[-1][1]) if more else None,
        total=total,
    )


def _places(reader: sqlite3.Connection, changelog: str, partitions: int) -> tuple[int, ...]:
    """The next offset of each partition of the changelog."""
    known = dict(reader.execute(_PLACES, (changelog,)).fetchall())
    return tuple(known.get(partition, 0) for partition in range(partitions))


def _moved(reader: sqlite3.Connection, places: Iterable[int]) -> dict[str, int]:
    """Where the jobs stood that were moved since, by booking."""
    rows = reader.execute(_MOVED, (json.dumps(list(places)),))
    return {booking_id: before for booking_id, before, _ in rows}


def _still(
    reader: sqlite3.Connection, walk: Walk, bounds: tuple[int, int], moved: dict[str, int], limit: int
) -> list[tuple[int, int, bytes]]:
    """The next of those that were not moved."""
    values: list[object] = [walk.start, walk.job_id, *bounds]
    if moved:
        values.append(json.dumps(list(moved)))
    rows = reader.execute(_STILL.format(but=_BUT if moved else ""), (*values, limit))
    return [tuple(row) for row in rows]


def _where_they_stood(
    reader: sqlite3.Connection, walk: Walk, bounds: tuple[int, int], moved: dict[str, int]
) -> Iterable[tuple[int, int, bytes]]:
    """Those that were moved, and stood in what is left of the walk."""
    for booking_id, start in moved.items():
        if not bounds[0] <= start <= bounds[1]:
            continue
        row = reader.execute(_ONE, (booking_id,)).fetchone()
        if row is not None and (start, row[0]) > (walk.start, walk.job_id):
            yield start, row[0], row[1]
