"""Scenarios beyond kills: the disk, clocks, a backlog, and ends in good order."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from app.booking.identity import Progress, look_up
from tests.kill.report import Report, report
from tests.kill.trial import stories_for, trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.local.kafka import LocalKafka
    from tests.kill.report import Options
    from tests.kill.trial import Trial
    from tests.kill.workers import Life

FAKETIME = "faketime/libfaketimeMT.so.1"
"""Below /usr/lib, in a folder that is named after the machine's kind."""


@asynccontextmanager
async def supervised(running: Trial, names: Sequence[str], **environment: str) -> AsyncIterator[None]:
    """Workers that are started again whenever they end, as a supervisor does it."""

    async def keep(name: str) -> None:
        while True:
            if name not in running.fleet.living:
                await running.fleet.start(name, **environment)
            await running.fleet.wait(name, 1.0)

    tasks = [asyncio.create_task(keep(name)) for name in names]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


# The disk -------------------------------------------------------------------------------------------------


def _lose(data: Path) -> None:
    shutil.rmtree(data)


def _lose_one_table(data: Path) -> None:
    for folder in data.rglob("intents-*.db"):
        shutil.rmtree(folder)


def _damage(data: Path) -> None:
    for file in sorted(data.rglob("*.sst"))[::2]:
        size = file.stat().st_size
        with file.open("r+b") as there:
            there.seek(size // 4)
            there.write(b"\xff" * (size // 2))


def _cut(data: Path) -> None:
    for file in [*sorted(data.rglob("*.sst"))[::3], *sorted(data.rglob("CURRENT"))[::2]]:
        with file.open("r+b") as there:
            there.truncate(file.stat().st_size // 2)


def _cut_the_manifest(data: Path) -> None:
    for file in sorted(data.rglob("MANIFEST-*")):
        with file.open("r+b") as there:
            there.truncate(file.stat().st_size - 60)


def _damage_the_view(data: Path) -> None:
    for file in data.glob("view.sqlite3*"):
        file.write_bytes(b"\x00" * 5000)


HARMS = (_lose, _damage, _cut, _cut_the_manifest, _lose_one_table, _damage_the_view)


async def disk(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """A worker's folder is lost, cut and damaged between its lives; then it is full for a while."""
    settings = {"STORE": "rocksdb"}
    async with trial(broker, folder, seed=options.seed, settings=settings) as running:
        stories = stories_for(running.random, int(80 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        for harm in HARMS:
            life = await running.fleet.start("w0")
            await life.owns()
            await asyncio.sleep(5)
            await running.fleet.kill("w0")
            harm(running.fleet.data_of("w0"))
            running.faults += 1
        notes = await _full_disk(running)
        async with supervised(running, ["w0"]):
            await telling
            return await report(running, *notes)


async def _full_disk(running: Trial) -> list[str]:
    """A disk that fills up under a worker, and is full when it starts again; then room is made."""
    place = running.fleet.data_of("w0")
    shutil.rmtree(place)
    place.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if subprocess.run(small, check=False, capture_output=True).returncode != 0:
        return ["a full disk was left out: this user cannot mount"]
    try:
        life = await running.fleet.start("w0")
        await life.owns()
        _fill(place)
        notes = [f"when the disk was full: {await _ended(running, life, 15)}"]
        life = await running.fleet.start("w0")
        notes.append(f"started on a full disk: {await _ended(running, life, 30)}")
        subprocess.run(["mount", "-o", "remount,size=1g", str(place)], check=True)
        running.faults += 2
        return notes
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(place: Path) -> None:
    with (place / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\x00" * 4096):
            """Until there is no room for more."""


async def _ended(running: Trial, life: Life, seconds: float) -> str:
    """How a worker ended within that time; one that still works is killed."""
    status = await running.fleet.wait(life.name, seconds)
    if status is None:
        await running.fleet.kill(life.name)
    said = [line for line in life.said.splitlines() if b"giving up" in line or b"No space" in line][-1:]
    return f"{'it worked on' if status is None else f'exit {status}'}, {b''.join(said).decode()[:300]}"


# Clocks ---------------------------------------------------------------------------------------------------


async def clocks(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """The wall clock of the workers jumps back and forth while lanes wait for their retries."""
    library = next(Path("/usr/lib").glob(f"*/{FAKETIME}"), None)
    if library is None:
        raise FileNotFoundError(f"{FAKETIME}: install Debian's package faketime")
    dial = folder / "clock"
    dial.write_text("+0\n")
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(dial),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    # A creation is three calls: with so few failures and so many attempts none is given up.
    settings = {"STORE": options.store, "RETRY_DELAYS": "1,2,3,4,5"}
    async with trial(broker, folder, seed=options.seed, settings=settings) as running:
        running.upstream.fault(kind="error_before", rate=0.06)
        stories = stories_for(running.random, int(60 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        for name in options.names:
            life = await running.fleet.start(name, **fake)
            await life.owns()
        for jump in ("-3600", "+0", "+3000", "-3600", "+3000", "+0"):
            await asyncio.sleep(8)
            dial.write_text(f"{jump}\n")
            running.faults += 1
        running.upstream.clear()
        await telling
        calls = running.upstream.running.state.journal.max_in_a_second
        return await report(running, f"at most {calls} calls in one second")


# A backlog, and ends in good order ------------------------------------------------------------------------


async def backlog(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """A worker before 200,000 waiting events: its memory is printed; it is not worked off."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        producer = AIOKafkaProducer(
            bootstrap_servers=running.kafka.servers, linger_ms=20, max_batch_size=2**20
        )
        await producer.start()
        topic, count = running.kafka.topics.booking_events.name, 200_000
        for number in range(count):
            story = stories_for(running.random, 1, prefix=f"n{number}-", extras=False)[0]
            await producer.send(topic, key=story.booking_id.encode(), value=story.value(story.steps[0]))
        await producer.stop()
        life = await running.fleet.start("w0")
        await life.owns()
        seen = [running.fleet.kilobytes("w0") // 1024]
        for _ in range(6):
            await asyncio.sleep(15)
            seen.append(running.fleet.kilobytes("w0") // 1024)
        left = sum((await running.kafka.lag()).values())
        await running.fleet.kill("w0")
        jobs = len(running.upstream.world.jobs)
        return Report.of_figures(
            f"{count} events waited, {left} still do after 90 s and {jobs} jobs; "
            f"MB of memory every 15 s: {seen}"
        )


async def terms(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """SIGTERM under load, again and again: exit 0, and what was done is committed."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        running.upstream.fault(kind="slow", rate=0.5, seconds=0.4)
        stories = stories_for(running.random, int(min(options.kills, 8) * 7 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        again, seconds = 0, []
        for _ in range(min(options.kills, 8)):
            life = await running.fleet.start("w0")
            await life.owns()
            await asyncio.sleep(running.random.uniform(1, 5))
            begun = time.monotonic()
            await running.fleet.terminate("w0")
            seconds.append(round(time.monotonic() - begun, 1))
            again += await _done_and_not_committed(running)
            running.faults += 1
        await running.fleet.start("w0")
        await telling
        found = await report(running, f"done but not committed {again}, seconds to end {seconds}")
        found.books.redelivered = again
        bad = [one for one in running.fleet.statuses if one[1] == "TERM" and one[2] != 0]
        found.books.untrue += [f"SIGTERM ended with {status}" for _, _, status in bad]
        return found


async def _done_and_not_committed(running: Trial) -> int:
    produced = list(running.produced)
    commits = await running.kafka.commits()
    await running.kafka.read_on()
    topic = running.kafka.topics.booking_events.name
    upto = {tp.partition: offset for tp, offset in commits.items() if tp.topic == topic}
    rows = running.kafka.rows
    return sum(
        event.offset >= upto.get(event.partition, 0)
        and (row := rows.get(event.story.booking_id)) is not None
        and look_up(row.seen, event.step.digest) is Progress.WORKED
        and not event.step.again
        for event in produced
    )
