"""The web views: requests per second and p99 with 50 connections, beside bare aiohttp doing the same work."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import orjson

from app.local.kafka import free_port
from tests.bench import stock
from tests.bench.figures import Table, median, milliseconds, number, times
from tests.bench.loading import Load, load, request
from tests.bench.processes import Process
from tests.bench.world import TOOK, Bench, World, stub, world

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "/api/integrations/servicetitan"
CONNECTIONS = 50
_BOOKINGS = 5_000
_PATIENCE_SECONDS = 60


def _health(prefix: str, _: int) -> bytes:
    return request("GET", f"{prefix}/health")


def _look_up(prefix: str, n: int) -> bytes:
    return request("GET", f"{prefix}/bookings/b-{n * 7919 % _BOOKINGS:07}")


def _webhook(prefix: str, n: int) -> bytes:
    body = {
        "eventId": f"w-{n}",
        "jobId": 1_000_000 + n % _BOOKINGS,
        "status": "scheduled",
        "occurredAt": stock.NOW.isoformat(),
    }
    return request("POST", f"{prefix}/webhook", orjson.dumps(body))


ROUTES: dict[str, Callable[[str, int], bytes]] = {
    "health": _health,
    "look-up": _look_up,
    "webhook": _webhook,
}


async def _is_ready(port: int) -> None:
    """Returns when the worker answers questions about bookings."""

    def answers() -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{port}{PREFIX}/bookings/b-0000000", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, TimeoutError):
            return False

    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not await asyncio.to_thread(answers):
            await asyncio.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server's process answered in some runs, and the CPU seconds of each answer."""

    runs: list[Load]
    cpu: float

    @property
    def rate(self) -> float:
        return median(run.rate for run in self.runs)

    @property
    def p99(self) -> float:
        return median(run.p99 for run in self.runs)


async def _serve(bench: Bench, server: Process, port: int, prefix: str, name: str) -> Served:
    make = partial(ROUTES[name], prefix)
    seconds = bench.size(2, 1)
    before = server.cost()
    runs = [await load(port, make, connections=CONNECTIONS, seconds=seconds) for _ in range(bench.runs)]
    spent = server.cost() - before
    return Served(runs, spent.whole / sum(run.all for run in runs))


async def run(bench: Bench) -> list[Table]:
    async with stub(bench) as upstream:
        ours = await world(bench, upstream)
        await ours.hold(stock.known(_BOOKINGS))
        port, bare_port = free_port(), free_port()
        with ExitStack() as stack:
            worker = stack.enter_context(ours.worker(WEB_PORT=str(port)))
            await worker.said(TOOK)
            await _is_ready(port)
            bare = stack.enter_context(_bare(ours, bare_port))
            await bare.said("listening")
            lines = []
            for name in ROUTES:
                here = await _serve(bench, worker, port, PREFIX, name)
                beside = await _serve(bench, bare, bare_port, "", name)
                lines.append(_line(name, here, beside))
    return [
        Table(
            f"Web views with {CONNECTIONS} connections",
            (
                "",
                "requests/s",
                "p99",
                "CPU a request",
                "bare: requests/s",
                "p99",
                "CPU",
                "of bare",
                "not 2xx",
            ),
            tuple(lines),
            said="Beside bare aiohttp doing the same work. A look-up reads the view. A webhook is answered "
            "when Kafka has it; the worker then works it, which is part of its CPU.",
        )
    ]


def _bare(ours: World, port: int) -> Process:
    view = ours.folder / "worker" / "view.sqlite3"
    arguments = (str(port), ours.servers, ours.topics.webhooks.name, str(view))
    return Process(ours.folder / "bare.log", "tests.bench.bare_http", *arguments)


def _line(name: str, here: Served, bare: Served) -> tuple[str, ...]:
    return (
        name,
        number(here.rate),
        milliseconds(here.p99),
        _microseconds(here.cpu),
        number(bare.rate),
        milliseconds(bare.p99),
        _microseconds(bare.cpu),
        times(here.rate / bare.rate),
        str(sum(one.wrong for one in here.runs)),
    )


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"
