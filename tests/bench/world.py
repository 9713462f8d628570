"""Where a benchmark runs: a Kafka, topics of its own, an upstream and workers, each a process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp

from app.local.kafka import free_port
from app.settings import Settings, load
from app.stream.kafka import connection
from app.stream.provision import ensure
from app.stream.topology import Topics, topics
from tests.bench import stock
from tests.bench.processes import Process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from tests.bench.stock import Known

TOOK = "took partitions"
PARTITIONS = 12
NO_LIMIT = "100000"


@dataclass(frozen=True, slots=True)
class Bench:
    """What every scenario is given. `quick` is for trying the benchmark itself: small sizes, one run."""

    servers: str
    folder: Path
    quick: bool

    @property
    def runs(self) -> int:
        return 1 if self.quick else 3

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class World:
    """One run's topics, and the settings of its workers."""

    servers: str
    folder: Path
    settings: Settings
    topics: Topics
    environ: dict[str, str] = field(repr=False)

    def worker(self, name: str = "worker", **changes: str) -> Process:
        """A worker with a data folder of its own; `worker.said(TOOK)` waits until it works."""
        environ = {
            **self.environ,
            "DATA_DIR": str(self.folder / name),
            "WEB_PORT": str(free_port()),
            **changes,
        }
        return Process(self.folder / f"{name}.log", "app", "worker", environ=environ)

    async def hold(self, bookings: Iterable[Known]) -> None:
        """Have these bookings in the table, as if a worker had made their jobs."""
        rows = ((one.booking, stock.row(one)) for one in bookings)
        await self.pour(self.topics.changelog("bookings").name, rows)

    async def send(self, events: Iterable[tuple[str, bytes]]) -> None:
        """Put (booking id, event) pairs on `booking-events` as fast as it goes."""
        await self.pour(self.topics.booking_events.name, events)

    async def pour(self, topic: str, records: Iterable[tuple[str, bytes]]) -> None:
        await stock.pour(self.servers, topic, PARTITIONS, records)


async def world(bench: Bench, upstream: str, **changes: str) -> World:
    """New topics, and settings for workers that call this upstream."""
    prefix = f"bench-{uuid4().hex[:8]}-"
    folder = bench.folder / prefix
    folder.mkdir()
    environ = {
        # Compiled once, as in the image: a start from source spends a second on that.
        "PYTHONPYCACHEPREFIX": str(bench.folder / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
        "KAFKA_BOOTSTRAP_SERVERS": bench.servers,
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        "TOPIC_PREFIX": prefix,
        "TOPIC_PARTITIONS": str(PARTITIONS),
        "SERVICETITAN_API_URL": upstream,
        "SERVICETITAN_AUTH_URL": upstream,
        "SERVICETITAN_SWEEP_SECONDS": "0",
        "STORE": "rocksdb",
        "DATA_DIR": str(folder / "unused"),
        **changes,
    }
    settings = load(environ)
    found = await ensure(topics(settings), connection(settings))
    return World(bench.servers, folder, settings, found.topics, environ)


@asynccontextmanager
async def stub(bench: Bench, *, delay: float = 0.1, failures: float = 0) -> AsyncIterator[str]:
    """The address of `tests.bench.stub` in a process of its own."""
    log = bench.folder / f"stub-{uuid4().hex[:8]}.log"
    arguments = ("--delay", str(delay), "--failures", str(failures))
    with Process(log, "tests.bench.stub", *arguments) as process:
        yield await process.said("http://")


async def seen(upstream: str, path: str = "/seen") -> dict[str, Any]:
    """What an upstream tells of itself."""
    async with aiohttp.ClientSession() as session, session.get(upstream + path) as response:
        told: dict[str, Any] = await response.json()
        return told
