"""The demo's two ends in Kafka: sends each script's events in their time, and reads what became of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.booking.inputs import Action
from app.local.demo_script import After, Script, Step
from app.local.demo_tally import GaveUp, Tally
from app.local.examples import Sent
from app.stream import codec
from app.stream.topology import Topics

OPERATOR = "the demo's operator"


class Traffic:
    """Sends scripts and keeps a tally. `tally.events` counts what was acknowledged by Kafka."""

    def __init__(self, topics: Topics, arguments: dict[str, Any], tally: Tally) -> None:
        self.tally = tally
        self._topics = topics
        self._arguments = arguments
        self._producer: AIOKafkaProducer
        self._changed = asyncio.Event()
        self._playing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connects; reads from the topics' beginning until it is closed."""
        self._producer = AIOKafkaProducer(**self._arguments, acks="all")
        await self._producer.start()
        self._tasks.add(asyncio.create_task(self._read()))
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._producer.stop()

    async def send(self, scripts: Iterable[Script], *, per_second: float) -> None:
        """Begins the scripts one after the other at this pace; steps that wait are sent in their time."""
        for script in scripts:
            self._playing.add(script.booking_id)
            self._tasks.add(asyncio.create_task(self._play(script)))
            await asyncio.sleep(1 / per_second)

    @property
    def all_sent(self) -> bool:
        """Whether no begun script has a step left."""
        return not self._playing

    def raise_failure(self) -> None:
        """Raises what went wrong while sending or reading, if something did."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()

    async def left(self) -> int:
        """How many records the workers have not yet done with, timers that are not due included."""
        admin = AIOKafkaAdminClient(**self._arguments)
        try:
            await admin.start()
            done = await admin.list_consumer_group_offsets(self._topics.consumer_group)
        finally:
            await admin.close()
        async with self._reader(self._read_by_workers()) as reader:
            ends: dict[TopicPartition, int] = await reader.end_offsets(list(reader.assignment()))
        return sum(end - (done[part].offset if part in done else 0) for part, end in ends.items())

    async def _play(self, script: Script) -> None:
        for step in script.steps:
            while not self._is_time(script, step):
                self._changed.clear()
                await self._changed.wait()
            await self._send(self._topics.booking_events.name, step.sent)
            self.tally.events += 1
        self._playing.discard(script.booking_id)

    def _is_time(self, script: Script, step: Step) -> bool:
        match step.after:
            case After.AT_ONCE:
                return True
            case After.JOB:
                return self.tally.has_job(script.booking_id)
            case After.HELD:
                return self.tally.is_held(script.booking_id)

    async def _send(self, topic: str, sent: Sent) -> None:
        await self._producer.send_and_wait(topic, sent.value, key=sent.key, headers=list(sent.headers))

    async def _read(self) -> None:
        topics = self._topics
        names = [topics.jobs.name, topics.dead_letter.name, *(topic.name for topic in topics.retry)]
        async with self._reader(names) as reader:
            async for record in reader:
                await self._count(record)
                self._changed.set()

    async def _count(self, record: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
        if record.topic == self._topics.jobs.name:
            self.tally.announced(record.value)
        elif record.topic == self._topics.dead_letter.name:
            gave_up = self.tally.dead_lettered(record.key, record.value, dict(record.headers))
            if gave_up is not None:
                await self._retry(gave_up)
        else:
            self.tally.retried += 1

    async def _retry(self, gave_up: GaveUp) -> None:
        """What an operator would do once ServiceTitan is well again."""
        action = Action(kind="retry", by=OPERATOR, why="every attempt met a failure", event=gave_up.event_id)
        value = codec.encode_action(gave_up.booking_id, action, event_id=str(uuid4()), now=datetime.now(UTC))
        await self._send(self._topics.signals.name, Sent(gave_up.booking_id.encode(), value))

    def _read_by_workers(self) -> list[str]:
        topics = self._topics
        return [
            topics.booking_events.name,
            topics.signals.name,
            topics.customer_requests.name,
            topics.webhooks.name,
            *(topic.name for topic in topics.retry),
        ]

    @asynccontextmanager
    async def _reader(self, names: list[str]) -> AsyncIterator[AIOKafkaConsumer]:
        reader = AIOKafkaConsumer(**self._arguments, auto_offset_reset="earliest", enable_auto_commit=False)
        await reader.start()
        try:
            partitions = range(self._topics.booking_events.partitions)
            reader.assign([TopicPartition(name, number) for name in names for number in partitions])
            yield reader
        finally:
            await reader.stop()
