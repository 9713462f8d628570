"""The view's database: its tables, what it is stamped with, and how it is opened."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

VERSION = 9
"""Of the tables below; a file of another version is rebuilt."""

TABLES = """
CREATE TABLE stamp (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE positions (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

-- `row` is the record as its owner wrote it, the columns are what is searched by. Times: epoch milliseconds.
CREATE TABLE bookings (
    booking_id TEXT NOT NULL PRIMARY KEY,
    partition INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    state TEXT NOT NULL,
    phase TEXT NOT NULL,
    turn INTEGER NOT NULL,
    due INTEGER,
    changed INTEGER NOT NULL,
    job_id INTEGER,
    job_start INTEGER,
    visit INTEGER NOT NULL,
    shown TEXT NOT NULL,
    words TEXT NOT NULL,
    zip TEXT NOT NULL,
    row BLOB NOT NULL
);
CREATE INDEX bookings_job ON bookings (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX bookings_start ON bookings (job_start, job_id) WHERE job_id IS NOT NULL;
CREATE INDEX bookings_due ON bookings (due, partition) WHERE due IS NOT NULL;
CREATE INDEX bookings_working ON bookings (partition, changed) WHERE phase = 'working';
CREATE INDEX bookings_over ON bookings (changed) WHERE state IN ('ended', 'closed') AND phase = 'idle';
CREATE INDEX bookings_state ON bookings (state, visit);
CREATE INDEX bookings_phase ON bookings (phase);
CREATE INDEX bookings_shown ON bookings (shown, visit);
CREATE INDEX bookings_zip ON bookings (zip, state, visit);
CREATE INDEX bookings_visit ON bookings (visit, booking_id);
CREATE INDEX bookings_changed ON bookings (changed, booking_id);

-- What a booking is found by when somebody types its beginning: see `columns.words`.
CREATE TABLE words (
    word TEXT NOT NULL, booking_id TEXT NOT NULL,
    PRIMARY KEY (word, booking_id)
) WITHOUT ROWID;

-- Where a job's visit started before a row of the changelog moved it; of the last hours.
CREATE TABLE moves (
    partition INTEGER NOT NULL, number INTEGER NOT NULL, booking_id TEXT NOT NULL, before INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (partition, number)
) WITHOUT ROWID;

-- One line for each event that failed for good and may still be acted on; slot '' is a held creation.
CREATE TABLE attention (
    booking_id TEXT NOT NULL, slot TEXT NOT NULL, reason TEXT NOT NULL, event_id TEXT NOT NULL,
    type TEXT NOT NULL, at INTEGER NOT NULL, visit INTEGER NOT NULL, over INTEGER NOT NULL,
    PRIMARY KEY (booking_id, slot)
) WITHOUT ROWID;
CREATE INDEX attention_reason ON attention (reason, visit);
CREATE INDEX attention_urgent ON attention (reason, over, visit);

-- Bookings whose last row in the changelog is lower than one before it, until their owner wrote again.
CREATE TABLE regressions (booking_id TEXT PRIMARY KEY, partition INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE behind (
    booking_id TEXT NOT NULL, slot TEXT NOT NULL, row BLOB NOT NULL,
    PRIMARY KEY (booking_id, slot)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
    partition INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, booking_id TEXT,
    reason TEXT NOT NULL, detail TEXT NOT NULL, attempts INTEGER NOT NULL, http_status INTEGER,
    event_id TEXT, digest TEXT, type TEXT, trace_id TEXT,
    original_topic TEXT, original_partition INTEGER, original_offset INTEGER,
    size INTEGER NOT NULL, value BLOB, first_failed TEXT,
    PRIMARY KEY (partition, number)
);
CREATE INDEX dead_letters_origin ON dead_letters (original_topic, original_partition, original_offset);
CREATE INDEX dead_letters_at ON dead_letters (at);
CREATE INDEX dead_letters_booking ON dead_letters (booking_id, digest);
CREATE INDEX dead_letters_reason ON dead_letters (reason, at);

-- Those of them that no lane has and that nobody has acted on yet: see `weighing`.
CREATE TABLE turned_away (
    partition INTEGER NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
    booking_id TEXT,
    PRIMARY KEY (partition, number)
) WITHOUT ROWID;
CREATE INDEX turned_away_at ON turned_away (at);
CREATE INDEX turned_away_reason ON turned_away (reason, at);
CREATE INDEX turned_away_booking ON turned_away (booking_id, at);

CREATE TABLE actions (
    partition INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, subject TEXT NOT NULL,
    kind TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, event TEXT, plan TEXT, event_id TEXT NOT NULL,
    digest TEXT NOT NULL, result TEXT,
    PRIMARY KEY (partition, number)
);
CREATE INDEX actions_at ON actions (at);
CREATE INDEX actions_subject ON actions (subject, at);
CREATE INDEX actions_plan ON actions (plan, subject, event) WHERE plan IS NOT NULL;

-- Dead letters that operators closed; partition and number -1 are a reason's up to `until`.
CREATE TABLE closings (
    reason TEXT NOT NULL, partition INTEGER NOT NULL, number INTEGER NOT NULL, until INTEGER NOT NULL,
    by TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (reason, partition, number)
) WITHOUT ROWID;

-- Sessions of the page that were signed out, by the digest of their cookies, until they would end anyhow.
CREATE TABLE sessions (
    digest TEXT NOT NULL PRIMARY KEY, until INTEGER NOT NULL
) WITHOUT ROWID;

-- Requests that came with an Idempotency-Key, by the event's id: the digest of the body that came first.
CREATE TABLE requests (
    event_id TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;

-- What operators do to many at once, as far as notes tell; `bookings` is a JSON list, null for any.
CREATE TABLE plans (
    plan TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, reason TEXT NOT NULL, bookings TEXT,
    until INTEGER NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, total INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    step TEXT NOT NULL, step_by TEXT NOT NULL, step_why TEXT NOT NULL, step_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX plans_begun ON plans (begun);

CREATE TABLE webhooks (
    partition INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, job_id TEXT,
    sender TEXT NOT NULL, verified TEXT NOT NULL, delivery TEXT NOT NULL, digest TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (partition, number)
);
CREATE INDEX webhooks_at ON webhooks (at);
CREATE INDEX webhooks_job ON webhooks (job_id, at);
CREATE INDEX webhooks_digest ON webhooks (digest, at);
"""

CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Which Kafka a file was projected from; one of another is worth nothing."""

    cluster: str
    prefix: str
    partitions: int
    version: int = VERSION


def create(path: Path, stamp: Stamp, now: datetime) -> sqlite3.Connection:
    """A new database with this stamp, in the place of whatever was there."""
    remove(path)
    writer = connect(path)
    with transaction(writer):
        for statement in TABLES.split(";\n"):
            writer.execute(statement)
        facts = {
            "cluster": stamp.cluster,
            "prefix": stamp.prefix,
            "partitions": str(stamp.partitions),
            "version": str(stamp.version),
        }
        writer.executemany("INSERT INTO stamp VALUES (?, ?)", facts.items())
        mark_written(writer, now)
    return writer


def remove(path: Path) -> None:
    """Nothing is left of the database."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def connect(path: Path) -> sqlite3.Connection:
    """A connection for writing; transactions are begun and ended by `transaction`."""
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.row_factory = sqlite3.Row
    writer.executescript(
        # NORMAL: a power cut may undo the last transactions, which hold their offsets and are done again.
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
        "PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864;"
    )
    return writer


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read; it sees whole transactions."""
    reader = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    reader.row_factory = sqlite3.Row
    reader.executescript("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")
    return reader


@contextlib.contextmanager
def snapshot(reader: sqlite3.Connection) -> Iterator[None]:
    """All that is read in it is of one moment."""
    reader.execute("BEGIN")
    try:
        yield
    finally:
        reader.execute("ROLLBACK")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def mark_written(writer: sqlite3.Connection, now: datetime) -> None:
    """The file is good as of now."""
    writer.execute("INSERT OR REPLACE INTO stamp VALUES ('written', ?)", (now.isoformat(),))


def mark_newest(writer: sqlite3.Connection, at: int) -> None:
    """A row of this time was read (epoch milliseconds)."""
    writer.execute(
        "INSERT INTO stamp VALUES ('newest', ?) ON CONFLICT (name) "
        "DO UPDATE SET value = excluded.value WHERE CAST(value AS INTEGER) < CAST(excluded.value AS INTEGER)",
        (str(at),),
    )


def newest_row(connection: sqlite3.Connection) -> datetime | None:
    """The time of the newest row in the changelog; None before one was read."""
    row = connection.execute("SELECT value FROM stamp WHERE name = 'newest'").fetchone()
    return None if row is None else instant(int(row[0]))


def read_stamp(connection: sqlite3.Connection) -> tuple[Stamp, datetime]:
    """What the file is stamped with, and when it was last written. Raises KeyError, ValueError without."""
    facts = dict(connection.execute("SELECT name, value FROM stamp").fetchall())
    stamp = Stamp(
        cluster=facts["cluster"],
        prefix=facts["prefix"],
        partitions=int(facts["partitions"]),
        version=int(facts["version"]),
    )
    return stamp, datetime.fromisoformat(facts["written"])


def positions(connection: sqlite3.Connection) -> dict[tuple[str, int], int]:
    """The next offset of each partition that was read."""
    rows = connection.execute("SELECT topic, partition, next FROM positions").fetchall()
    return {(topic, partition): number for topic, partition, number in rows}


def milliseconds(when: datetime) -> int:
    """A time as it is stored."""
    return round(when.timestamp() * 1000)


def instant(stored: int) -> datetime:
    """A stored time."""
    return datetime.fromtimestamp(stored / 1000, UTC)
