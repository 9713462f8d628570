"""Too much at once: copies of one event, bookings that all fail, a long lane, retries that are all due."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from app.booking.reasons import Reason
from tests.kill import retries
from tests.kill.books import Produced
from tests.kill.report import report
from tests.kill.story import START, Step, Story, booked
from tests.kill.trial import SETTLE_SECONDS, stories_for, trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from app.local.kafka import LocalKafka
    from tests.kill.report import Options, Report
    from tests.kill.trial import Trial

_LIVE = "live"
_LIVE_SECONDS = 5


async def poison(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """Many copies of one event, bookings that all fail, and a long held lane, beside live bookings."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        running.settle_seconds = SETTLE_SECONDS + options.copies / 1000 + options.failing / 50
        await running.fleet.start("w0")
        notes: list[str] = []
        async with _live(running, options.rate / 2):
            copied = stories_for(running.random, 1, prefix="copied", extras=False)[0]
            again = replace(copied.steps[0], again=True)
            await _send(running, [(copied, copied.steps[0])])
            notes.append(await _worked(running, "copies", ((copied, again) for _ in range(options.copies))))
            failing = (_refused(f"r{n}", 10_000 + n) for n in range(options.failing))
            notes.append(await _worked(running, "failing bookings", ((s, s.steps[0]) for s in failing)))
            held = _held_lane(options.behind)
            notes.append(await _worked(running, "events of a held lane", ((held, s) for s in held.steps)))
        running.faults += 3
        notes += [_live_seconds(running), f"memory {running.fleet.kilobytes('w0') // 1024} MB"]
        return await report(running, *notes)


async def due(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """Many bookings whose creation failed once, all due for their retry in the moment a worker starts."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        running.settle_seconds = SETTLE_SECONDS + options.timers / 20
        made = [_made(f"d{n}", n % retries.PERSONS) for n in range(options.timers)]
        await _send(running, ((story, story.steps[0]) for story in made))
        await retries.leave(running)
        # Before the start: what is touched for the first time sends what it owed again.
        standing = await running.kafka.standing()
        life = await running.fleet.start("w0")
        await life.owns()
        begun = time.monotonic()
        async with _live(running, options.rate):
            await running.kafka.worked_off(standing, running.settle_seconds)
            seconds = time.monotonic() - begun
        running.faults += 1
        calls = running.upstream.running.state.journal.max_in_a_second
        note = f"{len(made)} retries due at once were made in {seconds:.0f} s, at most {calls} calls a second"
        return await report(running, note, _live_seconds(running))


def _made(booking_id: str, person: int) -> Story:
    """A creation, and nothing more."""
    step = Step(f"{booking_id}-0", "booking.created", booked(person), 0.0, ("job.created", ""))
    return Story(booking_id, person, (step,))


def _refused(booking_id: str, person: int) -> Story:
    """A creation that ServiceTitan refuses for its customer."""
    data = {**booked(person), "email": "error@test.com"}
    step = Step(f"{booking_id}-0", "booking.created", data, 0.0, letter=Reason.CUSTOMER_CONFLICT)
    return Story(booking_id, person, (step,))


def _held_lane(behind: int) -> Story:
    """A refused creation, so many events behind it, and the cancellation that closes it all.

    With 1,000 behind it the lane is full, and one more is turned away.
    """
    head = _refused("held", 20_000).steps[0]
    moved = [
        Step(f"held-{n}", "booking.rescheduled", {"scheduledDate": START.isoformat()}, 0.0)
        for n in range(1, behind + 1)
    ]
    cancelled = Step("held-end", "booking.cancelled", {}, 0.0, ("job.canceled", ""))
    return Story("held", 20_000, (head, *moved, cancelled))


@asynccontextmanager
async def _live(running: Trial, rate: float) -> AsyncIterator[None]:
    """Ordinary bookings come all the while."""

    async def come() -> None:
        for number in count():
            stories = stories_for(
                running.random, int(_LIVE_SECONDS * rate), prefix=f"{_LIVE}{number}-", extras=False
            )
            await running.produce(stories, rate)
            if over.is_set():
                return

    over = asyncio.Event()
    coming = asyncio.create_task(come())
    try:
        yield
    finally:
        over.set()
        await coming


def _live_seconds(running: Trial) -> str:
    seconds = running.seconds_to_job(_LIVE)
    middle, most = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    return f"{len(seconds)} live bookings had their job after p50 {middle:.2f} s, p99 {most:.2f} s"


async def _worked(running: Trial, what: str, told: Iterable[tuple[Story, Step]]) -> str:
    """Send them, and return when they are worked off: how fast?"""
    begun = time.monotonic()
    sent = await _send(running, told)
    await running.kafka.worked_off(await running.kafka.standing(), running.settle_seconds)
    seconds = time.monotonic() - begun
    return f"{sent} {what} worked off in {seconds:.0f} s, {sent / seconds:.0f} a second"


async def _send(running: Trial, told: Iterable[tuple[Story, Step]]) -> int:
    """Send these as fast as the broker takes them."""
    topic = running.kafka.topics.booking_events.name
    total = 0
    async with AIOKafkaProducer(bootstrap_servers=running.kafka.servers, linger_ms=5) as producer:
        left = iter(told)
        while some := list(islice(left, 5_000)):
            sent = [
                await producer.send(topic, key=story.booking_id.encode(), value=story.value(step))
                for story, step in some
            ]
            at = time.monotonic()
            for (story, step), one in zip(some, await asyncio.gather(*sent), strict=True):
                running.produced.append(Produced(story, step, one.partition, one.offset, at))
            total += len(some)
    return total
