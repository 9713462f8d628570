"""One trial: real workers, a real Kafka, a simulated ServiceTitan, stories, and faults."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from app.settings import load
from app.stream.kafka import connection
from app.stream.provision import ensure
from app.stream.topology import topics
from tests.kill.books import Allowed, Books, Produced, ahead, compare
from tests.kill.reading import KafkaBooks
from tests.kill.story import name_of, write_stories
from tests.kill.upstream import simulated
from tests.kill.workers import Fleet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from app.local.kafka import LocalKafka
    from tests.kill.story import Story
    from tests.kill.upstream import Upstream

SETTLE_SECONDS = 240.0
CALL_SECONDS = 2.0
"""A call's time-out in trials."""

SETTINGS: Mapping[str, str] = {
    "TOPIC_PARTITIONS": "4",
    "RETRY_DELAYS": "1,2,3",
    "KAFKA_SESSION_TIMEOUT_SECONDS": "2",
    "SERVICETITAN_SETTLE_SECONDS": "3",
    "SERVICETITAN_TIMEOUT_SECONDS": str(CALL_SECONDS),
    "SERVICETITAN_CALLS_PER_SECOND": "300",
    "SERVICETITAN_SWEEP_SECONDS": "0",
}


@dataclass(slots=True)
class Trial:
    """What the faults work with."""

    random: Random
    broker: LocalKafka
    upstream: Upstream
    kafka: KafkaBooks
    fleet: Fleet
    produced: list[Produced] = field(default_factory=list)
    commits_ahead: set[str] = field(default_factory=set)
    faults: int = 0
    allowed: Allowed = field(default_factory=Allowed)
    settled_after: float = 0.0
    settle_seconds: float = SETTLE_SECONDS

    async def produce(self, stories: Sequence[Story], per_second: float) -> None:
        """Tell the stories side by side, so that about so many events come in a second."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka.servers, enable_idempotence=True, request_timeout_ms=120_000
        )
        await producer.start()
        try:
            async with asyncio.TaskGroup() as telling:
                for story in stories:
                    telling.create_task(self._tell(producer, story))
                    await asyncio.sleep(len(story.steps) / per_second)
        finally:
            await producer.stop()

    async def _tell(self, producer: AIOKafkaProducer, story: Story) -> None:
        topic = self.kafka.topics.booking_events.name
        for step in story.steps:
            await asyncio.sleep(step.gap)
            taken = await producer.send_and_wait(
                topic, key=story.booking_id.encode(), value=story.value(step)
            )
            at = time.monotonic()
            self.produced.append(Produced(story, step, taken.partition, taken.offset, at))

    async def look(self) -> None:
        """Compare commits with work as things stand, in the middle of it all."""
        produced = list(self.produced)
        commits = await self.kafka.commits()
        await self.kafka.read_on()
        self.commits_ahead.update(ahead(produced, self.kafka, commits))

    def seconds_to_job(self, prefix: str) -> list[float]:
        """From each creation of a booking whose id begins so to its job, in order of length."""
        made = {done.booking: done.at for done in self.upstream.log if done.effect[0] == "job.created"}
        told = {
            one.story.booking_id: one.at
            for one in reversed(self.produced)
            if one.step.effect == ("job.created", "") and one.story.booking_id.startswith(prefix)
        }
        return sorted(made[booking] - at for booking, at in told.items() if booking in made)

    async def finish(self) -> Books:
        """Wait for rest, and compare."""
        begun = time.monotonic()
        await self.kafka.settle(self.settle_seconds)
        self.settled_after = time.monotonic() - begun
        await self.look()
        books = compare(self.produced, self.kafka, self.upstream, self.allowed)
        books.commits_ahead = sorted(self.commits_ahead)
        books.stuck += [
            f"{tp.topic}[{tp.partition}]: {left}" for tp, left in (await self.kafka.lag()).items()
        ]
        if self.allowed.second_jobs:
            late = self.fleet.sent_late()
            of = [one.story.person for one in self.produced if one.story.booking_id in late]
            books.excuse(late, {name_of(person) for person in of})
        return books


def stories_for(random: Random, events: int, *, prefix: str = "b", extras: bool = True) -> list[Story]:
    """Stories with about so many events in all."""
    stories: list[Story] = []
    written = write_stories(random, events, prefix=prefix, extras=extras)
    total = 0
    for story in written:
        if total >= events:
            break
        stories.append(story)
        total += len(story.steps)
    return stories


@asynccontextmanager
async def trial(
    broker: LocalKafka, folder: Path, *, seed: int, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Trial]:
    """Topics of its own on the broker, a simulator, and a fleet that has no worker yet."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(simulated(seed))
        environment = {
            **SETTINGS,
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "TOPIC_PREFIX": f"k{uuid4().hex[:8]}-",
            "SERVICETITAN_API_URL": upstream.url,
            **(settings or {}),
        }
        loaded = load(environment)
        await ensure(topics(loaded), connection(loaded))
        kafka = await stack.enter_async_context(KafkaBooks(broker.bootstrap_servers, topics(loaded)))
        fleet = Fleet(environment, folder)
        stack.push_async_callback(fleet.close)
        await fleet.open()
        yield Trial(Random(seed), broker, upstream, kafka, fleet)
