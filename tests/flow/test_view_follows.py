"""The view on a real Kafka: it follows, waits, resumes, and is made anew when its file is worth nothing."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from structlog.testing import capture_logs

from app.booking.identity import NOTHING_SEEN, Progress, mark
from app.booking.record import Lane, Phase, encode, encode_head
from app.business_file import load_business
from app.view import schema
from app.view.config import ViewConfig, ViewTopics
from app.view.projector import Projector
from app.view.rows import Ended, OnItsWay
from app.view.view import View
from tests.support.rows import a_head, a_record, digest, with_job
from tests.support.topics import ToSend, create_topics, produce

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from app.booking.record import Record
    from app.view.apply import Applied

PARTITIONS = 3
PATIENCE = 60


def config(kafka: str, prefix: str, folder: Path) -> ViewConfig:
    return ViewConfig(
        connection={"bootstrap_servers": [kafka]},
        data_dir=folder,
        prefix=prefix,
        partitions=PARTITIONS,
        business=load_business(),
        topics=ViewTopics(
            bookings=f"{prefix}bookings",
            behind=f"{prefix}behind",
            dead_letters=f"{prefix}dead",
            signals=f"{prefix}signals",
            webhooks=f"{prefix}webhooks",
        ),
    )


@pytest.fixture
async def where(kafka: str, unique_prefix: str, tmp_path: Path) -> ViewConfig:
    found = config(kafka, unique_prefix, tmp_path)
    await create_topics(kafka, *found.topics, partitions=PARTITIONS)
    return found


@contextlib.asynccontextmanager
async def following(where: ViewConfig) -> AsyncIterator[View]:
    view = View(where)
    await view.start()
    try:
        async with asyncio.timeout(PATIENCE):
            await view.until_caught_up()
        yield view
    finally:
        await view.stop()


async def write(where: ViewConfig, *records: Record) -> None:
    rows = [ToSend(record.booking_id.encode(), encode(record)) for record in records]
    await produce(where.connection["bootstrap_servers"][0], where.topics.bookings, rows)


async def until(view: View, booking_id: str, sequence: int) -> Record:
    async with asyncio.timeout(PATIENCE):
        while True:
            seen = await view.booking(booking_id)
            if seen is not None and seen.record.sequence == sequence:
                return seen.record
            await asyncio.sleep(0.02)


async def test_it_has_what_was_there_and_follows_what_comes(where: ViewConfig) -> None:
    records = [with_job(f"b-{number}", number) for number in range(1, 200)]
    await write(where, *records)
    async with following(where) as view:
        for record in records:
            seen = await view.booking(record.booking_id)
            assert seen is not None
            assert seen.record == record
        assert not view.far_behind
        await write(where, replace(records[4], sequence=2))
        assert await until(view, "b-5", 2) == replace(records[4], sequence=2)
        assert view.progress.records_behind == 0
        assert await view.booking("nobody") is None


async def test_it_says_as_of_when_it_is(where: ViewConfig) -> None:
    async with following(where) as view:
        async with asyncio.timeout(PATIENCE):
            while (first := view.as_of) is None:
                await asyncio.sleep(0.05)
            while view.as_of == first:
                await asyncio.sleep(0.05)
        assert view.as_of is not None
        assert view.as_of > first


async def test_what_was_rolled_back_is_not_there_and_an_open_transaction_makes_nothing_old(
    where: ViewConfig,
) -> None:
    producer = AIOKafkaProducer(**where.connection, transactional_id=where.prefix)
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(where.topics.bookings, encode(with_job("b-1", 1)), b"b-1")
        await producer.abort_transaction()
        await producer.begin_transaction()
        await producer.send_and_wait(where.topics.bookings, encode(with_job("b-2", 2)), b"b-2")
        async with following(where) as view:
            async with asyncio.timeout(PATIENCE):
                while (first := view.as_of) is None:
                    await asyncio.sleep(0.05)
                while view.as_of == first:
                    await asyncio.sleep(0.05)
            assert [await view.booking(name) for name in ("b-1", "b-2")] == [None, None]
            assert view.progress.records_behind == 0
            await producer.commit_transaction()
            await until(view, "b-2", 1)
    finally:
        await producer.stop()


async def test_a_wait_ends_with_the_event_and_not_before(where: ViewConfig) -> None:
    async with following(where) as view:
        assert await view.wait_for("b-1", [digest("e-1")], 0.2) == OnItsWay(booking=None)
        waits = [asyncio.create_task(view.wait_for("b-1", [digest("e-1")], PATIENCE)) for _ in range(3)]
        on_its_way = a_record("b-1", seen=mark(NOTHING_SEEN, digest("e-1"), Progress.ON_ITS_WAY))
        await write(where, on_its_way)
        await until(view, "b-1", 1)
        assert not any(wait.done() for wait in waits)
        await write(where, with_job("b-1", 7, sequence=2))
        for fate in await asyncio.gather(*waits):
            assert isinstance(fate, Ended)
            assert fate.became is Progress.WORKED
            assert fate.booking is not None
            assert fate.booking.record.job is not None
        assert view._waiting == {}


async def test_events_behind_a_head_are_there(where: ViewConfig) -> None:
    await write(where, a_record("b-1", lane=Lane(phase=Phase.HELD, head=a_head(), first=3, next=4)))
    row = ToSend(b"b-1/q3", encode_head(a_head("e-3")))
    await produce(where.connection["bootstrap_servers"][0], where.topics.behind, [row])
    async with following(where) as view:
        seen = await view.booking("b-1")
        assert seen is not None
        assert [head.event_id for head in seen.behind] == ["e-3"]


async def test_a_row_that_went_back_is_told_until_its_owner_wrote_it_again(where: ViewConfig) -> None:
    newer = a_record("b-1", generation=2, sequence=8)
    await write(where, newer, a_record("b-1", generation=1, sequence=9))
    async with following(where) as view:
        seen = await view.booking("b-1")
        assert seen is not None
        assert seen.record == newer
        assert [one.booking_id for one in await view.regressions(range(PARTITIONS))] == ["b-1"]
    async with following(where) as view:
        assert await view.regressions(range(PARTITIONS)) != [], "it is remembered over a restart"
        await write(where, replace(newer, sequence=10))
        await until(view, "b-1", 10)
        assert await view.regressions(range(PARTITIONS)) == []


async def test_a_removed_booking_is_gone(where: ViewConfig) -> None:
    await write(where, with_job("b-1", 1), with_job("b-2", 2))
    async with following(where) as view:
        tombstone = ToSend(b"b-1", None)
        await produce(where.connection["bootstrap_servers"][0], where.topics.bookings, [tombstone])
        async with asyncio.timeout(PATIENCE):
            while await view.booking("b-1") is not None:
                await asyncio.sleep(0.02)
        assert await view.booking_of_job(1) is None
        assert await view.booking_of_job(2) is not None


# The file -------------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_was(where: ViewConfig) -> None:
    await write(where, a_record("b-1"), a_record("b-2"))
    async with following(where):
        pass
    with contextlib.closing(schema.connect(where.path)) as database:
        # What only this file has shows that it was gone on with.
        database.execute("UPDATE bookings SET sequence = 5 WHERE booking_id = 'b-1'")
        database.execute("DELETE FROM bookings WHERE booking_id = 'b-2'")
    await write(where, a_record("b-3"))
    async with following(where) as view:
        await until(view, "b-3", 1)
        assert await view.booking("b-2") is None


async def rebuilt(where: ViewConfig) -> None:
    """What the file lost is there again."""
    async with following(where) as view:
        seen = await view.booking("b-2")
        assert seen is not None


async def _with_a_gap(where: ViewConfig) -> None:
    """A file from which a booking is missing, so that only a rebuilt one has it."""
    await write(where, a_record("b-1"), a_record("b-2"))
    async with following(where):
        pass
    with contextlib.closing(schema.connect(where.path)) as database:
        database.execute("DELETE FROM bookings WHERE booking_id = 'b-2'")


async def test_a_file_of_another_kafka_is_made_anew_and_one_line_says_so(where: ViewConfig) -> None:
    await _with_a_gap(where)
    with contextlib.closing(schema.connect(where.path)) as database:
        database.execute("UPDATE stamp SET value = 'another' WHERE name = 'cluster'")
    with capture_logs() as lines:
        await rebuilt(where)
    assert [line["event"] for line in lines] == ["the view is rebuilt"]


async def test_a_file_of_another_prefix_is_made_anew(where: ViewConfig) -> None:
    await _with_a_gap(where)
    with contextlib.closing(schema.connect(where.path)) as database:
        database.execute("UPDATE stamp SET value = 'another' WHERE name = 'prefix'")
    await rebuilt(where)


async def test_a_file_that_was_not_written_for_long_is_made_anew(where: ViewConfig) -> None:
    await _with_a_gap(where)
    await rebuilt(replace(where, forget_after=timedelta(0)))


async def test_offsets_beyond_the_log_make_it_anew(where: ViewConfig) -> None:
    await _with_a_gap(where)
    with contextlib.closing(schema.connect(where.path)) as database:
        database.execute("UPDATE positions SET next = next + 1000")
    await rebuilt(where)


@pytest.mark.parametrize("damage", ["nothing", "text", "torn", "empty"])
async def test_a_damaged_file_is_made_anew(where: ViewConfig, damage: str) -> None:
    await _with_a_gap(where)
    whole = where.path.read_bytes()
    match damage:
        case "nothing":
            where.path.unlink()
        case "text":
            where.path.write_text("this is no database" * 1000)
        case "torn":
            where.path.write_bytes(whole[: len(whole) // 3])
        case _:
            where.path.write_bytes(b"")
    await rebuilt(where)


async def test_damage_found_while_it_runs_makes_it_anew(where: ViewConfig) -> None:
    await write(where, *(a_record(f"b-{number}") for number in range(300)))
    async with following(where) as view:
        with contextlib.closing(schema.connect(where.path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = where.path.stat().st_size
        with where.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xee" * (size - 4096))
        await write(where, a_record("new"))
        async with asyncio.timeout(PATIENCE):
            while view.progress.build < 2 or not view.progress.caught_up:
                await asyncio.sleep(0.05)
        assert await view.booking("new") is not None
        assert await view.booking("b-299") is not None


async def test_a_log_that_begins_later_is_no_reason_to_begin_anew(where: ViewConfig) -> None:
    """Dead letters that Kafka dropped before a view came to read them."""
    servers = where.connection["bootstrap_servers"][0]
    await produce(servers, where.topics.dead_letters, [ToSend(b"b-1", b"x", partition=0) for _ in range(4)])
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.delete_records({TopicPartition(where.topics.dead_letters, 0): RecordsToDelete(3)})
    await admin.close()
    async with following(where) as view:
        (letter,) = await view.dead_letters()
        assert letter.offset == 3


async def test_a_stop_while_kafka_is_away_does_not_wait_for_it(tmp_path: Path) -> None:
    view = View(config("127.0.0.1:1", "none-", tmp_path))
    await view.start()
    async with asyncio.timeout(PATIENCE):
        while view.progress.trouble is None:
            await asyncio.sleep(0.02)
        assert view.far_behind
        await view.stop()


async def test_what_nobody_thought_of_does_not_end_the_following(where: ViewConfig) -> None:
    failing = iter([True])
    told: list[str | None] = []

    def changed(done: Applied) -> None:
        if next(failing, False):
            raise LookupError("Ada Lovelace")
        told.extend(done.bookings)

    with capture_logs() as logs:
        projector = Projector(where, changed=changed, caught_up=lambda: None)
        projector.start()
        try:
            await write(where, a_record("b-1"))
            async with asyncio.timeout(PATIENCE):
                while projector.progress.trouble is None:
                    await asyncio.sleep(0.001)
                assert projector.progress.trouble == "LookupError"
                await write(where, a_record("b-2"))
                while told != ["b-2"] or not projector.progress.caught_up or projector.progress.trouble:
                    await asyncio.sleep(0.02)
        finally:
            await asyncio.to_thread(projector.stop)
    assert [one["event"] for one in logs].count("the view failed; trying on") == 1
