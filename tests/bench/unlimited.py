"""No limit upstream, 100 ms per call: events per second, CPU seconds, memory, beside the plain loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench import stock
from tests.bench.figures import Table, median, number, times
from tests.bench.processes import Process
from tests.bench.world import NO_LIMIT, TOOK, Bench, World, seen, stub, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.processes import Cost
    from tests.bench.stock import Known

UPSTREAM_SECONDS = 0.1
EACH = 4
PATIENCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Run:
    """One run: events per second from the first call to the last answer, and what the process spent."""

    rate: float
    cost: Cost
    events: int
    megabytes: float

    @property
    def per_thousand(self) -> float:
        return self.cost.whole * 1000 / self.events

    @property
    def main_per_thousand(self) -> float:
        return self.cost.main * 1000 / self.events


def rounds(bookings: list[Known], each: int = EACH) -> Iterator[tuple[str, bytes]]:
    """So many reschedules of each booking, one of every booking after the other."""
    for number_ in range(each):
        for one in bookings:
            yield one.booking, stock.reschedule(one.booking, number_)


async def accepted(upstream: str, count: int) -> list[float]:
    """When each reschedule was accepted (monotonic seconds), the first call first, once there are so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            told = await seen(upstream)
            if len(told["accepted"]) >= count:
                return [told["first"], *told["accepted"]]
            await asyncio.sleep(0.25)


async def measured(process: Process, ours: World, upstream: str, bookings: list[Known]) -> Run:
    """Send the rounds to a process that is ready, and see it through."""
    await process.said(TOOK)
    await asyncio.sleep(1)
    before = process.cost()
    events = len(bookings) * EACH
    await ours.send(rounds(bookings))
    moments = await accepted(upstream, events)
    # The last answers are still to be written down.
    await asyncio.sleep(1)
    rate = events / (moments[-1] - moments[0])
    return Run(rate, process.cost() - before, events, process.megabytes("VmHWM"))


async def worker_run(bench: Bench, in_flight: int, bookings: list[Known]) -> Run:
    async with stub(bench, delay=UPSTREAM_SECONDS) as upstream:
        ours = await world(
            bench, upstream, SERVICETITAN_CALLS_PER_SECOND=NO_LIMIT, MAX_CALLS_IN_FLIGHT=str(in_flight)
        )
        await ours.hold(bookings)
        with ours.worker() as worker:
            return await measured(worker, ours, upstream, bookings)


async def plain_run(bench: Bench, in_flight: int, bookings: list[Known], *, durable: bool = False) -> Run:
    async with stub(bench, delay=UPSTREAM_SECONDS) as upstream:
        ours = await world(bench, upstream)
        journal = (ours.topics.changelog("bookings").name,) if durable else ()
        arguments = (bench.servers, ours.topics.booking_events.name, upstream, str(in_flight), *journal)
        with Process(ours.folder / "plain.log", "tests.bench.plain_loop", *arguments) as loop:
            return await measured(loop, ours, upstream, bookings)


async def run(bench: Bench) -> list[Table]:
    lines = []
    for in_flight, count in ((50, bench.size(750, 300)), (500, bench.size(5_000, 500))):
        bookings = stock.known(count)
        here = [await worker_run(bench, in_flight, bookings) for _ in range(bench.runs)]
        plain = [await plain_run(bench, in_flight, bookings) for _ in range(bench.runs)]
        durable = [await plain_run(bench, in_flight, bookings, durable=True) for _ in range(bench.runs)]
        named = {"this service": here, "plain loop": plain, "plain loop, three records each": durable}
        lines += [_line(name, in_flight, runs, plain) for name, runs in named.items()]
    return [
        Table(
            "No limit: one call per event, 100 ms upstream, order kept",
            (
                "",
                "in flight",
                "events/s",
                "of plain",
                "CPU s per 1,000 calls",
                "its main thread",
                "peak memory",
            ),
            tuple(lines),
            said=(
                "Reschedules, 4 of each existing booking, sent to a worker that is ready. Exactly once takes "
                "three acknowledged records for each event: the last loop writes such, and nothing else."
            ),
        )
    ]


def _line(name: str, in_flight: int, runs: list[Run], plain: list[Run]) -> tuple[str, ...]:
    rate = median(run.rate for run in runs)
    return (
        name,
        str(in_flight),
        number(rate),
        times(rate / median(run.rate for run in plain)),
        number(median(run.per_thousand for run in runs), 2),
        number(median(run.main_per_thousand for run in runs), 2),
        f"{number(median(run.megabytes for run in runs))} MB",
    )
