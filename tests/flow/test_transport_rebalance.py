"""Positions in a partition, on a real Kafka: nothing is passed over when ownership changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from app.stream import consumer
from tests.support.stream_bench import PARTITIONS, StreamBench, stream_bench, until
from tests.support.topics import ToSend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from app.stream.faust_app import StreamApp
    from app.stream.message import Message

Place = tuple[int, int]


@pytest.fixture
async def bench(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[StreamBench]:
    async with stream_bench(kafka, unique_prefix, tmp_path) as made:
        await made.topics("in")
        yield made


def app_of(bench: StreamBench, data: str, seen: set[Place]) -> StreamApp:
    async def handle(message: Message) -> None:
        seen.add((message.partition, message.offset))

    app = bench.app(data)
    app.owned_table("rows")
    app.source(bench.topic("in"), handle)
    return app


def in_each_partition(count: int) -> list[ToSend]:
    return [ToSend(b"k", b"%d" % n, partition=n % PARTITIONS) for n in range(count)]


async def test_a_fetch_that_is_under_way_in_a_rebalance_passes_nothing_over(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes records of the new assignment, of partitions in which nothing is committed yet."""
    # As on a machine where the consumer's thread is kept from its turn.
    monkeypatch.setattr(consumer, "_POLL_SECONDS", 3.0)
    seen: set[Place] = set()
    app = await bench.start(app_of(bench, "one", seen))
    await until(lambda: len(app.owned_partitions) == PARTITIONS)
    generation = app.generation
    joining = asyncio.create_task(bench.start(app_of(bench, "two", seen)))
    await until(lambda: app.recovering)
    placed: set[Place] = set()
    while app.recovering or app.generation == generation:
        placed |= set(await bench.send("in", in_each_partition(PARTITIONS)))
    await joining
    placed |= set(await bench.send("in", in_each_partition(PARTITIONS)))
    await until(lambda: seen == placed)
    await bench.until_committed("in")


async def test_what_was_deleted_unread_is_told_and_not_waited_for(
    bench: StreamBench, caplog: pytest.LogCaptureFixture
) -> None:
    seen: set[Place] = set()
    app = await bench.start(app_of(bench, "data", seen))
    await bench.send("in", [ToSend(b"k", b"%d" % n, partition=1) for n in range(3)])
    await bench.until_committed("in")
    await app.stop()
    await bench.send("in", [ToSend(b"k", b"%d" % n, partition=p) for n in range(5) for p in (1, 2)])
    places = {TopicPartition(bench.topic("in"), 1): 8, TopicPartition(bench.topic("in"), 2): 4}
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.servers)
    await admin.start()
    await admin.delete_records({tp: RecordsToDelete(offset) for tp, offset in places.items()})
    await admin.close()
    seen.clear()
    again = await bench.start(app_of(bench, "data", seen))
    await until(lambda: (2, 4) in seen)
    await until(lambda: again.lag() == dict.fromkeys(again.consumer.ledgers, 0))
    assert seen == {(2, 4)}
    assert again.unread() == {}
    assert f"5 records of {bench.topic('in')}[1] were deleted unread" in caplog.text


async def test_a_partition_that_is_read_no_further_is_seen(bench: StreamBench) -> None:
    seen: set[Place] = set()
    app = await bench.start(app_of(bench, "data", seen))
    await bench.send("in", in_each_partition(2 * PARTITIONS))
    await until(lambda: len(seen) == 2 * PARTITIONS)
    assert app.unread() == {}
    # What a lost seek would do. Behind the end of the log Kafka would send it to the beginning.
    thread, place = app.consumer._thread, TopicPartition(bench.topic("in"), 2)
    await thread.call_thread(_rest, thread, place)
    await bench.send("in", in_each_partition(PARTITIONS))
    await thread.call_thread(_seek_ahead, thread, place)
    await until(lambda: len(seen) == 3 * PARTITIONS - 1)
    await until(lambda: app.unread() == {(bench.topic("in"), 2): 2})


async def _rest(thread: consumer.ConsumerThread, place: TopicPartition) -> None:
    thread._ensure_consumer().pause(place)


async def _seek_ahead(thread: consumer.ConsumerThread, place: TopicPartition) -> None:
    thread._ensure_consumer().seek(place, 3)
    thread._ensure_consumer().resume(place)
