"""A backlog of a million events under the limit: memory stays flat."""

from __future__ import annotations

import asyncio

from tests.bench import stock
from tests.bench.figures import Table, number
from tests.bench.unlimited import rounds
from tests.bench.world import TOOK, Bench, seen, stub, world

_BOOKINGS = 5_000


async def run(bench: Bench) -> list[Table]:
    events = bench.size(1_000_000, 50_000)
    seconds = bench.size(30, 5)
    bookings = stock.known(_BOOKINGS)
    async with stub(bench) as upstream:
        ours = await world(bench, upstream)
        await ours.hold(bookings)
        await ours.send(rounds(bookings, events // _BOOKINGS))
        with ours.worker() as worker:
            await worker.said(TOOK)
            measured = [worker.megabytes()]
            for _ in range(2):
                await asyncio.sleep(seconds / 2)
                measured.append(worker.megabytes())
            done = (await seen(upstream))["calls"]
    return [
        Table(
            f"A backlog of {events:,} events",
            ("memory at the start", f"after {seconds / 2:g} s", f"after {seconds} s", "events worked"),
            ((*(f"{number(one)} MB" for one in measured), number(done)),),
            said="Under the limit of 60 calls a second.",
        )
    ]
