"""What stands in Kafka: tables from their changelogs, letters, announcements, commits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.booking.record import Phase, Record, decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import ConsumerRecord

    from app.stream.topology import Topics


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of the dead letter topic."""

    key: str
    reason: str
    origin: tuple[str, int, int]
    detail: str


@dataclass(slots=True)
class KafkaBooks:
    """Reads on from where it stood. `async with` opens it."""

    servers: str
    topics: Topics
    rows: dict[str, Record] = field(default_factory=dict)
    lower_rows: int = 0
    """Rows that came behind a higher one of their booking."""
    letters: list[Letter] = field(default_factory=list)
    announced: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By booking the announcement with the highest sequence."""
    announcements: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By type how many different ids."""
    _ids: set[str] = field(default_factory=set)
    _consumer: Any = None
    _admin: Any = None

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, max_partition_fetch_bytes=3_000_000)
        await self._consumer.start()
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await self._admin.start()
        self._consumer.assign([tp for topic in self._read() for tp in self._partitions(topic)])
        await self._consumer.seek_to_beginning()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    def _read(self) -> tuple[str, ...]:
        return (
            self.topics.changelog("bookings").name,
            self.topics.dead_letter.name,
            self.topics.jobs.name,
        )

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.topics.booking_events.partitions)]

    async def read_on(self) -> None:
        """Read up to the present ends."""
        ends = await self._ends(self._read())
        while True:
            behind = [tp for tp, end in ends.items() if await self._consumer.position(tp) < end]
            if not behind:
                return
            batch = await self._consumer.getmany(timeout_ms=200)
            for record in (one for records in batch.values() for one in records):
                self._take(record)

    async def _ends(self, names: Iterable[str]) -> dict[TopicPartition, int]:
        found: dict[TopicPartition, int] = await self._consumer.end_offsets(
            [tp for name in names for tp in self._partitions(name)]
        )
        return found

    def _take(self, record: ConsumerRecord[bytes, bytes]) -> None:
        key = (record.key or b"").decode(errors="replace")
        if record.topic == self.topics.dead_letter.name:
            self.letters.append(_letter(key, record))
        elif record.topic == self.topics.jobs.name:
            self._announced(key, record.value)
        elif record.value is None:
            self.rows.pop(key, None)
        else:
            self._row(key, decode(record.value))

    def _row(self, key: str, row: Record) -> None:
        known = self.rows.get(key)
        if known is not None and (known.generation, known.sequence) > (row.generation, row.sequence):
            self.lower_rows += 1
            return
        self.rows[key] = row

    def _announced(self, key: str, value: bytes) -> None:
        event = orjson.loads(value)
        known = self.announced.get(key)
        if known is None or known["sequence"] <= event["data"]["sequence"]:
            self.announced[key] = event["data"]
        if event["id"] not in self._ids:
            self._ids.add(event["id"])
            self.announcements[event["type"]] += 1

    async def commits(self) -> dict[TopicPartition, int]:
        """The group's committed offsets."""
        offsets = await self._admin.list_consumer_group_offsets(self.topics.consumer_group)
        return {tp: meta.offset for tp, meta in offsets.items()}

    async def lag(self) -> dict[TopicPartition, int]:
        """How many records are not committed, of each source partition that has such."""
        return _left(await self._ends(self._sources()), await self.commits())

    async def standing(self) -> dict[TopicPartition, int]:
        """Where the sources end now."""
        return await self._ends(self._sources())

    async def worked_off(self, ends: dict[TopicPartition, int], seconds: float) -> None:
        """Return when all that stood in the sources is committed, or raise TimeoutError."""
        async with asyncio.timeout(seconds):
            while _left(ends, await self.commits()):
                await asyncio.sleep(0.3)

    def _sources(self) -> tuple[str, ...]:
        return (
            self.topics.booking_events.name,
            self.topics.signals.name,
            self.topics.customer_requests.name,
            *(topic.name for topic in self.topics.retry_read),
        )

    def busy(self) -> list[Record]:
        """Rows of lanes that have yet to come to rest."""
        return [
            row
            for row in self.rows.values()
            if row.lane.phase in {Phase.WAITING, Phase.WORKING} or row.lane.recheck
        ]

    async def settle(self, seconds: float) -> bool:
        """Whether all came to rest within that time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    lag = await self.lag()
                    await self.read_on()
                    if not (lag or self.busy()):
                        return True
                    await asyncio.sleep(0.3)
        except TimeoutError:
            return False


def _left(ends: dict[TopicPartition, int], commits: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
    return {tp: end - commits.get(tp, 0) for tp, end in ends.items() if end > commits.get(tp, 0)}


def _letter(key: str, record: ConsumerRecord[bytes, bytes]) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    origin = (
        headers["x-original-topic"],
        int(headers["x-original-partition"]),
        int(headers["x-original-offset"]),
    )
    return Letter(key, headers["x-reason"], origin, headers.get("x-detail", ""))
