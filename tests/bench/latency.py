"""At 50 events a second: what is added to the upstream's own time, and how far behind the view is."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.booking.identity import Identity
from app.booking.record import rank
from app.stream.kafka import connection
from app.view.config import ViewConfig, ViewTopics
from app.view.view import View
from tests.bench import stock
from tests.bench.figures import Table, milliseconds, number, percentile
from tests.bench.world import PARTITIONS, TOOK, Bench, World, stub, world

if TYPE_CHECKING:
    from tests.bench.stock import Known

UPSTREAM_SECONDS = 0.1
PER_SECOND = 50
_FIRST = 50
"""Events that are left out: connections are made, and modules imported, while they come."""
_WAIT_SECONDS = 30.0


@dataclass(slots=True)
class Timings:
    """Wall-clock seconds by event id."""

    sent: dict[str, float] = field(default_factory=dict)
    announced: dict[str, float] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)
    rows: int = 0

    def added(self) -> list[float]:
        """Seconds beyond the upstream's own, from the event's sending to its announcement."""
        kept = list(self.sent)[_FIRST:]
        return [self.announced[name] - self.sent[name] - UPSTREAM_SECONDS for name in kept]

    def view_behind(self) -> list[float]:
        """Seconds from a row's own time to its being answered by a view."""
        return [self.shown[name] - self.written[name] for name in list(self.sent)[_FIRST:]]


def view_of(ours: World) -> View:
    """A view of its own, as every worker has one."""
    names = ours.topics
    folder = ours.folder / "view"
    folder.mkdir()
    return View(
        ViewConfig(
            connection=connection(ours.settings),
            data_dir=folder,
            prefix=ours.settings.topic_prefix,
            partitions=PARTITIONS,
            business=ours.settings.business,
            topics=ViewTopics(
                bookings=names.changelog("bookings").name,
                behind=names.changelog("behind").name,
                dead_letters=names.dead_letter.name,
                signals=names.signals.name,
                webhooks=names.webhooks.name,
            ),
        )
    )


def view_cpu(view: View) -> float:
    """CPU seconds of the thread that writes the view."""
    thread = view._projector._thread
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


async def _read(consumer: AIOKafkaConsumer, ours: World, timings: Timings) -> None:
    changelog = ours.topics.changelog("bookings").name
    async for record in consumer:
        now = time.time()
        document = orjson.loads(record.value)
        if record.topic != changelog:
            timings.announced.setdefault(document["data"]["causedBy"], now)
        elif rank(record.value)[1] > 3:
            timings.rows += 1
            timings.written.setdefault(document["caused_by"], record.timestamp / 1000)


async def _feed(
    producer: AIOKafkaProducer, ours: World, view: View, events: int, known: list[Known]
) -> Timings:
    timings = Timings()
    waiting = []

    async def shown(booking: str, event: str) -> None:
        digest = Identity(source=stock.SOURCE, id=event).digest()
        await view.wait_for(booking, [digest], _WAIT_SECONDS)
        timings.shown[event] = time.time()

    consumer = AIOKafkaConsumer(bootstrap_servers=ours.servers, fetch_max_wait_ms=100)
    await consumer.start()
    topics = (ours.topics.jobs.name, ours.topics.changelog("bookings").name)
    consumer.assign([TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)])
    await consumer.seek_to_end()
    reading = asyncio.create_task(_read(consumer, ours, timings))
    begun = time.monotonic()
    for at in range(events):
        await asyncio.sleep(max(0.0, begun + at / PER_SECOND - time.monotonic()))
        one = known[at % len(known)]
        event = f"{one.booking}/{at}"
        timings.sent[event] = time.time()
        value = stock.reschedule(one.booking, at, event_id=event)
        _ = await producer.send(ours.topics.booking_events.name, value, key=one.booking.encode())
        waiting.append(asyncio.create_task(shown(one.booking, event)))
    async with asyncio.timeout(_WAIT_SECONDS):
        while not timings.sent.keys() <= timings.announced.keys() & timings.written.keys():
            await asyncio.sleep(0.05)
    await asyncio.gather(*waiting)
    reading.cancel()
    await consumer.stop()
    return timings


async def one(bench: Bench, seconds: int) -> tuple[Timings, float]:
    """The timings of one run, and the view's CPU seconds per row followed."""
    known = stock.known(1_000)
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(stub(bench, delay=UPSTREAM_SECONDS))
        ours = await world(bench, upstream)
        await ours.hold(known)
        worker = stack.enter_context(ours.worker())
        await worker.said(TOOK)
        view = view_of(ours)
        await view.start()
        stack.push_async_callback(view.stop)
        await view.until_caught_up()
        producer = AIOKafkaProducer(bootstrap_servers=ours.servers, acks="all")
        await producer.start()
        stack.push_async_callback(producer.stop)
        await asyncio.sleep(2)
        before = view_cpu(view)
        timings = await _feed(producer, ours, view, seconds * PER_SECOND, known)
        return timings, (view_cpu(view) - before) / max(1, timings.rows)


async def run(bench: Bench) -> list[Table]:
    runs = [await one(bench, bench.size(10, 5)) for _ in range(bench.runs)]
    added = [seconds for timings, _ in runs for seconds in timings.added()]
    behind = [seconds for timings, _ in runs for seconds in timings.view_behind()]
    cpu = sum(cost for _, cost in runs) / len(runs) * 1000
    lines = (
        ("added to the upstream's own time", *_percentiles(added), "p99 under 50 ms"),
        ("a view shows a row after", *_percentiles(behind), "p99 under 100 ms"),
    )
    return [
        Table(
            f"Latency at {PER_SECOND} events a second, 100 ms upstream, under the limit of 60 calls a second",
            ("", "p50", "p99", "aim"),
            lines,
            said="From sending the event to its announcement. Following so, the view costs "
            f"{number(cpu, 2)} CPU s per 1,000 rows.",
        )
    ]


def _percentiles(values: list[float]) -> tuple[str, str]:
    return milliseconds(percentile(values, 50)), milliseconds(percentile(values, 99))
