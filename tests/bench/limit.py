"""A backlog under ServiceTitan's limit: how long it takes, how much of the limit is used, 429s caused."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson

from app.simulator.wire.dates import parse_instant
from app.stream.partition import partition_for
from tests.bench import stock
from tests.bench.figures import Table, median, number, share
from tests.bench.processes import Process
from tests.bench.stock import Known
from tests.bench.world import PARTITIONS, TOOK, Bench, seen, world

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 60
_ROUTE = "PATCH /jpm/v2/tenant/{tenant}/appointments/{id}/reschedule"
_HOT_PARTITIONS = 3
_HOT_SHARE = 0.8
_SETTLE_SECONDS = 5
PATIENCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds from the first to the last call as the simulator saw them, and the 429s it gave."""

    events: int
    seconds: float
    refused: int

    @property
    def used(self) -> float:
        return self.events / (LIMIT * self.seconds)


def booking_ids(count: int, *, even: bool) -> list[str]:
    """Ids over all partitions, so many in each, or most of them in a quarter of the partitions."""
    if even:
        each = [_ids_in(range(one, one + 1), count // PARTITIONS) for one in range(PARTITIONS)]
        return [booking for row in zip(*each, strict=True) for booking in row]
    hot = round(count * _HOT_SHARE)
    return [*_ids_in(range(_HOT_PARTITIONS), hot), *_ids_in(range(_HOT_PARTITIONS, PARTITIONS), count - hot)]


def _ids_in(partitions: range, count: int) -> list[str]:
    found: list[str] = []
    number_ = 0
    while len(found) < count:
        number_ += 1
        booking = f"b-{partitions.start}-{number_}"
        if partition_for(booking.encode(), PARTITIONS) in partitions:
            found.append(booking)
    return found


async def one(bench: Bench, events: int, workers: int, *, even: bool) -> Run:
    """One run with so many workers."""
    ids = bench.folder / f"ids-{uuid4().hex[:8]}.json"
    ids.write_bytes(orjson.dumps(booking_ids(events, even=even)))
    log = ids.with_suffix(".log")
    async with AsyncExitStack() as stack:
        simulator = stack.enter_context(Process(log, "tests.bench.simulator", str(ids), str(LIMIT)))
        upstream = await simulator.said("http://127.0.0.1")
        url = upstream[upstream.index("http://") :].split(",")[0]
        known = [Known(**row) for row in orjson.loads(await simulator.said('[{"booking"'))]
        ours = await world(bench, url)
        await ours.hold(known)
        fleet = stack.enter_context(ExitStack())
        started = [fleet.enter_context(ours.worker(f"worker-{n}")) for n in range(workers)]
        for worker in started:
            await worker.said(TOOK)
        await asyncio.sleep(_SETTLE_SECONDS)
        await ours.send(_events(known))
        return await _seen_through(url, events)


def _events(known: list[Known]) -> Iterator[tuple[str, bytes]]:
    return ((one.booking, stock.reschedule(one.booking, 0)) for one in known)


async def _seen_through(url: str, events: int) -> Run:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await seen(url, "/simulator/stats"))["byRoute"].get(_ROUTE, 0) < events:
            await asyncio.sleep(0.5)
    told = await seen(url, f"/simulator/calls?limit={events * 2}")
    moments = [
        parse_instant(call["at"]).timestamp()
        for call in told["calls"]
        if f"{call['method']} {call['route']}" == _ROUTE
    ]
    stats = await seen(url, "/simulator/stats")
    return Run(events, max(moments) - min(moments), stats["tooMany"])


async def run(bench: Bench) -> list[Table]:
    """One after the other: where processes wait for a core, calls arrive together that were sent apart."""
    full, short = bench.size(1_200, 240), bench.size(600, 120)
    rows = [
        _line(workers, [await one(bench, events, workers, even=even) for _ in range(bench.runs)], even=even)
        for workers in (1, 2, 4)
        for even, events in ((True, full), (False, short))
    ]
    return [
        Table(
            f"A backlog under the limit of {LIMIT} calls a second",
            ("workers", "load", "events", "ideal, s", "seconds, first call to last", "of the limit", "429s"),
            tuple(rows),
            said="Even: as many in each partition. "
            f"Uneven: {_HOT_SHARE:.0%} of the events in {_HOT_PARTITIONS} of {PARTITIONS} partitions. "
            "429s: the most in a run.",
        )
    ]


def _line(workers: int, runs: list[Run], *, even: bool) -> tuple[str, ...]:
    events = runs[0].events
    return (
        str(workers),
        "even" if even else "uneven",
        number(events),
        number(events / LIMIT, 1),
        number(median(run.seconds for run in runs), 1),
        share(median(run.used for run in runs)),
        str(max(run.refused for run in runs)),
    )
