"""Back to work after SIGKILL, with many bookings in the table, by store."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from tests.bench import stock
from tests.bench.figures import Table, number
from tests.bench.unlimited import accepted
from tests.bench.world import TOOK, Bench, World, stub, world

if TYPE_CHECKING:
    from tests.bench.processes import Process

ASSIGNED = "were assigned"
_FILL_SECONDS = 180


async def _told_at(worker: Process, what: str, times: int) -> float:
    line = orjson.loads(await worker.said(what, times=times, seconds=_FILL_SECONDS))
    return datetime.fromisoformat(line["time"]).timestamp()


async def one(ours: World, upstream: str, store: str, done: int) -> tuple[str, ...]:
    """Fill the store, kill the worker, start it again with an event waiting."""
    booking = stock.known(1)[0].booking
    with ours.worker(store, STORE=store) as worker:
        filled = await _told_at(worker, TOOK, 1) - await _told_at(worker, ASSIGNED, 1)
        worker.kill()
    await ours.send([(booking, stock.reschedule(booking, done))])
    begun = time.time()
    with ours.worker(store, STORE=store) as worker:
        assigned = await _told_at(worker, ASSIGNED, 2)
        took = await _told_at(worker, TOOK, 2)
        await accepted(upstream, done + 1)
        called = await _told_at(worker, '"event":"rescheduled"', 1)
        return (
            store,
            f"{number(called - begun, 1)} s",
            f"{number(assigned - begun, 2)} s",
            f"{number(took - assigned, 2)} s",
            f"{number(called - took, 2)} s",
            f"{number(filled, 1)} s",
            f"{number(worker.megabytes())} MB",
        )


async def run(bench: Bench) -> list[Table]:
    count = bench.size(200_000, 5_000)
    async with stub(bench, delay=0) as upstream:
        ours = await world(bench, upstream)
        await ours.hold(stock.known(count))
        lines = []
        for done, store in enumerate(("rocksdb", "memory")):
            lines.append(await one(ours, upstream, store, done))
            await asyncio.sleep(7)
    return [
        Table(
            f"Restart after SIGKILL with {count:,} bookings",
            (
                "store",
                "start to first call done",
                "to the assignment",
                "then working after",
                "then its call after",
                "first fill",
                "memory",
            ),
            tuple(lines),
            said="With the folder of the dead worker, which is taken out of the group: its session "
            f"({ours.settings.kafka_session_timeout_seconds} s here) need not run out. Aim: rocksdb "
            "3 s or less.",
        )
    ]
