"""Kafka transactions of producers: what is rolled back was never there, and markers are nobody's work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from faust.types import TP

from tests.support.stream_bench import StreamBench, stream_bench, until
from tests.support.topics import PATIENCE_SECONDS, ToSend, produce

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from app.stream.consumer import ConsumerThread
    from app.stream.faust_app import StreamApp
    from app.stream.message import Message
    from app.stream.tables import OwnedTable

PARTITION = 1


@pytest.fixture
async def bench(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[StreamBench]:
    async with stream_bench(kafka, unique_prefix, tmp_path) as made:
        await made.topics("in")
        yield made


@asynccontextmanager
async def transacting(bench: StreamBench) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bench.servers, transactional_id=bench.group)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: str, *values: bytes) -> None:
    for value in values:
        await producer.send_and_wait(topic, key=b"k", value=value, partition=PARTITION)


def reading(bench: StreamBench, seen: list[bytes | None], data: str = "data") -> tuple[StreamApp, OwnedTable]:
    async def collect(message: Message) -> None:
        seen.append(message.value)

    app = bench.app(data, store="rocksdb")
    table = app.owned_table("rows")
    app.source(bench.topic("in"), collect)
    return app, table


async def test_what_is_rolled_back_is_not_read_and_markers_leave_no_lag(bench: StreamBench) -> None:
    seen: list[bytes | None] = []
    app, _ = reading(bench, seen)
    await bench.start(app)
    async with transacting(bench) as producer:
        for values, commits in (((b"1", b"2"), True), ((b"not", b"these"), False), ((b"3",), True)):
            await producer.begin_transaction()
            await send(producer, bench.topic("in"), *values)
            await (producer.commit_transaction() if commits else producer.abort_transaction())
    await bench.until_committed("in")  # the last marker included
    assert seen == [b"1", b"2", b"3"]
    await until(lambda: app.lag() == dict.fromkeys(app.consumer.ledgers, 0))
    assert app.unread() == {}
    await app.stop()
    again, _ = reading(bench, seen)
    await bench.start(again)
    await bench.send("in", [ToSend(b"k", b"4", partition=PARTITION)])
    await until(lambda: len(seen) > 3)
    assert seen[3:] == [b"4"]


async def test_what_stands_behind_an_open_transaction_is_lag_that_nobody_can_work_off(
    bench: StreamBench,
) -> None:
    seen: list[bytes | None] = []
    app, _ = reading(bench, seen)
    await bench.start(app)
    async with transacting(bench) as producer:
        await producer.begin_transaction()
        await send(producer, bench.topic("in"), b"1")
        await bench.send("in", [ToSend(b"k", b"2", partition=PARTITION)])
        await until(lambda: sum(app.lag().values()) == 2)
        assert app.readable() == dict.fromkeys(app.consumer.ledgers, 0)
        assert (seen, app.unread()) == ([], {})
        await producer.commit_transaction()
    await until(lambda: len(seen) == 2)
    assert seen == [b"1", b"2"]
    await bench.until_committed("in")


async def test_what_was_leapt_over_is_not_passed_over_with_what_was_rolled_back(bench: StreamBench) -> None:
    seen: list[bytes | None] = []
    app, _ = reading(bench, seen)
    await bench.start(app)
    await bench.send("in", [ToSend(b"k", b"1", partition=PARTITION)])
    await bench.until_committed("in")
    place = TP(bench.topic("in"), PARTITION)
    await app.consumer.leave_out([place])
    await bench.send("in", [ToSend(b"k", b"leapt over", partition=PARTITION)])
    async with transacting(bench) as producer:
        await producer.begin_transaction()
        await send(producer, bench.topic("in"), b"not this")
        await producer.abort_transaction()
    thread = app.consumer._thread
    await thread.call_thread(_go_on, thread, TopicPartition(*place), 2)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await app.consumer.position(place) != 4:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # it would have been committed by now
    assert (seen, app.unread()) == ([b"1"], {place: 1})
    assert await bench.commits("in") == {PARTITION: 1}


async def _go_on(thread: ConsumerThread, place: TopicPartition, offset: int) -> None:
    thread._ensure_consumer().seek(place, offset)
    thread._ensure_consumer().resume(place)


async def test_a_table_is_complete_behind_a_marker_at_the_end_of_its_changelog(bench: StreamBench) -> None:
    app, table = reading(bench, [], "one")
    await bench.start(app)
    await table.put(PARTITION, b"a", b"ours")
    await app.stop()
    async with transacting(bench) as producer:
        await producer.begin_transaction()
        await send(producer, table.changelog, b"theirs")
        await producer.abort_transaction()
    again, rows = reading(bench, [], "two")
    await bench.start(again)
    await until(lambda: not again.recovering)
    assert (rows.get(PARTITION, b"a"), rows.get(PARTITION, b"k")) == (b"ours", None)


async def test_a_row_behind_an_open_transaction_is_waited_for(bench: StreamBench) -> None:
    app, table = reading(bench, [], "one")
    await bench.start(app)
    await app.stop()
    async with transacting(bench) as producer:
        await producer.begin_transaction()
        await send(producer, table.changelog, b"theirs")
        await produce(bench.servers, table.changelog, [ToSend(b"a", b"ours", partition=PARTITION)])
        again, rows = reading(bench, [], "two")
        starting = asyncio.create_task(bench.start(again))
        await until(lambda: again.tables.recovery.active_highwaters)
        await until(lambda: again.recovery_remaining() == 2)
        await producer.commit_transaction()
        await starting
        await until(lambda: not again.recovering)
    assert (rows.get(PARTITION, b"a"), rows.get(PARTITION, b"k")) == (b"ours", b"theirs")
