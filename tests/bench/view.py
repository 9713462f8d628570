"""The view of a million jobs: how fast it is rebuilt from Kafka, how large it is, how fast it answers."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.bench import stock
from tests.bench.figures import Table, milliseconds, number, percentile
from tests.bench.latency import view_cpu, view_of
from tests.bench.world import Bench, world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.view.view import View

_PAGE = 50


async def _timed(question: Callable[[], Awaitable[object]], count: int) -> list[float]:
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        await question()
        took.append(time.perf_counter() - begun)
    return took


async def run(bench: Bench) -> list[Table]:
    jobs = bench.size(1_000_000, 20_000)
    ours = await world(bench, "http://127.0.0.1:1")
    await ours.hold(stock.known(jobs))
    view = view_of(ours)
    begun = time.monotonic()
    await view.start()
    try:
        await view.until_caught_up()
        seconds = time.monotonic() - begun
        cpu = view_cpu(view)
        size = sum(path.stat().st_size for path in (ours.folder / "view").iterdir())
        asked = await _ask(view, jobs, bench.size(2_000, 200))
    finally:
        await view.stop()
    built = Table(
        f"The view rebuilt from Kafka, {jobs:,} bookings",
        ("seconds", "rows/s", "CPU s per 1,000 rows", "size"),
        (
            (
                number(seconds, 1),
                number(jobs / seconds),
                number(cpu * 1000 / jobs, 3),
                f"{number(size / 2**20)} MB",
            ),
        ),
    )
    return [built, asked]


async def _ask(view: View, jobs: int, count: int) -> Table:
    draw = random.Random(1)
    first, days = stock.first_visit(), min(300, jobs // 1_440)

    def booking() -> Awaitable[object]:
        return view.booking(f"b-{draw.randrange(jobs):07}")

    def job() -> Awaitable[object]:
        return view.booking_of_job(1_000_000 + draw.randrange(jobs))

    def day() -> Awaitable[object]:
        start = first + timedelta(days=draw.randrange(days))
        return view.jobs_between(start, start + timedelta(days=1), limit=_PAGE)

    lines = []
    for name, question, asked in (
        ("by booking id", booking, count),
        ("by job id", job, count),
        (f"by a day's range, a page of {_PAGE}", day, count // 4),
    ):
        await _timed(question, 20)
        took = await _timed(question, asked)
        lines.append((name, milliseconds(percentile(took, 50)), milliseconds(percentile(took, 99))))
        await asyncio.sleep(0)
    return Table(f"Look-ups in the view with {jobs:,} jobs", ("", "p50", "p99"), tuple(lines))
