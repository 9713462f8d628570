"""Trials: each kind of fault alone, and some mixed."""

from __future__ import annotations

import asyncio
import shutil
import signal
from typing import TYPE_CHECKING, TypeAlias

from tests.kill import faults, harm, lines, poison
from tests.kill.books import Allowed
from tests.kill.report import Options, Report, report
from tests.kill.trial import stories_for, trial

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from app.local.kafka import LocalKafka
    from tests.kill.proxy import TrialKafka


Scenario: TypeAlias = "Callable[[TrialKafka, Path, Options], Coroutine[None, None, Report]]"


async def kills(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """SIGKILL at random times and at every named point, with slow and some failing answers."""
    # An attempt may be two calls, of which one in twenty-five fails: with three retries one event in some
    # ten thousand would use them up by chance.
    settings = {"STORE": options.store, "RETRY_DELAYS": "1,2,3,4,5"}
    async with trial(broker, folder, seed=options.seed, settings=settings) as running:
        running.upstream.fault(kind="slow", rate=0.3, seconds=0.3)
        running.upstream.fault(kind="error_before", rate=0.02)
        running.upstream.fault(kind="error_after", rate=0.02)
        seconds = options.kills * 4.0 / options.workers
        stories = stories_for(running.random, int(seconds * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        await faults.kills(running, options.names, options.kills)
        running.upstream.clear()
        for name in options.names:
            await running.fleet.start(name)
        await telling
        return await report(running)


POINTS = ("before-put:bookings:20", "after-put:bookings:20", "before-commit:2", "after-commit:2", "assigned")


async def points(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """The only worker dies at each named point of delivery; what it left is its next life's."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        stories = stories_for(running.random, int(25 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        for point in POINTS:
            await running.fleet.start("w0", kill_at=point)
            running.faults += await running.fleet.wait("w0", 60.0) == -signal.SIGKILL
            await running.look()
        life = await running.fleet.start("w0", kill_at="revoked")
        await life.owns()
        running.faults += await running.fleet.terminate("w0") == -signal.SIGKILL
        await running.fleet.start("w0")
        await telling
        return await report(running)


async def membership(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """Workers that join, leave, die, and sleep longer than their session."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        running.upstream.fault(kind="slow", rate=0.3, seconds=0.3)
        names = tuple(f"w{number}" for number in range(max(options.workers, 3)))
        for name in names:
            await running.fleet.start(name)
        count = max(options.kills // 5, 6)
        stories = stories_for(running.random, int(count * 4 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        await faults.members(running, names, count)
        for name in names:
            if name not in running.fleet.living:
                await running.fleet.start(name)
        await telling
        return await report(running)


async def broker(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """The broker is killed for a while under load."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        for name in options.names:
            await running.fleet.start(name)
        stories = stories_for(running.random, int(30 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        await faults.broker_dies(running, 45.0)
        await telling
        return await report(running)


async def upstream(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """ServiceTitan goes wrong in every way."""
    settings = {"STORE": options.store, "RETRY_DELAYS": "1,2,3,4,5"}
    async with trial(broker, folder, seed=options.seed, settings=settings) as running:
        for name in options.names:
            await running.fleet.start(name)
        stories = stories_for(running.random, int(45 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        await faults.upstream_fails(running, 15.0)
        await telling
        return await report(running)


async def gap(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """The one gap: a worker falls asleep between its last check and its socket, and wakes too late."""
    async with trial(broker, folder, seed=options.seed, settings={"STORE": options.store}) as running:
        running.allowed = Allowed(second_jobs=True)
        await running.fleet.start("other")
        count = max(options.kills // 20, 3)
        stories = stories_for(running.random, int(count * 12 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        for number in range(count):
            stop_at = f"before-call:CreateJob:{3 + number}"
            await running.fleet.start("sleeper", STREAM_STOP_AT=stop_at)
            await running.fleet.sleeps("sleeper")
            await asyncio.sleep(3.0 + running.random.uniform(0.5, 5))
            running.fleet.thaw("sleeper")
            running.faults += 1
            await asyncio.sleep(running.random.uniform(1, 4))
            await running.fleet.kill("sleeper")
        await telling
        return await report(running)


async def mixed(broker: LocalKafka, folder: Path, options: Options) -> Report:
    """Every kind of fault at least once, all together."""
    settings = {"STORE": options.store, "RETRY_DELAYS": "1,2,3,4,5"}
    async with trial(broker, folder, seed=options.seed, settings=settings) as running:
        running.allowed = Allowed(retries_used_up=True, second_jobs=True)
        faults.upstream_is_flaky(running, 0.08)
        stories = stories_for(running.random, int(options.kills * 4.0 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        await running.fleet.start("steady")
        await faults.kills(running, ("w0",), max(options.kills // 2, 2))
        running.upstream.revoke_tokens()
        faults.outage(running, 5.0)
        await running.fleet.start("w0")
        await faults.sleeps(running, "steady", 5.0)
        await faults.broker_dies(running, 8.0)
        await running.fleet.terminate("steady")
        running.faults += 1
        shutil.rmtree(running.fleet.data_of("steady"))
        await running.fleet.start("steady")
        await running.fleet.kill("w0")
        await faults.kills(running, ("w0",), running.faults + options.kills // 2)
        running.upstream.clear()
        await running.fleet.start("w0")
        await telling
        found = await report(running)
        found.books.untrue += [
            f"{name}, ended by SIGTERM, ended with {status}"
            for name, how, status in running.fleet.statuses
            if how == "TERM" and status != 0
        ]
        return found


SCENARIOS: dict[str, Scenario] = {
    "kills": kills,
    "points": points,
    "membership": membership,
    "broker": broker,
    "committed": lines.committed,
    "slow": lines.slow,
    "sends": lines.sends,
    "upstream": upstream,
    "disk": harm.disk,
    "poison": poison.poison,
    "due": poison.due,
    "clocks": harm.clocks,
    "backlog": harm.backlog,
    "gap": gap,
    "mixed": mixed,
    "terms": harm.terms,
}
