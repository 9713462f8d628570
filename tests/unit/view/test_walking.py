"""Walking over jobs by date: in order, whatever the pages, and none twice, though they are moved."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.booking.record import encode
from app.business_file import load_business
from app.view import schema, walking
from app.view.apply import apply
from app.view.config import ViewTopics
from tests.support.rows import NOW, Read, a_record, with_job

if TYPE_CHECKING:
    from app.booking.record import Record
    from app.view.rows import JobPage, Walk

TOPICS = ViewTopics(
    bookings="bookings", behind="behind", dead_letters="dead", signals="signals", webhooks="webhooks"
)
PARTITIONS = 2
STAMP = schema.Stamp(cluster="c", prefix="", partitions=PARTITIONS)
LAST = 20

BUSINESS = load_business()


@dataclass(slots=True)
class Log:
    """The changelog, as long as it has become."""

    records: list[Read] = field(default_factory=list)
    sequence: int = 0

    def put(self, record: Record | str, *, at: datetime = NOW) -> Read:
        """A row, or a tombstone for a booking of this id."""
        name = record if isinstance(record, str) else record.booking_id
        self.sequence += 1
        value = None if isinstance(record, str) else encode(replace(record, sequence=self.sequence))
        partition = sum(name.encode()) % PARTITIONS
        offset = sum(one.partition == partition for one in self.records)
        written = Read(
            topic="bookings",
            key=name.encode(),
            value=value,
            partition=partition,
            offset=offset,
            timestamp=schema.milliseconds(at),
        )
        self.records.append(written)
        return written

    def job(self, number: int, hour: int, *, at: datetime = NOW) -> Read:
        """A job whose visit is at that hour: new, or moved there."""
        start = NOW + timedelta(hours=hour)
        return self.put(with_job(f"b-{number}", number, job={"start": start}), at=at)


class Projection:
    """A view of the log; `read` takes in what it has not read yet, in one batch."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._read = 0
        # Held in memory: `schema.create` makes files.
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.database.row_factory = sqlite3.Row
        for statement in schema.TABLES.split(";\n"):
            self.database.execute(statement)

    def read(self, now: datetime = NOW) -> None:
        batch = self._log.records[self._read :]
        self._read += len(batch)
        apply(self.database, TOPICS, batch, business=BUSINESS, now=now)

    def page(self, limit: int, after: Walk | None = None, first: int = 0, last: int = LAST) -> JobPage:
        return walking.jobs_between(
            self.database,
            NOW + timedelta(hours=first),
            NOW + timedelta(hours=last),
            limit=limit,
            changelog="bookings",
            partitions=PARTITIONS,
            after=after,
        )

    def walk(self, limit: int, first: int = 0, last: int = LAST, after: Walk | None = None) -> list[int]:
        found: list[int] = []
        while True:
            page = self.page(limit, after, first, last)
            found += ids(page)
            if page.following is None:
                return found
            after = page.following


def ids(page: JobPage) -> list[int]:
    return [record.job.id for record in page.records if record.job]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def view(log: Log) -> Projection:
    return Projection(log)


def test_jobs_come_oldest_first_and_both_ends_count(log: Log, view: Projection) -> None:
    for number, hour in ((1, 3), (2, 1), (3, 2), (4, 4), (5, 2)):
        log.job(number, hour)
    log.put(a_record("none"))
    view.read()
    for limit in (1, 2, 3, 5, 10):
        assert view.walk(limit) == [2, 3, 5, 1, 4]
    assert view.walk(10, 2, 3) == [3, 5, 1]
    page = view.page(2, first=2, last=3)
    assert (page.total, page.following is None) == (3, False)
    assert view.walk(10, 5, 9) == []


def test_a_job_that_is_added_comes_when_the_walk_has_not_passed_it(log: Log, view: Projection) -> None:
    log.job(2, 2)
    log.job(4, 4)
    view.read()
    page = view.page(1)
    log.job(1, 1)
    log.job(3, 3)
    view.read()
    assert view.walk(9, after=page.following) == [3, 4]


def test_a_job_that_is_moved_ahead_of_the_walk_does_not_come_again(log: Log, view: Projection) -> None:
    for number in (1, 2, 3):
        log.job(number, number)
    view.read()
    page = view.page(1)
    assert ids(page) == [1]
    log.job(1, 5)
    view.read()
    assert view.walk(1, after=page.following) == [2, 3]
    assert view.walk(1) == [2, 3, 1], "a new walk sees it where it is"


def test_a_job_that_is_moved_behind_the_walk_is_not_passed_over(log: Log, view: Projection) -> None:
    for number in (1, 2, 3):
        log.job(number, number + 1)
    view.read()
    page = view.page(1)
    log.job(3, 0)
    view.read()
    rest = view.page(9, page.following)
    assert ids(rest) == [2, 3]
    assert rest.records[1].job is not None
    assert rest.records[1].job.start == NOW, "it is shown as it is now"


def test_however_often_a_job_is_moved_in_one_batch_or_many(log: Log, view: Projection) -> None:
    for number in (1, 2, 3):
        log.job(number, number)
    view.read()
    page = view.page(2)
    assert ids(page) == [1, 2]
    log.job(1, 5)
    log.job(1, 7)
    log.job(2, 9)
    view.read()
    assert view.walk(1, after=page.following) == [3]
    log.job(1, 8)
    log.job(2, 6)
    view.read()
    assert view.walk(1, after=page.following) == [3]


def test_a_job_that_was_added_and_moved_since_comes_once(log: Log, view: Projection) -> None:
    log.job(1, 1)
    log.job(5, 5)
    view.read()
    page = view.page(1)
    log.job(3, 3)
    view.read()
    second = view.page(1, page.following)
    assert ids(second) == [3]
    log.job(3, 4)
    view.read()
    assert view.walk(1, after=second.following) == [5]


def test_another_view_that_was_rebuilt_from_the_log_goes_on_with_the_walk(log: Log, view: Projection) -> None:
    for number in (1, 2, 3):
        log.job(number, number)
    view.read()
    page = view.page(1)
    log.job(1, 5)
    log.job(1, 6)
    other = Projection(log)
    other.read()
    assert other.walk(1, after=page.following) == [2, 3]


def test_a_view_that_has_read_less_says_so(log: Log, view: Projection) -> None:
    log.job(1, 1)
    other = Projection(log)
    other.read()
    log.job(2, 2)
    view.read()
    page = view.page(1)
    with pytest.raises(walking.NotSoFar):
        other.page(1, page.following)
    other.read()
    assert ids(other.page(1, page.following)) == [2]


def test_a_job_that_is_gone_does_not_come(log: Log, view: Projection) -> None:
    for number in (1, 2, 3):
        log.job(number, number)
    view.read()
    page = view.page(1)
    log.job(2, 5)
    log.put("b-2")
    view.read()
    assert view.walk(1, after=page.following) == [3]


def test_moves_of_long_ago_are_not_kept(log: Log, view: Projection) -> None:
    log.job(1, 1, at=NOW - timedelta(days=2))
    log.job(1, 2, at=NOW - walking.KEPT - timedelta(seconds=1))
    log.job(1, 3, at=NOW - walking.KEPT + timedelta(seconds=1))
    view.read()
    assert [tuple(one) for one in view.database.execute("SELECT booking_id, before FROM moves")] == [
        ("b-1", schema.milliseconds(NOW + timedelta(hours=2)))
    ]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("job"), st.integers(1, 6), st.integers(-2, 9)),
        st.just(("read", 0, 0)),
        st.just(("page", 0, 0)),
    ),
    max_size=40,
)


@given(steps, st.integers(1, 3))
@settings(max_examples=200)
def test_whatever_happens_no_job_comes_twice_and_none_that_was_there_is_passed_over(
    steps: list[tuple[str, int, int]], limit: int
) -> None:
    log = Log()
    views = (Projection(log), Projection(log))
    for number in (1, 2, 3, 4):
        log.job(number, number)
    views[0].read()
    page = views[0].page(limit)
    shown = ids(page)
    for kind, number, hour in steps:
        if kind == "job":
            log.job(number, hour)
        elif kind == "read":
            views[0].read()
        elif page.following is not None:
            # The other worker, which reads all at once, is asked in turn with the first.
            views[1].read()
            page = views[len(shown) % 2].page(limit, page.following)
            shown += ids(page)
    if page.following is not None:
        shown += views[0].walk(limit, after=page.following)
    assert len(shown) == len(set(shown))
    assert {1, 2, 3, 4} <= set(shown)


def test_a_walk_searches_and_never_scans_the_bookings(log: Log, view: Projection) -> None:
    log.job(1, 1)
    log.job(2, 2)
    view.read()
    page = view.page(1)
    log.job(2, 3)
    view.read()
    asked: list[str] = []
    view.database.set_trace_callback(asked.append)
    view.page(1, page.following)
    view.database.set_trace_callback(None)
    plans = [
        step[3]
        for one in asked
        if one.lstrip().startswith("SELECT")
        for step in view.database.execute(f"EXPLAIN QUERY PLAN {one}").fetchall()
    ]
    assert [step for step in plans if "bookings_start" in step and step.startswith("SEARCH")]
    assert [step for step in plans if step.startswith("SEARCH moves")]
    assert [
        step for step in plans if step.startswith("SCAN") and "json_each" not in step and "place" not in step
    ] == []
