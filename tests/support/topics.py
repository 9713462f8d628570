"""What flow tests do with topics: create, produce, and read until enough came."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from aiokafka import ConsumerRecord
    from aiokafka.structs import OffsetAndMetadata

PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a test sees it; `timestamp` is in milliseconds, header values are bytes."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class ToSend:
    """One record to produce; the partition is murmur2 of the key unless given."""

    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None] = field(default_factory=dict)
    partition: int | None = None


async def create_topics(
    servers: str, *names: str, partitions: int = 4, config: Mapping[str, str] | None = None
) -> None:
    """Creates the topics and returns when the leader of each partition answers."""
    wanted = [NewTopic(name, partitions, 1, topic_configs=dict(config or {})) for name in names]
    async with _admin(servers) as admin:
        await admin.create_topics(wanted)
    async with _reader(servers, names) as consumer:
        await consumer.end_offsets(list(consumer.assignment()))


async def delete_topics(servers: str, *names: str) -> None:
    """Deletes the topics and returns when the broker knows none of them any more."""
    async with _admin(servers) as admin, asyncio.timeout(PATIENCE_SECONDS):
        await admin.delete_topics(list(names))
        while set(names) & set(await admin.list_topics()):
            await asyncio.sleep(0.05)


async def delete_all(servers: str, prefix: str) -> None:
    """Deletes the topics whose names begin so.

    Each client of aiokafka reads the names of all topics when it starts: hundreds of tests' topics would cost
    more than the tests.
    """
    async with _admin(servers) as admin:
        if names := [name for name in await admin.list_topics() if name.startswith(prefix)]:
            await admin.delete_topics(names)


async def produce(servers: str, topic: str, records: Sequence[ToSend]) -> list[tuple[int, int]]:
    """Sends the records in order and awaits the broker's word; gives each one's (partition, offset)."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_request_size=3_000_000)
    await producer.start()
    try:
        sent = [
            await producer.send(
                topic,
                key=one.key,
                value=one.value,
                headers=list(one.headers.items()),
                partition=one.partition,
            )
            for one in records
        ]
        done = await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return [(one.partition, one.offset) for one in done]


async def consume_until(
    servers: str,
    topics: str | Sequence[str],
    enough: Callable[[list[Record]], bool],
    *,
    seconds: float = PATIENCE_SECONDS,
) -> list[Record]:
    """All records of the topics from their start, read until `enough` holds for what came.

    Within a partition they are in order. When the time is over the test fails and shows what came.
    """
    names = [topics] if isinstance(topics, str) else list(topics)
    came: list[Record] = []
    async with _reader(servers, names) as consumer:
        try:
            async with asyncio.timeout(seconds):
                while not enough(came):
                    came.append(_as_record(await consumer.getone()))
        except TimeoutError:
            shown = "\n".join(str(one) for one in came)
            raise AssertionError(f"not enough in {names} after {seconds} s:\n{shown}") from None
    return came


async def read_all(servers: str, topic: str) -> list[Record]:
    """All records that the topic holds now, up to its present end."""
    ends = await end_offsets(servers, topic)
    async with _reader(servers, [topic]) as consumer:
        came: list[Record] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not all([await consumer.position(part) >= end for part, end in ends.items()]):
                batch = await consumer.getmany(timeout_ms=200)
                came += [_as_record(one) for records in batch.values() for one in records]
    return [one for one in came if one.offset < ends[TopicPartition(topic, one.partition)]]


async def end_offsets(servers: str, topic: str) -> dict[TopicPartition, int]:
    """The next offset of each partition."""
    async with _reader(servers, [topic]) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
    return ends


async def committed(servers: str, group: str, topic: str) -> dict[int, int]:
    """The group's committed offset of each partition of which it committed one."""
    async with _admin(servers) as admin, asyncio.timeout(PATIENCE_SECONDS):
        offsets = await _offsets(admin, group)
    return {part.partition: meta.offset for part, meta in offsets.items() if part.topic == topic}


async def commit(servers: str, group: str, topic: str, offsets: dict[int, int]) -> None:
    """Have the group, of which nobody is there, stand at these offsets."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
    parts = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
    consumer.assign(list(parts))
    await consumer.start()
    try:
        await consumer.commit(parts)
    finally:
        await consumer.stop()


async def _offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    while True:
        try:
            return await admin.list_consumer_group_offsets(group)  # type: ignore[no-any-return]  # aiokafka is untyped
        except GroupCoordinatorNotAvailableError:
            # The first group of a broker has to wait for the topic of the offsets.
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _admin(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _reader(servers: str, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group at the start of all partitions of the topics."""
    async with _admin(servers) as admin:
        partitions = await _partitions(admin, topics)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, auto_offset_reset="earliest", max_partition_fetch_bytes=3_000_000
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> list[TopicPartition]:
    """The partitions of all the topics, once each of them has a leader."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await admin.describe_topics(list(topics))
            if all(_is_led(topic) for topic in found):
                return [
                    TopicPartition(one["topic"], part["partition"])
                    for one in found
                    for part in one["partitions"]
                ]
            await asyncio.sleep(0.05)


def _is_led(topic: dict[str, Any]) -> bool:
    partitions = topic["partitions"]
    return topic["error_code"] == 0 and all(part["leader"] >= 0 for part in partitions)


def _as_record(read: ConsumerRecord[bytes, bytes]) -> Record:
    return Record(
        topic=read.topic,
        partition=read.partition,
        offset=read.offset,
        timestamp=read.timestamp,
        key=read.key,
        value=read.value,
        headers=dict(read.headers),
    )
