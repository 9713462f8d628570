"""One booking straight from Kafka, for when no worker answers: its row and the rows behind it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from app.booking.record import decode, decode_head, queued, rank
from app.commands.topic_there import require_topic
from app.stream.partition import partition_for
from app.stream.topology import Topic, Topics
from app.view.rows import BookingSeen

_FETCH_BYTES = 4 * 1024 * 1024
_POLL_MS = 500


async def read_booking(topics: Topics, arguments: Mapping[str, Any], booking_id: str) -> BookingSeen | None:
    """The booking as the changelogs of its partition have it, None when there is none.

    Reads one partition of two changelogs to their present end: seconds, not minutes, even with a million
    bookings. Raises `TopicsWrong` when there are no changelogs.
    """
    partition = partition_for(booking_id.encode(), topics.booking_events.partitions)
    rows: list[bytes | None] = []
    behind: dict[str, bytes | None] = {}

    def keep_row(record: ConsumerRecord[bytes, bytes]) -> None:
        if record.key == booking_id.encode():
            rows.append(record.value)

    def keep_behind(record: ConsumerRecord[bytes, bytes]) -> None:
        owner, _, slot = (record.key or b"").decode().rpartition("/")
        if owner == booking_id:
            behind[slot] = record.value

    await _read(topics.changelog("bookings"), partition, arguments, keep_row)
    row = _best(rows)
    if row is None:
        return None
    await _read(topics.changelog("behind"), partition, arguments, keep_behind)
    record = decode(row)
    slots = [behind.get(queued(number)) for number in range(record.lane.first, record.lane.next)]
    heads = tuple(decode_head(slot) for slot in slots if slot is not None)
    return BookingSeen(record=record, partition=partition, behind=heads)


def _best(rows: list[bytes | None]) -> bytes | None:
    """The row with the highest rank since the last tombstone, which always wins."""
    alive: list[bytes] = []
    for row in rows:
        alive = [] if row is None else [*alive, row]
    return max(alive, key=rank, default=None)


async def _read(
    topic: Topic,
    partition: int,
    arguments: Mapping[str, Any],
    keep: Callable[["ConsumerRecord[bytes, bytes]"], None],
) -> None:
    """Gives every record of the partition up to its present end to `keep`."""
    await require_topic(topic, arguments)
    place = TopicPartition(topic.name, partition)
    consumer = AIOKafkaConsumer(
        **arguments,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        await consumer.start()
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(timeout_ms=_POLL_MS)).get(place, []):
                keep(record)
            # A long read leaves room for Ctrl-C.
            await asyncio.sleep(0)
    finally:
        await consumer.stop()
