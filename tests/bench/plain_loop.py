"""The baseline: aiokafka, a chain per key, the same call per event, and nothing else.

`python -m tests.bench.plain_loop SERVERS TOPIC UPSTREAM IN_FLIGHT [JOURNAL]`. No table, no announcement, no
look-ups, no view; it commits what it has finished in order, every half second. It gives order and
at-least-once, which is what a careful user writes by hand.

With the topic JOURNAL it also waits for the three records that exactly one job takes: an intent before the
call, a row and an announcement after it, of usual sizes and always the same bytes. That is what this service
cannot go below in Python, whatever it does between them.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque

import aiohttp
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

_COMMIT_SECONDS = 0.5
_MOST_WAITING = 5_000
_BATCH_BYTES = 512 * 1024
_INTENT, _ROW, _ANNOUNCEMENT = b"i" * 100, b"r" * 2_000, b"a" * 1_000


class Journal:
    """What must be durable before and after a call. Without a producer nothing is."""

    def __init__(self, producer: AIOKafkaProducer | None, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def write(self, key: bytes, *values: bytes) -> None:
        """Send these, and wait for the broker to have them."""
        if self._producer is None:
            return
        for sent in [await self._producer.send(self._topic, value, key=key) for value in values]:
            await sent


class Loop:
    """Works the records of a topic, `slots` calls at once, one at a time per key."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        journal: Journal,
        session: aiohttp.ClientSession,
        url: str,
        slots: int,
    ) -> None:
        self._consumer = consumer
        self._journal = journal
        self._session = session
        self._url = url
        self._slots = asyncio.Semaphore(slots)
        self._chains: dict[bytes, deque[ConsumerRecord[bytes, bytes]]] = {}
        self._order: dict[TopicPartition, deque[int]] = {}
        self._pending: dict[TopicPartition, set[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        committing = asyncio.create_task(self._commit())
        try:
            async for record in self._consumer:
                self._take(record)
                while sum(map(len, self._pending.values())) > _MOST_WAITING:
                    await asyncio.sleep(0.01)
        finally:
            committing.cancel()

    def _take(self, record: ConsumerRecord[bytes, bytes]) -> None:
        tp = TopicPartition(record.topic, record.partition)
        self._order.setdefault(tp, deque()).append(record.offset)
        self._pending.setdefault(tp, set()).add(record.offset)
        key = record.key or b""
        if key in self._chains:
            self._chains[key].append(record)
            return
        self._chains[key] = deque([record])
        task = asyncio.create_task(self._work_off(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, key: bytes) -> None:
        chain = self._chains[key]
        while chain:
            record = chain[0]
            await self._journal.write(key, _INTENT)
            async with self._slots:
                await self._call(record)
            await self._journal.write(key, _ROW, _ANNOUNCEMENT)
            self._pending[TopicPartition(record.topic, record.partition)].remove(record.offset)
            chain.popleft()
        del self._chains[key]

    async def _call(self, record: ConsumerRecord[bytes, bytes]) -> None:
        event = orjson.loads(record.value or b"{}")
        body = orjson.dumps({"start": event["data"]["scheduledDate"]})
        headers = {"Content-Type": "application/json", "ST-App-Key": "k", "Authorization": "Bearer t"}
        async with self._session.patch(self._url, data=body, headers=headers) as response:
            orjson.loads(await response.read())

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_SECONDS)
            offsets = {}
            for tp, order in self._order.items():
                done = None
                while order and order[0] not in self._pending[tp]:
                    done = order.popleft() + 1
                if done is not None:
                    offsets[tp] = done
            if offsets:
                await self._consumer.commit(offsets)


async def main(servers: str, topic: str, upstream: str, slots: int, journal: str = "") -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=f"{topic}-plain",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = (
        AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=_BATCH_BYTES)
        if journal
        else None
    )
    url = f"{upstream}/jpm/v2/tenant/1/appointments/1/reschedule"
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await consumer.start()
        if producer is not None:
            await producer.start()
        print("took partitions", flush=True)
        await Loop(consumer, Journal(producer, journal), session, url, slots).run()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:]))
