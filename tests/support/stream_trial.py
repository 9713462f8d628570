"""Trials of the streaming layer: workers as processes, faults, and three books compared at the end.

`python -m tests.support.stream_trial --kills 20` runs a long one on a Kafka of its own and prints what it
found.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer, TopicPartition

from app.local.kafka import LocalKafka
from tests.support.stream_worker import JournalLine, WorkerPlan, read_journal
from tests.support.topics import committed, create_topics, end_offsets

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterable, Mapping

SETTLE_SECONDS = 90
KEYS = 40


@dataclass(slots=True)
class Books:
    """What was produced, what the workers did, what is committed."""

    produced: int
    lost: list[tuple[int, int]]
    """Committed, and never finished: (partition, offset)."""
    undelivered: list[tuple[int, int]]
    """Produced, and never finished."""
    out_of_order: list[JournalLine]
    """Began before its key's previous message was finished."""
    duplicates: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.undelivered or self.out_of_order)


def compare(lines: Iterable[JournalLine], ends: Mapping[int, int], commits: Mapping[int, int]) -> Books:
    """Compare the journal with the topic's ends and the group's commits, by partition."""
    ordered = sorted(lines, key=lambda line: line.at)
    finished = {(line.partition, line.offset) for line in ordered if line.step == "finished"}
    began = sum(line.step == "began" for line in ordered)
    produced = [(partition, offset) for partition, end in ends.items() for offset in range(end)]
    return Books(
        produced=len(produced),
        lost=[
            (p, offset)
            for p, upto in commits.items()
            for offset in range(upto)
            if (p, offset) not in finished
        ],
        undelivered=[one for one in produced if one not in finished],
        out_of_order=list(_out_of_order(ordered)),
        duplicates=began - len({(line.partition, line.offset) for line in ordered}),
    )


def _out_of_order(ordered: list[JournalLine]) -> Iterable[JournalLine]:
    """A key has one partition, so its messages' order is that of their offsets."""
    offsets: dict[str, set[int]] = defaultdict(set)
    for line in ordered:
        offsets[line.key].add(line.offset)
    before = {(key, two): one for key, found in offsets.items() for one, two in pairwise(sorted(found))}
    finished: set[tuple[str, int]] = set()
    for line in ordered:
        previous = before.get((line.key, line.offset))
        if line.step == "finished":
            finished.add((line.key, line.offset))
        elif previous is not None and (line.key, previous) not in finished:
            yield line


@dataclass(slots=True)
class Trial:
    """Workers on one topic, and events for them: `async with Trial(plan).run() as trial`."""

    plan: WorkerPlan
    folder: Path
    workers: dict[str, Process] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def topic(self) -> str:
        return f"{self.plan.prefix}in"

    @property
    def journal(self) -> Path:
        return Path(self.plan.journal)

    async def prepare(self) -> None:
        self.journal.touch()
        await create_topics(
            self.plan.servers, self.topic, f"{self.plan.prefix}out", partitions=self.plan.partitions
        )

    async def start(self, name: str, **environment: str) -> Process:
        """Start a worker with a data folder of its own, which stays for its next life."""
        plan = replace(self.plan, data_dir=str(self.folder / name))
        command = [sys.executable, "-m", "tests.support.stream_worker", plan.as_argument()]
        with (self.folder / f"{name}.log").open("ab") as log:
            worker = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, env={**os.environ, **environment}
            )
        self.workers[name] = worker
        return worker

    async def kill(self, name: str) -> None:
        worker = self.workers.pop(name)
        if worker.returncode is None:
            worker.kill()
        await worker.wait()

    async def terminate(self, name: str) -> int:
        """SIGTERM; gives the exit status."""
        worker = self.workers.pop(name)
        worker.send_signal(signal.SIGTERM)
        return await worker.wait()

    async def close(self) -> None:
        for name in list(self.workers):
            await self.kill(name)

    async def produce(self, events: int, per_second: float) -> None:
        """Events for `KEYS` keys in turn, each key's numbered from 0."""
        producer = AIOKafkaProducer(bootstrap_servers=self.plan.servers, acks="all")
        await producer.start()
        try:
            for n in range(events):
                key = n % KEYS
                number, self._numbers[key] = self._numbers[key], self._numbers[key] + 1
                await producer.send(self.topic, key=b"key-%d" % key, value=b"%d" % number)
                await asyncio.sleep(1 / per_second)
            await producer.flush()
        finally:
            await producer.stop()

    async def ends(self) -> dict[int, int]:
        found: dict[TopicPartition, int] = await end_offsets(self.plan.servers, self.topic)
        return {tp.partition: end for tp, end in found.items()}

    async def commits(self) -> dict[int, int]:
        return await committed(self.plan.servers, f"{self.plan.prefix}group", self.topic)

    def lines(self) -> list[JournalLine]:
        return read_journal(self.journal)

    async def until_began(self, more: int) -> None:
        """Return when that many more handlers have begun than now."""
        wanted = self._began() + more
        async with asyncio.timeout(SETTLE_SECONDS):
            while self._began() < wanted:
                await asyncio.sleep(0.05)

    def _began(self) -> int:
        return self.journal.read_bytes().count(b'"began"')

    async def settle(self) -> Books:
        """Wait until everything is committed, then compare; compares as well when the time is over."""
        ends = {p: end for p, end in (await self.ends()).items() if end}
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while (commits := await self.commits()) != ends and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.2)
        return compare(self.lines(), ends, commits)

    async def books(self) -> Books:
        """Compare as things stand; what is committed is asked first, as the journal goes on meanwhile."""
        commits, ends = await self.commits(), await self.ends()
        return compare(self.lines(), ends, commits)


async def long_trial(servers: str, folder: Path, options: argparse.Namespace) -> Books:
    """Two workers, killed in turn at random moments, restarted at once; some of them ended by SIGTERM."""
    plan = WorkerPlan(
        servers=servers,
        prefix=f"trial{random.randrange(10**6)}-",
        journal=str(folder / "journal"),
        data_dir="",
        partitions=options.partitions,
        store=options.store,
        session_timeout=options.session,
        longest_work=options.work,
        committed_delay=0.005,
    )
    trial = Trial(plan, folder)
    await trial.prepare()
    names = ["a", "b"][: options.workers]
    for name in names:
        await trial.start(name)
    events = int(options.kills * options.pause * options.rate)
    producing = asyncio.create_task(trial.produce(events, options.rate))
    for kill in range(options.kills):
        await asyncio.sleep(random.uniform(0.3, 1.7) * options.pause)
        name = random.choice(names)
        if kill % 5 == 4:
            print("TERM", name, await trial.terminate(name))
        else:
            await trial.kill(name)
            print("KILL", name)
        now = await trial.books()
        if now.lost:
            print("  committed and not finished:", now.lost[:10])
        await trial.start(name)
    await producing
    try:
        return await trial.settle()
    finally:
        await trial.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--store", default="memory")
    parser.add_argument("--session", type=float, default=1.0)
    parser.add_argument("--pause", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=150.0)
    parser.add_argument("--work", type=float, default=0.4)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    print("folder", folder)
    with LocalKafka(properties={"group.min.session.timeout.ms": "300"}) as kafka:
        books = asyncio.run(long_trial(kafka.bootstrap_servers, folder, options))
    print(f"produced {books.produced}, lost {len(books.lost)}, undelivered {len(books.undelivered)},")
    print(f"out of order {len(books.out_of_order)}, duplicates {books.duplicates}")
    sys.exit(0 if books.clean else 1)


if __name__ == "__main__":
    main()
