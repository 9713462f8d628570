"""Finding bookings for people: by what they are, in pages that a key continues, each over an index."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nsmallest
from itertools import product

from app.booking.reasons import Reason
from app.booking.record import State
from app.view.queries import booking, search
from app.view.rows import BookingSeen
from app.view.schema import milliseconds

_FEW = frozenset({State.HELD, State.PENDING})
"""States that few bookings are in: the others are walked by ZIP."""
MOST_BY_TEXT = 200
"""How many bookings a text finds at most; a text that finds more should say more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; None and empty mean any. `zip` is the beginning of one, `before` of the visit."""

    text: str = ""
    state: State | None = None
    shown: str | None = None
    """The word that people see of where a booking stands: see `columns.shown`."""
    reason: Reason | None = None
    zip: str | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundKey:
    """Where a walk stands: after this visit (or change) in epoch milliseconds, and booking."""

    at: int
    booking_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of bookings; `next_key` is None at the end. `cut` says that a text found more than is shown."""

    bookings: tuple[BookingSeen, ...]
    next_key: FoundKey | None = None
    cut: bool = False


def find(reader: sqlite3.Connection, wanted: Wanted, *, limit: int, after: FoundKey | None = None) -> Found:
    """A page of what is wanted: by visit, earliest first; without any wish by change, latest first."""
    if wanted.text:
        return _by_text(reader, wanted, limit)
    if wanted == Wanted():
        return _latest(reader, limit, after)
    if wanted.zip is not None and wanted.state not in _FEW and wanted.reason is None:
        return _by_zip(reader, wanted, wanted.zip, limit, after)
    table = "bookings b" if wanted.reason is None else "attention a JOIN bookings b USING (booking_id)"
    visit = "b.visit" if wanted.reason is None else "a.visit"
    parts, values = _conditions(wanted, visit)
    if after is not None:
        parts.append(f"({visit}, b.booking_id) > (?, ?)")
        values += [after.at, after.booking_id]
    rows = reader.execute(
        f"SELECT DISTINCT b.booking_id, {visit} AS at FROM {table} WHERE {' AND '.join(parts)} "  # noqa: S608 - words of our own
        f"ORDER BY {visit}, b.booking_id LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    return _page(reader, rows, limit)


def _conditions(wanted: Wanted, visit: str) -> tuple[list[str], list[object]]:
    parts: list[str] = []
    values: list[object] = []
    if wanted.state is not None:
        parts.append("b.state = ?")
        values.append(wanted.state.value)
    if wanted.shown is not None:
        parts.append("b.shown = ?")
        values.append(wanted.shown)
    if wanted.reason is not None:
        parts.append("a.reason = ?")
        values.append(wanted.reason.value)
    if wanted.zip is not None:
        # With the plus no index of its own: the state's or the reason's gives the order.
        parts.append("+b.zip >= ? AND +b.zip < ?")
        values += [wanted.zip, wanted.zip + "\U0010ffff"]
    if wanted.after is not None:
        parts.append(f"{visit} >= ?")
        values.append(milliseconds(wanted.after))
    if wanted.before is not None:
        parts.append(f"{visit} < ?")
        values.append(milliseconds(wanted.before))
    return parts, values


def _by_zip(
    reader: sqlite3.Connection, wanted: Wanted, prefix: str, limit: int, after: FoundKey | None
) -> Found:
    """The first of each ZIP and state, merged: a short prefix may stand before most bookings there are."""
    parts, values = _conditions(replace(wanted, zip=None, state=None), "b.visit")
    if after is not None:
        parts.append("(b.visit, b.booking_id) > (?, ?)")
        values += [after.at, after.booking_id]
    asked = (
        "SELECT b.booking_id, b.visit AS at FROM bookings b "  # noqa: S608 - words of our own
        f"WHERE {' AND '.join(('b.zip = ?', 'b.state = ?', *parts))} ORDER BY b.visit, b.booking_id LIMIT ?"
    )
    states = State if wanted.state is None else (wanted.state,)
    rows: list[sqlite3.Row] = []
    for code, state in product(_zips(reader, prefix), states):
        rows += reader.execute(asked, (code, state.value, *values, limit + 1)).fetchall()
    return _page(reader, nsmallest(limit + 1, rows, key=lambda row: (row["at"], row["booking_id"])), limit)


def _zips(reader: sqlite3.Connection, prefix: str) -> Iterator[str]:
    """The ZIPs that begin so: the index is asked for the next one each time."""
    asked, last = "SELECT MIN(zip) FROM bookings WHERE zip >= ? AND zip < ?", prefix + "\U0010ffff"
    (code,) = reader.execute(asked, (prefix, last)).fetchone()
    while code is not None:
        yield code
        (code,) = reader.execute(asked.replace(">=", ">"), (code, last)).fetchone()


def _latest(reader: sqlite3.Connection, limit: int, after: FoundKey | None) -> Found:
    condition, values = ("TRUE", ()) if after is None else ("(changed, booking_id) < (?, ?)", _pair(after))
    rows = reader.execute(
        f"SELECT booking_id, changed AS at FROM bookings WHERE {condition} "  # noqa: S608 - words of our own
        "ORDER BY changed DESC, booking_id DESC LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    return _page(reader, rows, limit)


def _pair(key: FoundKey) -> tuple[object, ...]:
    return (key.at, key.booking_id)


def _page(reader: sqlite3.Connection, rows: list[sqlite3.Row], limit: int) -> Found:
    shown = rows[:limit]
    seen = (booking(reader, row["booking_id"]) for row in shown)
    last = FoundKey(shown[-1]["at"], shown[-1]["booking_id"]) if len(rows) > limit else None
    return Found(bookings=tuple(one for one in seen if one is not None), next_key=last)


def _by_text(reader: sqlite3.Connection, wanted: Wanted, limit: int) -> Found:
    found = search(reader, wanted.text, MOST_BY_TEXT)
    kept = [one for one in found if _is_wanted(reader, one, wanted)]
    return Found(bookings=tuple(kept[:limit]), cut=len(found) == MOST_BY_TEXT or len(kept) > limit)


def _is_wanted(reader: sqlite3.Connection, seen: BookingSeen, wanted: Wanted) -> bool:
    record = seen.record
    row = reader.execute(
        "SELECT visit, zip, shown FROM bookings WHERE booking_id = ?", (record.booking_id,)
    ).fetchone()
    if wanted.shown not in {None, row["shown"]}:
        return False
    if wanted.state not in {None, record.state} or not row["zip"].startswith(wanted.zip or ""):
        return False
    if wanted.after is not None and row["visit"] < milliseconds(wanted.after):
        return False
    if wanted.before is not None and row["visit"] >= milliseconds(wanted.before):
        return False
    return wanted.reason is None or wanted.reason in {one.trouble.reason for one in record.waiting}


def changed_since(reader: sqlite3.Connection, when: datetime, *, limit: int) -> int:
    """How many bookings changed after that, counted up to a limit."""
    (count,) = reader.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM bookings WHERE changed > ? LIMIT ?)", (milliseconds(when), limit)
    ).fetchone()
    return int(count)
