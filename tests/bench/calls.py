"""How many calls to ServiceTitan a job costs, for a new customer and for a known one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from tests.bench import stock
from tests.bench.figures import Table, number
from tests.bench.processes import Process
from tests.bench.world import TOOK, Bench, World, seen, world

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_A_BOOKING = ("/crm/v2/", "/jpm/v2/tenant/{tenant}/jobs")
_CREATE = "POST /jpm/v2/tenant/{tenant}/jobs"
PATIENCE_SECONDS = 120


async def _made(ours: World, url: str, kind: str, count: int) -> float:
    """Calls per job while so many bookings come, each of a customer of its own."""
    before = (await seen(url, "/simulator/stats"))["byRoute"]
    events = ((f"{kind}-{n}", stock.creation(f"{kind}-{n}", f"602555{n:04}")) for n in range(count))
    await ours.send(events)
    goal = before.get(_CREATE, 0) + count
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (after := (await seen(url, "/simulator/stats"))["byRoute"]).get(_CREATE, 0) < goal:
            await asyncio.sleep(0.2)
    return (_spent(after) - _spent(before)) / count


def _spent(by_route: Mapping[str, int]) -> int:
    return sum(
        count
        for route, count in by_route.items()
        if any(route.partition(" ")[2].startswith(path) for path in _OF_A_BOOKING)
    )


async def run(bench: Bench) -> list[Table]:
    count = bench.size(100, 20)
    ids = bench.folder / "nobody.json"
    ids.write_bytes(orjson.dumps([]))
    with Process(bench.folder / "calls.log", "tests.bench.simulator", str(ids), "0") as simulator:
        line = await simulator.said("http://127.0.0.1")
        url = line[line.index("http://") :].split(",")[0]
        ours = await world(bench, url)
        with ours.worker() as worker:
            await worker.said(TOOK)
            new = await _made(ours, url, "new", count)
            known = await _made(ours, url, "known", count)
            lists = sum(
                number_
                for route, number_ in (await seen(url, "/simulator/stats"))["byRoute"].items()
                if "business-units" in route or "job-types" in route or "campaigns" in route
            )
    return [
        Table(
            "Calls to ServiceTitan per job",
            ("customer", "calls per job", "aim"),
            (("new", number(new, 2), "3"), ("known", number(known, 2), "1")),
            said=f"{count} bookings each. Beside them {lists} calls for names and health, once per worker.",
        )
    ]
