"""The questions the view answers, each over an index. Synchronous: `View` runs them off the event loop."""

import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from app.booking.customers import customers_of, order_digest
from app.booking.identity import Progress, look_up
from app.booking.reasons import Reason
from app.booking.record import Phase, State, decode, decode_head, queued
from app.view import schema
from app.view.columns import folded, phone_digits, phone_word
from app.view.rows import (
    ActionSeen,
    AttentionGroup,
    AttentionLine,
    BookingSeen,
    Counts,
    DeadLetter,
    Ended,
    EventFate,
    OnItsWay,
    Owned,
    WaitingLane,
    WebhookSeen,
)
from app.view.schema import instant, milliseconds
from app.view.weighing import FIRST

_MOST_BEHIND = 100


def booking(reader: sqlite3.Connection, booking_id: str) -> BookingSeen | None:
    """The booking with this id, and the first 100 events behind its head."""
    row = reader.execute("SELECT partition, row FROM bookings WHERE booking_id = ?", (booking_id,)).fetchone()
    if row is None:
        return None
    record = decode(row["row"])
    lane = record.lane
    slots = [queued(number) for number in range(lane.first, min(lane.next, lane.first + _MOST_BEHIND))]
    return BookingSeen(
        record=record,
        partition=row["partition"],
        behind=tuple(decode_head(head) for head in _heads(reader, booking_id, slots)),
    )


def _heads(reader: sqlite3.Connection, booking_id: str, slots: Collection[str]) -> Iterator[bytes]:
    for slot in slots:
        found = head_row(reader, booking_id, slot)
        if found is not None:
            yield found


def head_row(reader: sqlite3.Connection, booking_id: str, slot: str) -> bytes | None:
    """A row of the table `behind`: an event behind the head, or one put aside."""
    row = reader.execute(
        "SELECT row FROM behind WHERE booking_id = ? AND slot = ?", (booking_id, slot)
    ).fetchone()
    return None if row is None else row["row"]


def booking_of_job(reader: sqlite3.Connection, job_id: int) -> BookingSeen | None:
    """The booking whose job this is."""
    if not 0 < job_id < 2**63:
        return None
    row = reader.execute("SELECT booking_id FROM bookings WHERE job_id = ?", (job_id,)).fetchone()
    return None if row is None else booking(reader, row["booking_id"])


def fate(reader: sqlite3.Connection, booking_id: str, digests: Collection[str]) -> EventFate:
    """What became of the booking's event that has one of these digests (see `Identity.digest`)."""
    seen = booking(reader, booking_id)
    marks = [] if seen is None else [look_up(seen.record.seen, digest) for digest in digests]
    became = next((mark for mark in marks if mark is not None), None)
    if became is None:
        reason = _dead_letter_reason(reader, booking_id, digests)
        return OnItsWay(booking=seen) if reason is None else Ended(became=reason, booking=seen)
    if became is Progress.ON_ITS_WAY:
        return OnItsWay(booking=seen)
    return Ended(became=became, booking=seen)


def _dead_letter_reason(
    reader: sqlite3.Connection, booking_id: str, digests: Collection[str]
) -> Reason | None:
    """Why an event that left no row was dead-lettered; of an operator's closing, that it is done."""
    for digest in digests:
        row = reader.execute(
            "SELECT reason FROM dead_letters WHERE booking_id = ? AND digest = ? ORDER BY at DESC",
            (booking_id, digest),
        ).fetchone()
        if row is not None and row["reason"] in set(Reason):
            return Reason(row["reason"])
        closing = reader.execute(
            "SELECT 1 FROM actions WHERE subject = ? AND digest = ? AND kind = 'close'", (booking_id, digest)
        ).fetchone()
        if closing is not None:
            return Reason.DISCARDED
    return None


# For the owners of partitions -----------------------------------------------------------------------------


def overdue(
    reader: sqlite3.Connection, before: datetime, partitions: Collection[int], limit: int
) -> list[WaitingLane]:
    """Lanes of these partitions that were due before that time, longest overdue first."""
    rows = reader.execute(
        f"SELECT booking_id, partition, turn, due FROM bookings WHERE due IS NOT NULL AND due < ? "  # noqa: S608 - only marks
        f"AND partition IN ({_marks(partitions)}) ORDER BY due LIMIT ?",
        (milliseconds(before), *partitions, limit),
    )
    return [
        WaitingLane(booking_id=row[0], partition=row[1], turn=row[2], due=instant(row[3])) for row in rows
    ]


def working(reader: sqlite3.Connection, partitions: Collection[int], limit: int) -> list[WaitingLane]:
    """Lanes of these partitions whose row says that they are being worked."""
    rows = reader.execute(
        f"SELECT booking_id, partition, turn FROM bookings WHERE phase = 'working' "  # noqa: S608 - only marks
        f"AND partition IN ({_marks(partitions)}) ORDER BY partition, changed LIMIT ?",
        (*partitions, limit),
    )
    return [WaitingLane(booking_id=row[0], partition=row[1], turn=row[2], due=None) for row in rows]


def over(
    reader: sqlite3.Connection, before: datetime, partitions: Collection[int], limit: int
) -> list[Owned]:
    """Bookings of these partitions that ended or were closed before that time, and may leave."""
    rows = reader.execute(
        f"SELECT booking_id, partition FROM bookings WHERE state IN ('ended', 'closed') AND phase = 'idle' "  # noqa: S608 - only marks
        f"AND changed < ? AND partition IN ({_marks(partitions)}) ORDER BY changed LIMIT ?",
        (milliseconds(before), *partitions, limit),
    )
    return [Owned(booking_id=row[0], partition=row[1]) for row in rows]


def uses_customer(reader: sqlite3.Connection, phone: str, digest: str, but: str) -> bool:
    """Whether a booking other than this one is of that phone's customer with that digest."""
    rows = reader.execute(
        "SELECT row FROM words JOIN bookings USING (booking_id) WHERE word = ? AND booking_id != ?",
        (phone_word(phone), but),
    )
    return any(order_digest(order) == digest for (row,) in rows for order in customers_of(decode(row)))


def newest_row(reader: sqlite3.Connection) -> datetime | None:
    """The time of the newest row in the changelog, which is Kafka's own."""
    return schema.newest_row(reader)


def known_since(reader: sqlite3.Connection) -> datetime | None:
    """Since when the statuses of all jobs that go on are known: the earliest of them."""
    rows = reader.execute("SELECT row FROM bookings WHERE state = 'active'")
    jobs = (decode(row["row"]).job for row in rows)
    return min((job.known_since for job in jobs if job is not None), default=None)


def regressions(reader: sqlite3.Connection, partitions: Collection[int], limit: int) -> list[Owned]:
    """Bookings of these partitions whose last row in the changelog is lower than one before it."""
    rows = reader.execute(
        f"SELECT booking_id, partition FROM regressions WHERE partition IN ({_marks(partitions)}) LIMIT ?",  # noqa: S608 - only marks
        (*partitions, limit),
    )
    return [Owned(booking_id=row[0], partition=row[1]) for row in rows]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


# For people -----------------------------------------------------------------------------------------------


def counts(reader: sqlite3.Connection) -> Counts:
    """How many there are of what."""
    states = reader.execute("SELECT state, COUNT(*) FROM bookings GROUP BY state").fetchall()
    phases = reader.execute("SELECT phase, COUNT(*) FROM bookings GROUP BY phase").fetchall()
    # The others in `behind` are put aside: they failed, and an operator may still want them.
    (behind,) = reader.execute("SELECT COUNT(*) FROM behind WHERE slot GLOB 'q*'").fetchone()
    (jobs,) = reader.execute("SELECT COUNT(*) FROM bookings WHERE job_id IS NOT NULL").fetchone()
    # ServiceTitan numbers its jobs in the order in which they are made.
    newest = reader.execute(
        "SELECT row FROM bookings WHERE job_id IS NOT NULL ORDER BY job_id DESC LIMIT 1"
    ).fetchone()
    job = None if newest is None else decode(newest["row"]).job
    return Counts(
        states={State(state): number for state, number in states},
        phases={Phase(phase): number for phase, number in phases},
        events_behind=behind,
        jobs=jobs,
        last_job_created=None if job is None else job.created_at,
    )


def attention_groups(reader: sqlite3.Connection) -> list[AttentionGroup]:
    """What waits for a person, by reason, the group with the earliest visit first."""
    rows = reader.execute(
        "SELECT reason, COUNT(DISTINCT booking_id), MIN(at), MAX(at), "
        "MIN(CASE over WHEN 0 THEN visit END) AS next FROM attention "
        "GROUP BY reason ORDER BY next IS NULL, next"
    )
    return [
        AttentionGroup(
            reason=Reason(row[0]),
            bookings=row[1],
            first=instant(row[2]),
            last=instant(row[3]),
            next_visit=None if row[4] is None else instant(row[4]),
        )
        for row in rows
    ]


def attention_lines(reader: sqlite3.Connection, reason: Reason, limit: int) -> list[AttentionLine]:
    """What waits for this reason, the earliest visit first, those that are over last."""
    rows = reader.execute(
        "SELECT booking_id, slot, reason, event_id, type, at, visit FROM attention WHERE reason = ? "
        "ORDER BY over, visit LIMIT ?",
        (reason.value, limit),
    )
    return [attention_line(row) for row in rows]


def attention_line(row: Any) -> AttentionLine:  # noqa: ANN401 - sqlite3's rows have no types
    """A row of `attention` as it is told."""
    return AttentionLine(
        booking_id=row["booking_id"],
        slot=row["slot"],
        reason=Reason(row["reason"]),
        event_id=row["event_id"],
        type=row["type"],
        at=instant(row["at"]),
        visit=instant(row["visit"]),
    )


def search(reader: sqlite3.Connection, text: str, limit: int) -> list[BookingSeen]:
    """Bookings by the beginning of what they are found by, of their ZIP, or by the end of a phone number."""
    text = folded(text)
    if not text:
        return []
    found: dict[str, None] = {}
    for table, column, value in _sought(text):
        rows = reader.execute(
            f"SELECT booking_id FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY {column} LIMIT ?",  # noqa: S608 - names of our own
            (value, value + "\U0010ffff", limit),
        )
        found.update((row["booking_id"], None) for row in rows)
    seen = (booking(reader, booking_id) for booking_id in list(found)[:limit])
    return [one for one in seen if one is not None]


def with_id(reader: sqlite3.Connection, text: str) -> str | None:
    """The booking with this id, in any case; None when there is none, or more than one in other cases."""
    if booking(reader, text) is not None:
        return text
    rows = reader.execute("SELECT booking_id FROM words WHERE word = ? LIMIT 3", (folded(text),)).fetchall()
    named = [row["booking_id"] for row in rows if folded(row["booking_id"]) == folded(text)]
    return named[0] if len(named) == 1 else None


_FEWEST_DIGITS = 4
"""Of the end of a phone number."""


def _sought(text: str) -> Iterator[tuple[str, str, str]]:
    yield "bookings", "booking_id", text
    yield "words", "word", text
    if len(phone_digits(text)) >= _FEWEST_DIGITS and not any(letter.isalpha() for letter in text):
        yield "words", "word", phone_word(text)
    if text.replace("-", "").isdecimal():
        yield "bookings", "zip", text


def dead_letters(
    reader: sqlite3.Connection, *, limit: int, booking_id: str | None = None, reason: str | None = None
) -> list[DeadLetter]:
    """Records of the dead letter topic, newest first; one that was sent again counts once."""
    where = {"booking_id": booking_id, "reason": reason}
    asked = {name: value for name, value in where.items() if value is not None}
    condition = " AND ".join(f"{name} = ?" for name in asked) or "TRUE"
    rows = reader.execute(
        f"SELECT * FROM dead_letters d WHERE {condition} AND {FIRST} ORDER BY at DESC LIMIT ?",  # noqa: S608 - names of our own
        (*asked.values(), limit),
    )
    return [dead_letter(row) for row in rows]


def dead_letter(row: Any) -> DeadLetter:  # noqa: ANN401 - sqlite3's rows have no types
    """A row of the table as a value."""
    return DeadLetter(
        partition=row["partition"],
        offset=row["number"],
        at=instant(row["at"]),
        booking_id=row["booking_id"],
        reason=row["reason"],
        detail=row["detail"],
        attempts=row["attempts"],
        http_status=row["http_status"],
        event_id=row["event_id"],
        digest=row["digest"],
        type=row["type"],
        trace_id=row["trace_id"],
        original_topic=row["original_topic"],
        original_partition=row["original_partition"],
        original_offset=row["original_offset"],
        size=row["size"],
        value=row["value"],
    )


def actions(reader: sqlite3.Connection, *, limit: int, subject: str | None = None) -> list[ActionSeen]:
    """What operators did, newest first."""
    condition, values = ("TRUE", ()) if subject is None else ("subject = ?", (subject,))
    rows = reader.execute(
        f"SELECT at, subject, kind, by, why, event, plan, event_id, result FROM actions WHERE {condition} "  # noqa: S608 - names of our own
        "ORDER BY at DESC LIMIT ?",
        (*values, limit),
    )
    return [
        ActionSeen(
            at=instant(row["at"]),
            subject=row["subject"],
            kind=row["kind"],
            by=row["by"],
            why=row["why"],
            event=row["event"],
            plan=row["plan"],
            event_id=row["event_id"],
            result=row["result"],
        )
        for row in rows
    ]


def request_body(reader: sqlite3.Connection, event_id: str) -> str | None:
    """The digest of the body with which the request for this event came first; None when none came."""
    row = reader.execute("SELECT body FROM requests WHERE event_id = ?", (event_id,)).fetchone()
    return None if row is None else str(row["body"])


def dead_letter_digests(reader: sqlite3.Connection, booking_id: str, event_id: str) -> tuple[str, ...]:
    """The digests of the booking's dead-lettered events with this id, whoever made them."""
    rows = reader.execute(
        "SELECT DISTINCT digest FROM dead_letters "
        "WHERE booking_id = ? AND event_id = ? AND digest IS NOT NULL",
        (booking_id, event_id),
    )
    return tuple(row["digest"] for row in rows)


def sessions_over(reader: sqlite3.Connection, *, now: datetime) -> frozenset[str]:
    """The digests of sessions that were signed out before they ended."""
    rows = reader.execute("SELECT digest FROM sessions WHERE until > ?", (milliseconds(now),))
    return frozenset(row["digest"] for row in rows)


def webhooks(reader: sqlite3.Connection, *, limit: int) -> list[WebhookSeen]:
    """Webhooks, newest first."""
    rows = reader.execute(
        "SELECT at, job_id, sender, verified, delivery, value, "
        "(SELECT COUNT(*) FROM webhooks other WHERE other.digest = webhooks.digest) AS copies "
        "FROM webhooks ORDER BY at DESC LIMIT ?",
        (limit,),
    )
    return [
        WebhookSeen(
            at=instant(row["at"]),
            job_id=row["job_id"],
            sender=row["sender"],
            verified=row["verified"],
            delivery=row["delivery"],
            copies=row["copies"],
            value=row["value"],
        )
        for row in rows
    ]
