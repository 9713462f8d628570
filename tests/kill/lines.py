"""Scenarios of the line to Kafka: slow answers about commits, a slow broker, and sends that fail."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from tests.kill import faults
from tests.kill.proxy import Api, line_to
from tests.kill.report import report
from tests.kill.trial import stories_for, trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.kill.proxy import Line, TrialKafka
    from tests.kill.report import Options, Report
    from tests.kill.trial import Trial

COMMITTED_SECONDS = 0.005
"""How much later `committed()` is answered: enough for Faust's own recovery to lose hundreds of events."""


@asynccontextmanager
async def _proxied(
    broker: TrialKafka, folder: Path, options: Options, **settings: str
) -> AsyncIterator[tuple[Trial, Line]]:
    """A trial whose workers come by the proxy."""
    given = {"STORE": options.store, "KAFKA_BOOTSTRAP_SERVERS": broker.proxied_servers, **settings}
    async with (
        line_to(broker, Random(options.seed)) as line,
        trial(broker, folder, seed=options.seed, settings=given) as running,
    ):
        running.upstream.fault(kind="slow", rate=0.3, seconds=0.3)
        yield running, line


async def committed(broker: TrialKafka, folder: Path, options: Options) -> Report:
    """Workers are killed while each answer about a commit comes 5 ms late, as on a network."""
    async with _proxied(broker, folder, options, TOPIC_PARTITIONS="12") as (running, line):
        line.slow_answers = {Api.OFFSET_FETCH: COMMITTED_SECONDS}
        stories = stories_for(running.random, int(options.kills * 4.0 / options.workers * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        await faults.kills(running, options.names, options.kills)
        for name in options.names:
            await running.fleet.start(name)
        await telling
        return await _report(running, line, "answers slowed")


async def slow(broker: TrialKafka, folder: Path, options: Options) -> Report:
    """The broker grows slow, stands still for longer than a session, and is narrow; workers die meanwhile."""
    async with _proxied(broker, folder, options) as (running, line):
        stories = stories_for(running.random, int(24 * options.rate))
        for name in options.names:
            await running.fleet.start(name)
        telling = asyncio.create_task(running.produce(stories, options.rate))
        for latency, rate, seconds in ((0.05, 1e6, 5), (0.4, 1e6, 5), (3.0, 1e6, 4), (0.02, 60e3, 6)):
            line.latency, line.bytes_per_second = latency, rate
            running.faults += 1
            await asyncio.sleep(seconds)
            name = running.random.choice(options.names)
            await running.fleet.kill(name)
            running.faults += 1
            await running.fleet.start(name)
        line.well_again()
        await telling
        return await report(running)


async def sends(broker: TrialKafka, folder: Path, options: Options) -> Report:
    """The broker has too few replicas to take a record, or to keep it; answers are cut; workers die."""
    async with _proxied(broker, folder, options) as (running, line):
        for name in options.names:
            await running.fleet.start(name)
        stories = stories_for(running.random, int(22 * options.rate))
        telling = asyncio.create_task(running.produce(stories, options.rate))
        for name in options.names:
            await running.fleet.living[name].owns()
        line.cut_answers = {Api.PRODUCE: 0.03}
        await asyncio.sleep(6)
        line.well_again()
        line.doubted_sends, line.refused_sends = 0.1, 0.1
        await asyncio.sleep(6)
        line.refused_sends = 1.0
        await asyncio.sleep(4)
        name = running.random.choice(options.names)
        await running.fleet.kill(name)
        await running.fleet.start(name)
        await asyncio.sleep(4)
        line.well_again()
        running.faults += 1 + line.done["answers cut"]
        await telling
        return await _report(running, line, "answers cut", "sends refused", "sends doubted")


async def _report(running: Trial, line: Line, *must: str) -> Report:
    """The trial's report; it is wrong when one of these was not done."""
    found = await report(running, f"{dict(line.done)}")
    found.books.untrue += [f"there were no {what}" for what in must if not line.done[what]]
    return found
