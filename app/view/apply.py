"""What a batch of records does to the view: one transaction, with the offsets in it."""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import ValidationError

from app.batches import Broken
from app.booking.business import Business
from app.booking.events import LARGEST_EVENT, BookingEvent, RawEvent, open_event, read, with_values
from app.booking.identity import Identity
from app.booking.record import Record, decode, rank
from app.view import notes
from app.view.columns import COLUMNS, attention, of_record
from app.view.config import ViewTopics
from app.view.plans import Step, take_note
from app.view.schema import instant, mark_newest, mark_written, milliseconds, transaction
from app.view.walking import KEPT
from app.view.weighing import Event, add_nameless, all_of, changed, weigh

_UPSERT = (
    f"INSERT INTO bookings ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "  # noqa: S608 - names of our own
    f"ON CONFLICT (booking_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:])}"
)
_WORDS = COLUMNS.index("words")
_FAULTS_OF_INPUT = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
)
"""What a record can bring about that nobody thought of; a full disk is none of it."""
_MOVE = "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)"


class Incoming(Protocol):
    """A record as aiokafka hands it over."""

    @property
    def topic(self) -> str:
        """The topic's name."""

    @property
    def partition(self) -> int:
        """Its partition."""

    @property
    def offset(self) -> int:
        """Its place there."""

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds."""

    @property
    def key(self) -> bytes | None:
        """The key."""

    @property
    def value(self) -> bytes | None:
        """The value; null removes a row."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The headers, in order; one may have no value."""


@dataclass(slots=True)
class Applied:
    """What a batch changed: for whom somebody may be waiting, and what could not be read.

    Among the bookings stand the ids of events whose requests came with a key: these are waited for too.
    """

    bookings: set[str] = field(default_factory=set)
    unreadable: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Stretch:
    """What a stretch of the changelog says of bookings: partition, offset and row, None for a removed one."""

    rows: dict[str, tuple[int, int, bytes | None]] = field(default_factory=dict)
    ranks: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    lower: dict[str, int] = field(default_factory=dict)
    """Bookings whose last row is lower than one before it, with their partition: their owner must write them
    again (design section 5.5)."""
    healed: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)
    """Bookings of which the view had no row before."""
    starts: dict[str, int | None] = field(default_factory=dict)
    """When their jobs' visits started, as the view has it."""
    moves: list[tuple[int, int, str, int, int]] = field(default_factory=list)
    """What goes into `moves`."""
    words_gone: list[tuple[str, str]] = field(default_factory=list)
    words_come: list[tuple[str, str]] = field(default_factory=list)

    def note_move(self, booking_id: str, record: Incoming, after: datetime) -> None:
        """Keep where the job stood before this record, when the record moves it and is of lately."""
        if record.value is None or instant(record.timestamp) < after:
            return
        _, _, earlier = self.rows.get(booking_id, (0, 0, None))
        before = self.starts[booking_id] if earlier is None else _start_of(earlier)
        if before is not None and _start_of(record.value) not in {None, before}:
            move = (record.partition, record.offset, booking_id, before, record.timestamp)
            self.moves.append(move)


def apply(
    writer: sqlite3.Connection,
    topics: ViewTopics,
    batch: Iterable[Incoming],
    *,
    business: Business,
    now: datetime,
) -> Applied:
    """Write a batch, in the order of each partition, and how far it goes.

    A record that cannot be applied for what it says is left out, and told: one at a time are the others then.
    """
    records = tuple(batch)
    try:
        return _apply(writer, topics, records, business=business, now=now)
    except _FAULTS_OF_INPUT:
        if len(records) == 1:
            return _left_out(writer, records[0], now)
    done = Applied()
    for record in records:
        one = apply(writer, topics, (record,), business=business, now=now)
        done.bookings |= one.bookings
        done.unreadable += one.unreadable
    return done


def _left_out(writer: sqlite3.Connection, record: Incoming, now: datetime) -> Applied:
    with transaction(writer):
        writer.execute(_MOVE, (record.topic, record.partition, record.offset + 1))
        mark_written(writer, now)
    return Applied(unreadable=[(record.topic, record.partition, record.offset)])


def _apply(
    writer: sqlite3.Connection,
    topics: ViewTopics,
    batch: Iterable[Incoming],
    *,
    business: Business,
    now: datetime,
) -> Applied:
    by_topic: dict[str, list[Incoming]] = {}
    ends: dict[tuple[str, int], int] = {}
    done = Applied()
    for record in batch:
        ends[record.topic, record.partition] = record.offset + 1
        if isinstance(getattr(record, "checksum", None), Broken):
            done.unreadable.append((record.topic, record.partition, record.offset))
        else:
            by_topic.setdefault(record.topic, []).append(record)
    with transaction(writer):
        events = _bookings(writer, by_topic.get(topics.bookings, ()), business, now, done)
        _behind(writer, by_topic.get(topics.behind, ()), done)
        events |= _dead_letters(writer, by_topic.get(topics.dead_letters, ()), done)
        events |= _actions(writer, by_topic.get(topics.signals, ()), done)
        _webhooks(writer, by_topic.get(topics.webhooks, ()))
        weigh(writer, events)
        if rows := by_topic.get(topics.bookings):
            mark_newest(writer, max(record.timestamp for record in rows))
        writer.executemany(_MOVE, [(*part, number) for part, number in ends.items()])
        mark_written(writer, now)
    return done


def _text(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None


# Bookings -------------------------------------------------------------------------------------------------


def _bookings(
    writer: sqlite3.Connection, records: Iterable[Incoming], business: Business, now: datetime, done: Applied
) -> set[Event]:
    """Write what counts; gives the dead-lettered events that may stand otherwise now."""
    stretch = _winners(writer, records, now - KEPT, done)
    events: set[Event] = set()
    for booking_id, (partition, offset, row) in stretch.rows.items():
        touched = _write(writer, booking_id, partition, row, business, stretch=stretch)
        if touched is None:
            done.unreadable.append(("bookings", partition, offset))
        else:
            events |= touched
        done.bookings.add(booking_id)
    writer.executemany("DELETE FROM regressions WHERE booking_id = ?", [(one,) for one in stretch.healed])
    writer.executemany("INSERT OR REPLACE INTO regressions VALUES (?, ?)", stretch.lower.items())
    writer.executemany("INSERT OR REPLACE INTO moves VALUES (?, ?, ?, ?, ?)", stretch.moves)
    writer.executemany("DELETE FROM words WHERE word = ? AND booking_id = ?", stretch.words_gone)
    writer.executemany("INSERT OR REPLACE INTO words VALUES (?, ?)", sorted(stretch.words_come))
    return events


def _write(
    writer: sqlite3.Connection,
    booking_id: str,
    partition: int,
    row: bytes | None,
    business: Business,
    *,
    stretch: _Stretch,
) -> set[Event] | None:
    """Put a booking's row in its place; None when it is no row of ours, which changes nothing.

    Gives its dead-lettered events that may stand otherwise now.
    """
    record: Record | None = None
    columns: tuple[Any, ...] = ()
    lines: list[tuple[Any, ...]] = []
    if row is not None:
        try:
            record = decode(row)
            columns, lines = of_record(record, partition, row, business), list(attention(record, business))
        except (ValidationError, ValueError, KeyError, OverflowError):
            return None
    events = changed(writer, booking_id, record)
    before: set[str] = set()
    if booking_id not in stretch.fresh:
        writer.execute("DELETE FROM attention WHERE booking_id = ?", (booking_id,))
        stored = writer.execute("SELECT words FROM bookings WHERE booking_id = ?", (booking_id,)).fetchone()
        before = set() if stored is None else set(stored[0].split("\n"))
    words = set() if record is None else set(columns[_WORDS].split("\n"))
    # Most rows of a booking are found by the same words as the one before.
    stretch.words_gone += [(word, booking_id) for word in before - words]
    stretch.words_come += [(word, booking_id) for word in words - before]
    if record is None:
        writer.execute("DELETE FROM bookings WHERE booking_id = ?", (booking_id,))
        return events
    writer.execute(_UPSERT, columns)
    writer.executemany("INSERT OR REPLACE INTO attention VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lines)
    return events


def _winners(
    writer: sqlite3.Connection, records: Iterable[Incoming], moved_after: datetime, done: Applied
) -> _Stretch:
    """Per booking what counts of these records: the highest row, of equals the later; a tombstone always."""
    found = _Stretch()
    for record in records:
        booking_id = _text(record.key)
        mine = None if record.value is None else _rank(record.value)
        if booking_id is None or (mine is None and record.value is not None):
            done.unreadable.append(("bookings", record.partition, record.offset))
            continue
        if booking_id not in found.ranks:
            found.ranks[booking_id], found.starts[booking_id] = _stored(writer, booking_id)
            if found.ranks[booking_id] is None:
                found.fresh.add(booking_id)
        known = found.ranks[booking_id]
        if mine is not None and known is not None and known > mine:
            found.lower[booking_id] = record.partition
            continue
        found.note_move(booking_id, record, moved_after)
        found.rows[booking_id] = (record.partition, record.offset, record.value)
        found.ranks[booking_id] = mine
        found.lower.pop(booking_id, None)
        found.healed.add(booking_id)
    return found


def _rank(row: bytes) -> tuple[int, int] | None:
    try:
        found = rank(row)
    except (ValueError, AttributeError):
        return None
    return found if all(isinstance(part, int) for part in found) else None


def _stored(writer: sqlite3.Connection, booking_id: str) -> tuple[tuple[int, int] | None, int | None]:
    """The rank of the view's row of a booking, and when its job's visit starts."""
    stored = writer.execute(
        "SELECT generation, sequence, job_start FROM bookings WHERE booking_id = ?", (booking_id,)
    ).fetchone()
    return (None, None) if stored is None else ((stored[0], stored[1]), stored[2])


def _start_of(row: bytes) -> int | None:
    """When the visit of a row's job starts; None without a job, and for what is no row of ours."""
    try:
        job = decode(row).job
    except (ValidationError, ValueError, KeyError, OverflowError):
        return None
    return None if job is None else milliseconds(job.start)


# Behind ---------------------------------------------------------------------------------------------------


def _behind(writer: sqlite3.Connection, records: Iterable[Incoming], done: Applied) -> None:
    """Keys are `{booking id}/{slot}`; a booking id may have slashes of its own."""
    latest: dict[tuple[str, str], bytes | None] = {}
    for record in records:
        booking_id, slash, slot = (_text(record.key) or "").rpartition("/")
        if slash:
            latest[booking_id, slot] = record.value
        else:
            done.unreadable.append(("behind", record.partition, record.offset))
    writer.executemany(
        "DELETE FROM behind WHERE booking_id = ? AND slot = ?",
        [key for key, row in latest.items() if row is None],
    )
    writer.executemany(
        "INSERT OR REPLACE INTO behind VALUES (?, ?, ?)",
        [(*key, row) for key, row in latest.items() if row is not None],
    )


# Dead letters, actions, webhooks --------------------------------------------------------------------------


def _dead_letters(writer: sqlite3.Connection, records: Iterable[Incoming], done: Applied) -> set[Event]:
    """Keep the letters; gives the events that they are of, as far as those can be named."""
    events: set[Event] = set()
    for record in records:
        line = _dead_letter(record)
        writer.execute(
            f"INSERT OR REPLACE INTO dead_letters VALUES ({', '.join('?' * len(line))})",  # noqa: S608 - only marks
            line,
        )
        booking_id, digest = line[3], line[9]
        if booking_id is not None:
            done.bookings.add(booking_id)
        if digest is None:
            add_nameless(writer, record.partition, record.offset)
        else:
            events.add((booking_id, digest))
    return events


def _dead_letter(record: Incoming) -> tuple[Any, ...]:
    headers = _texts(record.headers)
    raw = RawEvent(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        # What tells of the failure, and may make it larger than an event may be, is no part of the event.
        headers=tuple(one for one in with_values(record.headers) if not one[0].lower().startswith("x-")),
    )
    event = read(raw)
    known = event if isinstance(event, BookingEvent) else None
    size = len(record.value or b"")
    return (
        record.partition,
        record.offset,
        record.timestamp,
        _text(record.key),
        headers.get("x-reason", ""),
        headers.get("x-detail", ""),
        _number(headers.get("x-attempt")) or 0,
        _number(headers.get("x-http-status")),
        known.identity.id if known else None,
        known.identity.digest() if known else None,
        known.type if known else None,
        headers.get("x-trace-id"),
        headers.get("x-original-topic"),
        _number(headers.get("x-original-partition")),
        _number(headers.get("x-original-offset")),
        size,
        record.value if size <= LARGEST_EVENT else None,
        headers.get("x-first-failed"),
    )


def _actions(writer: sqlite3.Connection, records: Iterable[Incoming], done: Applied) -> set[Event]:
    """Operators' actions and notes; the other signals are no concern of people's.

    Gives the dead-lettered events that may be repaired by them.
    """
    events: set[Event] = set()
    for record in records:
        if record.value is None:
            continue
        opened = open_event(record.value, with_values(record.headers))
        if isinstance(opened, str):
            continue
        envelope, data = opened
        said: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if envelope.type == "session.ended":
            _end_session(writer, envelope.subject, said)
        if envelope.type == "request.made":
            # The first in Kafka's order is the one whose event is worked.
            line = (envelope.subject, str(said.get("body", "")), record.timestamp)
            writer.execute("INSERT OR IGNORE INTO requests VALUES (?, ?, ?)", line)
            done.bookings.add(envelope.subject)
        if not envelope.type.startswith("action."):
            continue
        if take_note(writer, said, record.timestamp) is Step.GOING:
            continue
        kind, result = _told(writer, envelope.type.removeprefix("action."), said, record.timestamp)
        writer.execute(
            "INSERT OR REPLACE INTO actions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.partition,
                record.offset,
                record.timestamp,
                envelope.subject,
                kind,
                str(said.get("by", "")),
                _why(said),
                _optional(said.get("event")),
                _optional(said.get("plan")),
                envelope.id,
                Identity(source=envelope.source, id=envelope.id).digest(),
                result,
            ),
        )
        done.bookings.add(envelope.subject)
        if kind == "repair":
            events |= all_of(writer, envelope.subject)
    return events


def _end_session(writer: sqlite3.Connection, digest: str, said: Mapping[str, Any]) -> None:
    try:
        until = datetime.fromisoformat(str(said.get("until")))
    except ValueError:
        return
    if until.tzinfo is None:
        return
    writer.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", (digest, milliseconds(until)))


def _told(writer: sqlite3.Connection, kind: str, said: Mapping[str, Any], at: int) -> tuple[str, str | None]:
    """What was done in a word, and what a note came to: nobody writes a line about it."""
    if kind != "note":
        return kind, None
    match notes.read(said):
        case notes.Reveal():
            return "reveal", "shown"
        case notes.Closing() as closing:
            notes.keep(writer, closing, by=str(said.get("by", "")), why=_why(said), at=at)
            return "close", f"{closing.total} closed"
        case None:
            return "note", "noted"


def _why(said: Mapping[str, Any]) -> str:
    return str(said.get("why", said.get("text", "")))


def _webhooks(writer: sqlite3.Connection, records: Iterable[Incoming]) -> None:
    for record in records:
        headers = _texts(record.headers)
        value = record.value or b""
        writer.execute(
            "INSERT OR REPLACE INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.partition,
                record.offset,
                record.timestamp,
                _text(record.key),
                headers.get("user-agent", ""),
                headers.get("x-verified-by", ""),
                headers.get("webhook-id", ""),
                headers.get("x-occurrence") or hashlib.sha256(value).hexdigest(),
                value[:LARGEST_EVENT],
            ),
        )


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers by name; of two with one name the last counts, which is ours."""
    return {name.lower(): value.decode("utf-8", "replace") for name, value in with_values(headers)}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None


def _optional(value: object) -> str | None:
    return None if value is None else str(value)
