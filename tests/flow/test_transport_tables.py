"""Tables on a real Kafka: what is written is real, and comes back after whatever happened to the worker."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Literal

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from app.local.kafka import SHORT_LIVED, LocalKafka
from app.stream.errors import NotMine, TooLarge, WriteLost
from app.stream.ownership import Work, current_work
from tests.support.stream_bench import PARTITIONS, StreamBench, stream_bench, until
from tests.support.topics import ToSend, consume_until, create_topics, delete_topics, produce, read_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from app.stream.faust_app import StreamApp
    from app.stream.message import Message
    from app.stream.tables import OwnedTable

Store = Literal["memory", "rocksdb"]
STORES: tuple[Store, ...] = ("memory", "rocksdb")


@pytest.fixture
async def bench(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[StreamBench]:
    async with stream_bench(kafka, unique_prefix, tmp_path) as made:
        await made.topics("in")
        yield made


def rank(row: bytes) -> tuple[int, int]:
    generation, sequence = row.split(b".")[:2]
    return int(generation), int(sequence)


async def nothing(_message: Message) -> None:
    """A handler for a source that is there because an app needs one."""


async def started(bench: StreamBench, store: Store, data: str = "data") -> tuple[StreamApp, OwnedTable]:
    app = bench.app(data, store=store)
    table = app.owned_table("rows", rank=rank)
    app.source(bench.topic("in"), nothing)
    return await bench.start(app), table


async def changelog(
    bench: StreamBench, table: OwnedTable, count: int
) -> list[tuple[bytes | None, bytes | None]]:
    read = await consume_until(bench.servers, table.changelog, lambda records: len(records) >= count)
    return [(record.key, record.value) for record in read]


@pytest.mark.parametrize("store", STORES)
async def test_a_row_is_in_the_changelog_when_put_returns_and_back_after_a_restart(
    bench: StreamBench, store: Store
) -> None:
    app, table = await started(bench, store)
    assert table.get(1, b"a") is None
    await table.put(1, b"a", b"1.1")
    assert await changelog(bench, table, 1) == [(b"a", b"1.1")]
    assert table.get(1, b"a") == b"1.1"
    assert table.get(2, b"a") is None
    await table.put_many(1, {b"b": b"1.1", b"c": b"1.1", b"a": b"1.2"})
    await table.delete(1, b"b")
    await app.stop()
    _, again = await started(bench, store)
    assert [again.get(1, key) for key in (b"a", b"b", b"c")] == [b"1.2", None, b"1.1"]


@pytest.mark.parametrize("store", STORES)
async def test_replay_keeps_the_highest_row_and_honours_tombstones(bench: StreamBench, store: Store) -> None:
    app, table = await started(bench, store)
    await app.stop()
    records = [
        ToSend(b"a", b"2.5", partition=0),
        ToSend(b"a", b"1.9", partition=0),
        ToSend(b"gone", b"9.9", partition=0),
        ToSend(b"gone", None, partition=0),
    ]
    await produce(bench.servers, table.changelog, records)
    _, again = await started(bench, store)
    assert again.get(0, b"a") == b"2.5"
    assert again.get(0, b"gone") is None


async def test_a_worker_that_owned_nothing_here_finds_the_rows_of_the_one_before(bench: StreamBench) -> None:
    app, table = await started(bench, "rocksdb", "one")
    await asyncio.gather(*(table.put(n % 4, b"key-%d" % n, b"1.%d" % n) for n in range(400)))
    await app.stop()
    _, other = await started(bench, "rocksdb", "two")
    assert [other.get(n % 4, b"key-%d" % n) for n in range(400)] == [b"1.%d" % n for n in range(400)]


async def test_the_store_is_reused_and_only_the_tail_is_replayed(bench: StreamBench) -> None:
    app, table = await started(bench, "rocksdb")
    await asyncio.gather(*(table.put(0, b"key-%d" % n, b"1.%d" % n) for n in range(300)))
    await app.stop()
    await produce(bench.servers, table.changelog, [ToSend(b"tail", b"1.1", partition=0)])
    again, _ = await started(bench, "rocksdb")
    stored = replays(again)
    assert stored == {0: 299}  # the last of 300 own writes, so that 1 record of 301 was replayed


async def test_another_owners_rows_in_between_are_replayed(bench: StreamBench) -> None:
    # Own row at 0, a new owner's at 1 and 2, a late own one at 3: Faust's offset would be 3 after a restart.
    app, table = await started(bench, "rocksdb")
    await table.put(0, b"a", b"1.1")
    await produce(
        bench.servers,
        table.changelog,
        [ToSend(b"b", b"2.1", partition=0), ToSend(b"c", b"2.1", partition=0)],
    )
    await table.put(0, b"a", b"1.2")
    await app.stop()
    _, again = await started(bench, "rocksdb")
    assert [again.get(0, key) for key in (b"a", b"b", b"c")] == [b"1.2", b"2.1", b"2.1"]


async def test_a_lost_store_is_built_again(bench: StreamBench) -> None:
    app, table = await started(bench, "rocksdb")
    await table.put(0, b"a", b"1.1")
    await app.stop()
    shutil.rmtree(bench.folder / "data")
    _, again = await started(bench, "rocksdb")
    assert again.get(0, b"a") == b"1.1"


async def test_a_damaged_store_is_built_again_and_said(
    bench: StreamBench, caplog: pytest.LogCaptureFixture
) -> None:
    app, table = await started(bench, "rocksdb")
    await table.put(0, b"a", b"1.1")
    await app.stop()
    damaged = list((bench.folder / "data").rglob("rows-0.db/MANIFEST-*"))
    assert damaged
    for manifest in damaged:
        manifest.write_bytes(b"damaged")
    _, again = await started(bench, "rocksdb")
    assert again.get(0, b"a") == b"1.1"
    assert "built again from the changelog" in caplog.text


@pytest.mark.parametrize("records", [0, 2, 6, 9])
async def test_a_store_of_another_changelog_than_there_is_now_is_built_again_and_said(
    bench: StreamBench, records: int, caplog: pytest.LogCaptureFixture
) -> None:
    app, table = await started(bench, "rocksdb")
    for n in range(5):
        await table.put(0, b"old-%d" % n, b"1.%d" % n)
        await table.put(1, b"kept-%d" % n, b"1.%d" % n)
    await app.stop()
    kept = [record for record in await read_all(bench.servers, table.changelog) if record.partition == 1]
    await delete_topics(bench.servers, table.changelog)
    await create_topics(bench.servers, table.changelog, partitions=PARTITIONS)
    anew = [ToSend(b"new-%d" % n, b"1.%d" % n, partition=0) for n in range(records)]
    same = [ToSend(record.key, record.value, partition=1) for record in kept]
    await produce(bench.servers, table.changelog, [*anew, *same])
    again, rows = await started(bench, "rocksdb")
    assert [rows.get(0, b"old-%d" % n) for n in range(5)] == [None] * 5
    assert [rows.get(0, record.key or b"") for record in anew] == [record.value for record in anew]
    assert rows.get(1, b"kept-0") == b"1.0"
    said = [line for line in caplog.messages if "built again from the changelog" in line]
    assert len(said) == 1
    assert "rows-0.db" in said[0]
    await again.stop()
    caplog.clear()
    await started(bench, "rocksdb")
    assert "built again" not in caplog.text


@pytest.mark.parametrize("store", STORES)
async def test_what_is_no_row_in_the_changelog_is_left_out_and_put_right(
    bench: StreamBench, store: Store
) -> None:
    app, table = await started(bench, store)
    await table.put(0, b"a", b"1.1")
    await app.stop()
    keys = (b"a", b"b", b"__faust\0offset__", b"a", b"c")
    values = (b"no rank", b"no rank", b"7", b"", b"1.1")
    records = [ToSend(key, value, partition=0) for key, value in zip(keys, values, strict=True)]
    await produce(bench.servers, table.changelog, records)
    app, table = await started(bench, store)
    assert app.gave_up is None
    await until(lambda: app.epoch == 1)
    assert [table.get(0, key) for key in (b"a", b"b", b"c")] == [b"1.1", None, b"1.1"]
    left_out = await table.put_right()
    assert [(one.key, one.value, one.offset) for one in left_out] == [
        (b"a", b"", 4),
        (b"b", b"no rank", 2),
        (b"__faust\0offset__", b"7", 3),
    ]
    assert (await changelog(bench, table, 8))[6:] == [(b"a", b"1.1"), (b"b", None)]
    await app.stop()
    # Once put right it is not told again; what cannot be written over is, when all is read anew.
    _, again = await started(bench, store)
    assert [one.offset for one in await again.put_right()] == ([3] if store == "memory" else [])


async def test_writes_for_a_partition_that_is_not_owned_are_refused(bench: StreamBench) -> None:
    app, table = await started(bench, "memory")
    with pytest.raises(NotMine):
        await table.put(99, b"a", b"1.1")
    current_work.set(Work(0, app.epoch - 1))
    for write in (table.put(0, b"a", b"1.1"), app.publish(bench.topic("in"), b"a", b"")):
        with pytest.raises(NotMine):
            await write
    assert table.get(0, b"a") is None


async def test_a_record_the_broker_refuses_for_good_is_a_lost_write(bench: StreamBench) -> None:
    app = bench.app(largest={f"{bench.group}-rows-changelog": 10_000_000})
    table = app.owned_table("rows", rank=rank)
    app.source(bench.topic("in"), nothing)
    await bench.start(app)
    with pytest.raises(WriteLost) as refused:
        await table.put(0, b"a", b"1.1." + b"x" * 4_000_000)
    assert isinstance(refused.value.__cause__, MessageSizeTooLargeError)
    assert table.get(0, b"a") is None


async def test_a_row_that_is_larger_than_its_topic_takes_hinders_none_behind_it(bench: StreamBench) -> None:
    _, table = await started(bench, "memory")
    with pytest.raises(TooLarge):
        await table.put_many(0, {b"a": b"1.1", b"b": b"1.1." + b"x" * 1_100_000})
    await table.put(0, b"c", b"1.1")
    assert await changelog(bench, table, 1) == [(b"c", b"1.1")]
    assert [table.get(0, key) for key in (b"a", b"b", b"c")] == [None, None, b"1.1"]


async def test_a_write_waits_for_a_broker_that_is_away(unique_prefix: str, tmp_path: Path) -> None:
    with LocalKafka(java_options=SHORT_LIVED) as own:
        async with stream_bench(own.bootstrap_servers, unique_prefix, tmp_path / "bench") as bench:
            await bench.topics("in")
            app, table = await started(bench, "rocksdb")
            epoch = app.epoch
            await asyncio.to_thread(own.kill)
            await until(lambda: not app.still_mine(0))
            writing = asyncio.create_task(table.put(0, b"a", b"1.1"))
            await asyncio.sleep(1.0)  # it would have failed by now
            assert not writing.done()
            await asyncio.to_thread(own.restart)
            await writing
            assert table.get(0, b"a") == b"1.1"
            assert app.gave_up is None
            assert app.epoch >= epoch


def replays(app: StreamApp) -> Mapping[int, int]:
    """Up to which offset the store held each partition before the recovery that just ended."""
    recovery = app.tables.recovery
    ends = {tp.partition: end for tp, end in recovery.active_highwaters.items() if end >= 0}
    replayed = len(recovery._processing_times) + 1  # the first record is measured from nothing
    return {partition: end - replayed for partition, end in ends.items()}
