"""The ops page with a million bookings and 5,000 held ones: what a person waits for, over HTTP.

The view's file is filled by the projector's own `apply`; the page is asked in the process that serves it, so
that the figures hold the asking too. The first request finds nothing ready: no page made, no query prepared.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from app.booking.events import RawEvent
from app.booking.identity import Identity
from app.booking.reasons import Reason
from app.booking.record import Head, Lane, Phase, State, Trouble, Waits, decode, encode
from app.booking.status import Status
from tests.bench import stock
from tests.bench.figures import Table, milliseconds, number, percentile
from tests.support.rows import Read
from tests.support.web import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.booking.record import Record
    from tests.bench.world import Bench

_BATCH = 20_000
_NAMES = ("Abel", "Baker", "Cruz", "Diaz", "Evans", "Foster", "Garcia", "Hughes", "Ito", "Jones", "Quetzal")
_GIVEN = ("Ana", "Ben", "Cleo", "Dan", "Eva")
_HELD_FOR = (Reason.AREA_NOT_SUPPORTED, Reason.RETRIES_USED_UP, Reason.NOT_PERMITTED, Reason.REFUSED)
_DAYS = 400


@dataclass(frozen=True, slots=True)
class _Stock:
    """How many bookings there are, how many of them are held or wait, and how many events are turned away."""

    bookings: int
    held: int
    waiting: int
    turned_away: int


def _record(one: stock.Known, place: int, count: _Stock) -> Record:
    record = decode(stock.row(one))
    booking = record.booked.model_copy(
        update={
            "first_name": _GIVEN[place % len(_GIVEN)],
            "last_name": f"{_NAMES[place % len(_NAMES)]}{place // 97 % 500}",
            "phone": f"602{place % 10_000_000:07}",
            "zip": f"{85001 + place * 31 % 500:05}",
        }
    )
    when = stock.NOW + timedelta(minutes=place * 7919 % (_DAYS * 1440) - _DAYS * 720)
    booking = booking.model_copy(update={"scheduled_date": when.isoformat(), "time_slot": None})
    record = replace(record, booking=booking, changed_at=stock.NOW - timedelta(seconds=place % 900_000))
    if place < count.held:
        return _held(record, place)
    if place < count.held + count.waiting:
        lane = Lane(
            phase=Phase.WAITING, head=_head(record), attempts=1, waits=Waits.RETRY, due=stock.NOW, turn=1
        )
        return replace(record, job=None, state=State.PENDING, lane=lane)
    if record.job is None:
        raise ValueError("the stock's bookings have jobs")
    ended = when < stock.NOW
    job = replace(
        record.job,
        start=when,
        end=when + timedelta(hours=2),
        status=Status.COMPLETED if ended else Status.SCHEDULED,
    )
    return replace(record, job=job, state=State.ENDED if ended else State.ACTIVE)


def _head(record: Record) -> Head:
    raw = RawEvent(topic="booking-events", partition=0, offset=0, key=None, value=b"{}")
    return Head(
        raw=raw,
        event_id=f"{record.booking_id}/created",
        digest=Identity(source=stock.SOURCE, id=f"{record.booking_id}/created").digest(),
        type="booking.created",
        time=stock.NOW,
        taken_at=stock.NOW,
    )


def _held(record: Record, place: int) -> Record:
    reason = _HELD_FOR[place % len(_HELD_FOR)]
    problem = Trouble(
        reason=reason, detail="The ZIP is outside", attempts=1, http_status=400, at=record.changed_at
    )
    lane = Lane(phase=Phase.HELD, head=_head(record), turn=1)
    return replace(record, job=None, state=State.HELD, lane=lane, problem=problem)


def _records(count: _Stock) -> Iterator[Read]:
    for place, one in enumerate(stock.known(count.bookings)):
        record = _record(one, place, count)
        yield Read(topic="bookings", key=one.booking.encode(), value=encode(record))
    for place in range(count.held + count.turned_away):
        held = place < count.held
        key = f"b-{place:07}" if held else f"junk-{place}"
        reason = _HELD_FOR[place % len(_HELD_FOR)] if held else Reason.UNREADABLE
        headers = (("x-reason", reason.value.encode()), ("x-detail", b"no JSON"))
        value = stock.creation(key, "6025550123") if held else b"{}"
        yield Read(topic="dead", key=key.encode(), value=value, headers=headers)


def _fill(served: Served, count: _Stock) -> None:
    records = _records(count)
    while batch := list(islice(records, _BATCH)):
        served.view.read(*batch)


@dataclass(frozen=True, slots=True)
class _Page:
    """What is asked for; with a form it is sent."""

    name: str
    path: str
    form: Mapping[str, str] | None = None


PAGES = (
    _Page("overview", "/ops"),
    _Page("bookings, latest change first", "/ops/bookings"),
    _Page("held ones", "/ops/bookings?q=state:held"),
    _Page("held, visit within a day", "/ops/bookings?q=state:held%20slot:%3C24h"),
    _Page("active with a ZIP's beginning", "/ops/bookings?q=state:active%20zip:850"),
    _Page("of one reason", "/ops/bookings?q=reason:area"),
    _Page("search by name", "/ops/bookings", {"q": "Quetzal10"}),
    _Page("search by a common given name", "/ops/bookings", {"q": "ana"}),
    _Page("search by phone", "/ops/bookings", {"q": "(602) 000-9000"}),
    _Page("one booking, held", "/ops/bookings/b-0000007"),
    _Page("one booking with its job", "/ops/bookings/b-0009000"),
    _Page("a reason's group", "/ops/reasons/area-not-supported"),
    _Page("a plan for that group", "/ops/plans", {"kind": "retry", "reason": "area-not-supported"}),
    _Page("what was turned away", "/ops/reasons/unreadable"),
    _Page("actions", "/ops/actions"),
)


async def run(bench: Bench) -> list[Table]:
    count = _Stock(
        bookings=bench.size(1_000_000, 20_000),
        held=bench.size(5_000, 1_000),
        waiting=bench.size(2_000, 200),
        turned_away=bench.size(2_000, 200),
    )
    folder = bench.folder / "ops"
    folder.mkdir()
    # A line for each request would be measured too.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    async with serving(folder) as served:
        served.now = stock.NOW
        served.view.set_progress(as_of=stock.NOW)
        begun = time.monotonic()
        _fill(served, count)
        filled = time.monotonic() - begun
        asked = bench.size(100, 10)
        rows = [await _timed(served, page, asked) for page in PAGES]
    return [
        Table(
            f"The ops page with {count.bookings:,} bookings, {count.held:,} of them held",
            ("", "first", "p50", "p99"),
            tuple(rows),
            said=f"The view was filled in {number(filled)} s. Each page was asked for {asked} times.",
        )
    ]


async def _timed(served: Served, page: _Page, count: int) -> tuple[str, ...]:
    method = "GET" if page.form is None else "POST"
    ours = {"Sec-Fetch-Site": "same-origin"}
    took = []
    for _ in range(count + 1):
        begun = time.perf_counter()
        address = served.address + page.path
        async with served.session.request(method, address, data=page.form, headers=ours) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{method} {page.path} answers {answer.status}")
        took.append(time.perf_counter() - begun)
    first, *rest = took
    return (page.name, *(milliseconds(one) for one in (first, percentile(rest, 50), percentile(rest, 99))))
