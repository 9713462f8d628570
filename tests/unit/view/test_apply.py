"""What the view's database holds after a batch of records."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.booking.customers import customer_order, order_digest
from app.booking.events import LARGEST_EVENT, LARGEST_RECORD
from app.booking.identity import NOTHING_SEEN, Progress, mark
from app.booking.reasons import Reason
from app.booking.record import Lane, Phase, State, Waits, encode, encode_head
from app.business_file import load_business
from app.view import queries, schema
from app.view.apply import Applied, apply
from app.view.config import ViewTopics
from app.view.rows import Ended, OnItsWay, Owned
from tests.support.rows import NOW, Read, a_booking, a_failed, a_head, a_record, digest, held, with_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from app.booking.record import Record

TOPICS = ViewTopics(
    bookings="bookings", behind="behind", dead_letters="dead", signals="signals", webhooks="webhooks"
)
BUSINESS = load_business()
STAMP = schema.Stamp(cluster="c", prefix="", partitions=4)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    writer = schema.create(tmp_path / "view.sqlite3", STAMP, NOW)
    yield writer
    writer.close()


def put(database: sqlite3.Connection, *batch: Read) -> Applied:
    return apply(database, TOPICS, batch, business=BUSINESS, now=NOW)


def row(record: Record, offset: int = 0, partition: int = 0) -> Read:
    key = record.booking_id.encode()
    return Read(topic="bookings", key=key, value=encode(record), offset=offset, partition=partition)


def gone(booking_id: str, offset: int = 0) -> Read:
    return Read(topic="bookings", key=booking_id.encode(), value=None, offset=offset)


def sequences(database: sqlite3.Connection) -> dict[str, int]:
    rows = database.execute("SELECT booking_id, sequence FROM bookings").fetchall()
    return {one[0]: one[1] for one in rows}


def test_the_newest_rows_time_is_kafkas_whatever_comes_after_it(database: sqlite3.Connection) -> None:
    assert queries.newest_row(database) is None
    later = replace(row(a_record("b-1")), timestamp=schema.milliseconds(NOW) + 5_000)
    put(database, later)
    put(database, replace(row(a_record("b-2"), 1), timestamp=schema.milliseconds(NOW)))
    assert queries.newest_row(database) == NOW + timedelta(seconds=5)


def test_a_customer_is_used_as_long_as_another_booking_has_asked_for_it(
    database: sqlite3.Connection,
) -> None:
    ada, other = a_booking(), a_booking(lastName="Byron")
    order = customer_order(ada)

    def used(but: str) -> bool:
        return queries.uses_customer(database, order.phone, order_digest(order), but)

    put(database, row(a_record("b-1", booking=ada)), row(a_record("b-2", booking=other), 1))
    assert not used("b-1")
    assert used("b-2")
    put(database, row(a_record("b-3", booking=other, original=ada), 2))
    assert used("b-1")
    put(database, gone("b-3", 3))
    assert not used("b-1")


def test_a_booking_is_found_by_its_id_and_by_its_job(database: sqlite3.Connection) -> None:
    record = with_job("b-1", 1001)
    done = put(database, row(record, partition=3))
    assert done.bookings == {"b-1"}
    seen = queries.booking(database, "b-1")
    assert seen is not None
    assert (seen.record, seen.partition) == (record, 3)
    assert queries.booking_of_job(database, 1001) == seen
    assert queries.booking_of_job(database, 1002) is None
    assert queries.booking_of_job(database, 2**70) is None
    assert queries.booking(database, "b-2") is None


def test_a_batch_leaves_the_last_row_of_each_key_and_its_offsets(database: sqlite3.Connection) -> None:
    first = a_record("b-1")
    put(database, row(first, 4), row(replace(first, sequence=2), 5), row(a_record("b-2"), 9, partition=1))
    assert sequences(database) == {"b-1": 2, "b-2": 1}
    assert schema.positions(database) == {("bookings", 0): 6, ("bookings", 1): 10}


def test_an_older_row_never_follows_a_newer_one(database: sqlite3.Connection) -> None:
    newer, older = a_record(generation=2, sequence=5), a_record(generation=1, sequence=9)
    put(database, row(newer, 0))
    put(database, row(older, 1, partition=2))
    assert sequences(database) == {"b-1": 5}
    assert queries.regressions(database, [2], 10) == [Owned(booking_id="b-1", partition=2)]
    assert queries.regressions(database, [0], 10) == []


def test_since_when_all_jobs_that_go_on_are_known(database: sqlite3.Connection) -> None:
    assert queries.known_since(database) is None
    days = [timedelta(days=number) for number in range(3)]
    ended = with_job("b-0", 1000, job={"status_at": NOW - days[2]}, state=State.ENDED)
    active = [with_job(f"b-{n}", 1000 + n, job={"status_at": NOW - days[n]}) for n in (0, 1)]
    put(
        database,
        row(replace(ended, booking_id="b-9")),
        row(active[0], 1),
        row(active[1], 2),
        row(held("b-8"), 3),
    )
    assert queries.known_since(database) == NOW - days[1]


def test_a_regression_is_over_when_the_row_was_written_again(database: sqlite3.Connection) -> None:
    newer, older = a_record(sequence=5), a_record(sequence=4)
    put(database, row(newer, 0), row(older, 1))
    assert queries.regressions(database, [0], 10) == [Owned(booking_id="b-1", partition=0)]
    put(database, row(newer, 2))
    assert queries.regressions(database, [0], 10) == []
    put(database, row(newer, 3), row(older, 4), row(newer, 5))
    assert queries.regressions(database, [0], 10) == []


def test_a_tombstone_always_wins(database: sqlite3.Connection) -> None:
    put(database, row(held("b-1")), row(with_job("b-2", 7)))
    assert put(database, gone("b-1", 1)).bookings == {"b-1"}
    assert sequences(database) == {"b-2": 1}
    assert queries.attention_groups(database) == []
    put(database, row(a_record("b-2", sequence=9), 2), gone("b-2", 3), row(a_record("b-2", sequence=1), 4))
    assert sequences(database) == {"b-2": 1}


@given(
    st.lists(st.tuples(st.integers(0, 1), st.one_of(st.none(), st.integers(1, 4))), max_size=12), st.data()
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_batches_do_not_matter(
    tmp_path: Path, log: list[tuple[int, int | None]], data: st.DataObject
) -> None:
    """One batch, or one batch per record: the same bookings, and the same that went back."""
    reads = [
        gone(f"b-{key}", offset) if sequence is None else row(a_record(f"b-{key}", sequence=sequence), offset)
        for offset, (key, sequence) in enumerate(log)
    ]
    cut = data.draw(st.integers(0, len(reads)))
    found = []
    for parts in ([reads], [[one] for one in reads], [reads[:cut], reads[cut:]]):
        database = schema.create(tmp_path / "v.sqlite3", STAMP, NOW)
        for part in parts:
            put(database, *part)
        back = {one.booking_id for one in queries.regressions(database, [0], 10)}
        found.append((sequences(database), back))
        database.close()
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "value", [b"", b"no json", b"[]", b'{"generation": 9}', b'{"sequence": "x"}', b"\xff"]
)
def test_what_is_no_row_of_ours_is_left_out_and_told(database: sqlite3.Connection, value: bytes) -> None:
    put(database, row(a_record("b-1")))
    bad = Read(topic="bookings", key=b"b-1", value=value, offset=7, partition=1)
    keyless = Read(topic="bookings", key=None, value=encode(a_record()), offset=8, partition=1)
    done = put(database, bad, keyless, row(a_record("b-2"), 1))
    assert sorted(done.unreadable) == [("bookings", 1, 7), ("bookings", 1, 8)]
    assert sequences(database) == {"b-1": 1, "b-2": 1}
    assert schema.positions(database)["bookings", 1] == 9


def test_a_failing_batch_leaves_nothing_of_itself(database: sqlite3.Connection) -> None:
    def batch() -> Iterator[Read]:
        yield row(a_record("b-1"))
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        apply(database, TOPICS, batch(), business=BUSINESS, now=NOW)
    database.execute("CREATE TRIGGER full BEFORE INSERT ON positions BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(sqlite3.IntegrityError):
        put(database, row(a_record("b-1")))
    assert sequences(database) == {}


# Behind ---------------------------------------------------------------------------------------------------


def behind(booking_id: str, slot: str, event_id: str | None) -> Read:
    value = None if event_id is None else encode_head(a_head(event_id))
    return Read(topic="behind", key=f"{booking_id}/{slot}".encode(), value=value)


def test_events_behind_the_head_stand_in_order(database: sqlite3.Connection) -> None:
    record = a_record("b/1", lane=Lane(phase=Phase.HELD, head=a_head(), first=9, next=12))
    put(database, row(record))
    put(database, behind("b/1", "q11", "e-11"), behind("b/1", "q9", "e-9"), behind("b/1", "q10", "e-10"))
    seen = queries.booking(database, "b/1")
    assert seen is not None
    assert [head.event_id for head in seen.behind] == ["e-9", "e-10", "e-11"]
    put(database, behind("b/1", "q9", None))
    assert queries.head_row(database, "b/1", "q9") is None
    assert queries.head_row(database, "b/1", "q10") == encode_head(a_head("e-10"))


# Lanes to wake --------------------------------------------------------------------------------------------


def test_overdue_lanes_are_told_to_the_owner_of_their_partition(database: sqlite3.Connection) -> None:
    def waiting(booking_id: str, minutes: int) -> Record:
        lane = Lane(
            phase=Phase.WAITING,
            waits=Waits.RETRY,
            turn=3,
            head=a_head(),
            due=NOW + timedelta(minutes=minutes),
        )
        return a_record(booking_id, lane=lane)

    put(
        database,
        row(waiting("late", 1), partition=0),
        row(waiting("later", 2), partition=1),
        row(waiting("other", 1), partition=2),
        row(waiting("early", 9), partition=0),
        row(a_record("idle"), partition=0),
    )
    found = queries.overdue(database, NOW + timedelta(minutes=5), [0, 1], 10)
    assert [(lane.booking_id, lane.turn, lane.due) for lane in found] == [
        ("late", 3, NOW + timedelta(minutes=1)),
        ("later", 3, NOW + timedelta(minutes=2)),
    ]
    assert queries.overdue(database, NOW + timedelta(minutes=5), [], 10) == []
    put(database, row(a_record("late", sequence=2)))
    assert [lane.booking_id for lane in queries.overdue(database, NOW + timedelta(days=1), [0], 10)] == [
        "early"
    ]


def test_working_lanes_are_told(database: sqlite3.Connection) -> None:
    put(database, row(a_record("w", lane=Lane(phase=Phase.WORKING, turn=2)), partition=1), row(a_record("i")))
    assert [(one.booking_id, one.turn) for one in queries.working(database, [0, 1], 10)] == [("w", 2)]
    assert queries.working(database, [0], 10) == []


@pytest.mark.parametrize(
    ("state", "over"), [(state, state in {State.ENDED, State.CLOSED}) for state in State]
)
def test_what_is_over_is_told_from_its_day_on(database: sqlite3.Connection, state: State, over: bool) -> None:
    put(database, row(a_record("b-1", state=state)))
    found = queries.over(database, NOW + timedelta(seconds=1), [0], 10)
    assert [one.booking_id for one in found] == (["b-1"] if over else [])
    assert queries.over(database, NOW, [0], 10) == []


# What became of an event ----------------------------------------------------------------------------------


def test_what_became_of_an_event(database: sqlite3.Connection) -> None:
    seen = NOTHING_SEEN
    became: Progress | Reason
    for event, became in (("w", Progress.WORKED), ("r", Reason.LANE_FULL), ("o", Progress.ON_ITS_WAY)):
        seen = mark(seen, digest(event), became)
    put(database, row(a_record("b-1", seen=seen)))
    booking = queries.booking(database, "b-1")
    assert queries.fate(database, "b-1", [digest("w")]) == Ended(became=Progress.WORKED, booking=booking)
    assert queries.fate(database, "b-1", [digest("r")]) == Ended(became=Reason.LANE_FULL, booking=booking)
    assert queries.fate(database, "b-1", [digest("o")]) == OnItsWay(booking=booking)
    assert queries.fate(database, "b-1", [digest("never"), digest("w")]) == Ended(
        became=Progress.WORKED, booking=booking
    )
    assert queries.fate(database, "nobody", [digest("w")]) == OnItsWay(booking=None)


def dead_letter(
    key: bytes | None, value: bytes | None, reason: str = "unknown-booking", offset: int = 0
) -> Read:
    headers = {
        "x-reason": reason,
        "x-detail": "because",
        "x-attempt": "4",
        "x-http-status": "503",
        "x-original-topic": "booking-events",
        "x-original-partition": "2",
        "x-original-offset": "77",
        "x-trace-id": "t" * 32,
    }
    pairs = (("x-reason", b"the event's own"), *((name, text.encode()) for name, text in headers.items()))
    return Read(topic="dead", key=key, value=value, headers=pairs, offset=offset)


def an_event(event_id: str, booking_id: str = "b-9") -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "/booking-system",
            "type": "booking.cancelled",
            "subject": booking_id,
            "time": "2026-03-02T09:00:00Z",
            "data": {},
        }
    )


def test_an_event_that_left_no_row_ends_with_its_dead_letter(database: sqlite3.Connection) -> None:
    done = put(database, dead_letter(b"b-9", an_event("e-9")))
    assert done.bookings == {"b-9"}
    assert queries.fate(database, "b-9", [digest("e-9")]) == Ended(
        became=Reason.UNKNOWN_BOOKING, booking=None
    )
    (letter,) = queries.dead_letters(database, limit=5, booking_id="b-9")
    assert (letter.event_id, letter.type, letter.attempts, letter.http_status) == (
        "e-9",
        "booking.cancelled",
        4,
        503,
    )
    assert (letter.original_partition, letter.original_offset, letter.trace_id) == (2, 77, "t" * 32)
    assert letter.value == an_event("e-9")


def test_what_tells_of_the_failure_is_no_part_of_the_largest_event(database: sqlite3.Connection) -> None:
    event = an_event("e-9")[:-1] + b" " * (LARGEST_EVENT - len(an_event("e-9"))) + b"}"
    letter = dead_letter(b"b-9", event)
    own = ("own", b"x" * (LARGEST_RECORD - LARGEST_EVENT - 100))
    put(database, replace(letter, headers=(own, *letter.headers)))
    assert queries.dead_letters(database, limit=1)[0].event_id == "e-9"


@pytest.mark.parametrize("topic", ["dead", "signals", "webhooks"])
def test_a_header_without_a_value_is_an_empty_one(database: sqlite3.Connection, topic: str) -> None:
    letter = dead_letter(b"b-9", an_event("e-9"))
    put(database, replace(letter, topic=topic, headers=(("x-empty", None), *letter.headers)))
    rows = queries.dead_letters(database, limit=5, booking_id="b-9")
    assert [row.event_id for row in rows] == (["e-9"] if topic == "dead" else [])


@pytest.mark.parametrize(
    ("key", "value"), [(None, None), (b"\xff", b"\x00"), (b"b-1", b""), (b"b-1", b"x" * 1_000_000)]
)
def test_any_dead_letter_is_kept(
    database: sqlite3.Connection, key: bytes | None, value: bytes | None
) -> None:
    put(database, dead_letter(key, value, "unreadable"))
    (letter,) = queries.dead_letters(database, limit=5, reason="unreadable")
    assert letter.size == len(value or b"")
    assert letter.value == (value if letter.size < 70_000 else None)
    assert letter.event_id is None


# For people -----------------------------------------------------------------------------------------------


def test_what_needs_attention_is_grouped_with_the_next_visit(database: sqlite3.Connection) -> None:
    put(
        database,
        row(held("b-1", booking=a_booking(scheduledDate="2026-03-09T16:00:00Z"))),
        row(held("b-2", booking=a_booking(scheduledDate="2026-03-03T16:00:00Z"))),
        row(with_job("b-3", 3, failed=(a_failed(),))),
        row(with_job("b-4", 4)),
    )
    groups = queries.attention_groups(database)
    assert [(group.reason, group.bookings) for group in groups] == [
        (Reason.AREA_NOT_SUPPORTED, 2),
        (Reason.ILLEGAL_TRANSITION, 1),
    ]
    assert groups[0].next_visit == datetime(2026, 3, 3, 16, tzinfo=UTC)
    lines = queries.attention_lines(database, Reason.AREA_NOT_SUPPORTED, 10)
    assert [line.booking_id for line in lines] == ["b-2", "b-1"]
    ended = replace(with_job("b-0", 9, failed=(a_failed(),), job={"start": NOW}), state=State.ENDED)
    put(database, row(ended))
    assert queries.attention_groups(database) == [groups[0], replace(groups[1], bookings=2)], (
        "it is not urgent"
    )
    assert [one.booking_id for one in queries.attention_lines(database, Reason.ILLEGAL_TRANSITION, 9)] == [
        "b-3",
        "b-0",
    ]
    put(database, row(with_job("b-0", 9, sequence=2)))
    (failed,) = queries.attention_lines(database, Reason.ILLEGAL_TRANSITION, 10)
    assert (failed.slot, failed.event_id) == ("f0", "e-9")
    put(database, row(with_job("b-2", 2, sequence=2)), row(with_job("b-3", 3, sequence=2)))
    assert [(group.reason, group.bookings) for group in queries.attention_groups(database)] == [
        (Reason.AREA_NOT_SUPPORTED, 1)
    ]


def test_counts(database: sqlite3.Connection) -> None:
    assert queries.counts(database).jobs == 0
    later = NOW + timedelta(hours=1)
    put(
        database,
        row(held("b-1")),
        row(with_job("b-2", 2, job={"created_at": later})),
        row(with_job("b-3", 1)),
    )
    found = queries.counts(database)
    assert found.states == {State.HELD: 1, State.ACTIVE: 2}
    assert (found.jobs, found.last_job_created) == (2, later)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Lovelace", ["b-1"]),
        ("ada l", ["b-1"]),
        ("LOVELACE, A", ["b-1"]),
        ("grace", ["b-2"]),
        ("602 555-0123", ["b-1"]),
        ("+1 (602) 555-0123", ["b-1"]),
        ("850", ["b-1"]),
        ("0123", ["b-1"]),
        ("99", []),
        ("9999", ["b-2"]),
        ("(555) 9999", ["b-2"]),
        ("ADA@example", ["b-1", "b-2"]),
        ("1 main", ["b-1", "b-2"]),
        ("Main Street", ["b-1", "b-2"]),
        ("job-001007", ["b-2"]),
        ("1007", ["b-2"]),
        ("B-", ["b-1", "b-2"]),
        ("B-1", ["b-1"]),
        ("phone 3", []),
        ("b-", ["b-1", "b-2"]),
        ("%", []),
        ("", []),
    ],
)
def test_search(database: sqlite3.Connection, text: str, found: list[str]) -> None:
    other = a_booking(firstName="Grace", lastName="Hopper", phone="480-555-9999", zip="86001")
    put(database, row(a_record("b-1")), row(with_job("b-2", 1007, booking=other)))
    assert [seen.record.booking_id for seen in queries.search(database, text, 10)] == found


def test_what_a_booking_was_found_by_goes_with_it(database: sqlite3.Connection) -> None:
    put(database, row(a_record("b-1")))
    put(database, row(a_record("b-1", sequence=2, booking=a_booking(lastName="Hopper"))))
    assert queries.search(database, "lovelace", 10) == []
    assert len(queries.search(database, "hopper", 10)) == 1
    assert len(queries.search(database, "0123", 10)) == 1
    put(database, Read(topic="bookings", key=b"b-1", value=None))
    assert database.execute("SELECT COUNT(*) FROM words").fetchone()[0] == 0


def test_actions_and_notes_are_told_and_other_signals_are_not(database: sqlite3.Connection) -> None:
    def signal(kind: str, subject: str, data: dict[str, str], offset: int) -> Read:
        document = {
            "specversion": "1.0",
            "id": f"s-{offset}",
            "source": "/servicetitan-stream",
            "type": kind,
            "subject": subject,
            "time": "2026-03-02T09:00:00Z",
            "data": data,
        }
        return Read(topic="signals", key=subject.encode(), value=orjson.dumps(document), offset=offset)

    put(
        database,
        signal("action.retry", "b-1", {"by": "ann", "why": "it is up again", "event": "e-1", "plan": "p"}, 0),
        signal("job.observed", "b-1", {"jobId": "1"}, 1),
        signal("action.note", "refused", {"reason": "refused", "text": "asked them", "by": "bo"}, 2),
        Read(topic="signals", key=b"b-1", value=b"no event", offset=3),
        Read(topic="signals", key=b"b-1", value=None, offset=4),
    )
    found = {(one.subject, one.kind, one.by, one.why) for one in queries.actions(database, limit=9)}
    assert found == {
        ("b-1", "retry", "ann", "it is up again"),
        ("refused", "note", "bo", "asked them"),
    }
    (retry,) = queries.actions(database, limit=9, subject="b-1")
    assert (retry.event, retry.plan, retry.event_id) == ("e-1", "p", "s-0")


def test_sessions_that_were_signed_out_are_known_until_they_would_have_ended(
    database: sqlite3.Connection,
) -> None:
    def ended(session: str, until: object, offset: int) -> Read:
        document = {
            "specversion": "1.0",
            "id": f"s{offset}",
            "source": "/servicetitan-stream",
            "type": "session.ended",
            "subject": session,
            "time": "2026-11-24T12:00:00Z",
            "data": {"until": until},
        }
        return Read(topic="signals", key=session.encode(), value=orjson.dumps(document), offset=offset)

    put(
        database,
        ended("one", (NOW + timedelta(hours=1)).isoformat(), 0),
        ended("over", (NOW - timedelta(hours=1)).isoformat(), 1),
        ended("soon", "soon", 2),
        ended("naive", "2099-01-01T00:00:00", 3),
        ended("none", None, 4),
    )
    assert queries.sessions_over(database, now=NOW) == {"one"}


def test_webhooks_are_told_with_their_copies(database: sqlite3.Connection) -> None:
    def hook(body: bytes, offset: int) -> Read:
        headers = (("user-agent", b"ST/1"), ("x-verified-by", b"key 1"), ("webhook-id", b"m-1"))
        return Read(topic="webhooks", key=b"1001", value=body, offset=offset, headers=headers)

    put(database, hook(b"a", 0), hook(b"a", 1), hook(b"b", 2))
    found = queries.webhooks(database, limit=9)
    assert sorted(one.copies for one in found) == [1, 2, 2]
    assert {(one.job_id, one.sender, one.verified, one.delivery) for one in found} == {
        ("1001", "ST/1", "key 1", "m-1")
    }


# What must be fast ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        (queries.booking, ("b",)),
        (queries.booking_of_job, (1,)),
        (queries.overdue, (NOW, [0, 1, 2], 9)),
        (queries.working, ([0, 1, 2], 9)),
        (queries.over, (NOW, [0, 1, 2], 9)),
        (queries.attention_groups, ()),
        (queries.attention_lines, (Reason.REFUSED, 9)),
        (queries.search, ("ada", 9)),
        (queries.search, ("6025550123", 9)),
        (queries.fate, ("b", ["d"])),
        (queries.counts, ()),
    ],
)
def test_no_question_scans_the_bookings(
    database: sqlite3.Connection, question: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    """Looked at with SQLite's own plan: every step of every statement searches, or walks an index alone."""
    asked: list[str] = []
    database.set_trace_callback(asked.append)
    question(database, *arguments)
    database.set_trace_callback(None)
    assert asked
    for statement in asked:
        plan = database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        assert [step[3] for step in plan if step[3].endswith("SCAN bookings")] == []
