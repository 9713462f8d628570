"""Records written for an event, by whether its booking's row is still in the worker's memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench import stock
from tests.bench.figures import Table, number
from tests.bench.unlimited import accepted
from tests.bench.world import NO_LIMIT, TOOK, Bench, World, stub, world

if TYPE_CHECKING:
    from tests.bench.stock import Known

WARM = 2_000
"""Bookings whose rows a worker has in memory all at once, and by far not those of the others."""


async def _written(ours: World) -> int:
    """Records on all topics and changelogs, but for what the benchmark sent."""
    sent = {ours.topics.booking_events.name}
    consumer = AIOKafkaConsumer(bootstrap_servers=ours.servers)
    await consumer.start()
    try:
        places = [
            TopicPartition(topic.name, partition)
            for topic in ours.topics
            if topic.name not in sent
            for partition in range(topic.partitions)
        ]
        return sum((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()


async def one(bench: Bench, bookings: list[Known]) -> float:
    """Records per event of the second event of each of these bookings, all sent after all first ones."""
    async with stub(bench, delay=0) as upstream:
        ours = await world(bench, upstream, SERVICETITAN_CALLS_PER_SECOND=NO_LIMIT, MAX_CALLS_IN_FLIGHT="100")
        await ours.hold(bookings)
        with ours.worker() as worker:
            await worker.said(TOOK)
            first = await _after(ours, upstream, bookings, 0)
            return (await _after(ours, upstream, bookings, 1) - first) / len(bookings)


async def _after(ours: World, upstream: str, bookings: list[Known], number_: int) -> int:
    """The records there are once each booking was moved once more."""
    await ours.send((one.booking, stock.reschedule(one.booking, number_)) for one in bookings)
    await accepted(upstream, len(bookings) * (number_ + 1))
    # The last answers are still to be written down.
    await asyncio.sleep(1)
    return await _written(ours)


async def run(bench: Bench) -> list[Table]:
    sizes = (bench.size(WARM, 200), bench.size(40_000, 2_000))
    lines = [(f"{count:,}", number(await one(bench, stock.known(count)), 2)) for count in sizes]
    return [
        Table(
            "Records written for an event",
            ("bookings with one event each", "records per event"),
            tuple(lines),
            said="A reschedule of each booking, then another one of each: of the second. Of so many bookings "
            "the first have their rows in memory, the others read them from the store. Three are the least: "
            "the intent, the row, and what is told.",
        )
    ]
