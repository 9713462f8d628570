"""Workers that die, stop or pause: what is committed was finished, all is delivered, order is kept."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition

from app.stream.faults import VARIABLE
from tests.support.stream_trial import KEYS, Trial
from tests.support.stream_worker import WorkerPlan
from tests.support.topics import end_offsets, read_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SESSION = 1.5


@pytest.fixture
async def trial(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[Trial]:
    plan = WorkerPlan(
        servers=kafka,
        prefix=unique_prefix,
        journal=str(tmp_path / "journal"),
        data_dir="",
        session_timeout=SESSION,
        committed_delay=0.005,
    )
    made = Trial(plan, tmp_path)
    await made.prepare()
    yield made
    await made.close()


async def test_killed_workers_lose_nothing_and_keep_the_order(trial: Trial) -> None:
    await trial.start("a")
    await trial.start("b")
    producing = asyncio.create_task(trial.produce(1_000, per_second=150))
    for name in ("a", "b", "a"):
        await trial.until_began(100)
        await trial.kill(name)
        assert (await trial.books()).lost == []
        await trial.start(name)
    await producing
    books = await trial.settle()
    assert (books.produced, books.lost, books.undelivered, books.out_of_order) == (1_000, [], [], [])


async def test_a_worker_killed_at_named_points_loses_nothing(trial: Trial) -> None:
    """Each life of the worker ends at another point; what it left is the next one's."""
    points = [
        "before-put:rows:20",
        "after-put:rows:20",
        "before-commit:2",
        "after-commit:2",
        "assigned",
        "revoked",
    ]
    for point in points:
        await trial.produce(80, per_second=2_000)
        worker = await trial.start("a", **{VARIABLE: point})
        if point == "revoked":
            await trial.until_began(1)
            worker.send_signal(signal.SIGTERM)
        assert await worker.wait() == -signal.SIGKILL
        assert (await trial.books()).lost == []
    await trial.start("a")
    books = await trial.settle()
    assert (books.produced, books.lost, books.undelivered, books.out_of_order) == (
        80 * len(points),
        [],
        [],
        [],
    )


async def test_sigterm_under_load_cuts_nothing_and_repeats_nothing(trial: Trial) -> None:
    await trial.start("a")
    await trial.start("b")
    producing = asyncio.create_task(trial.produce(900, per_second=150))
    await trial.until_began(200)
    assert await trial.terminate("a") == 0
    await trial.until_began(200)
    await trial.start("a")
    await producing
    books = await trial.settle()
    assert (books.lost, books.undelivered, books.out_of_order, books.duplicates) == ([], [], [], 0)


async def test_a_worker_paused_beyond_its_session_writes_nothing_when_it_wakes(trial: Trial) -> None:
    trial.plan = replace(trial.plan, shortest_work=1.5, longest_work=1.5)
    await trial.produce(2 * KEYS, per_second=2_000)
    paused = await trial.start("a")
    # A handler of each key runs now, and is far from its writes.
    await trial.until_began(KEYS)
    paused.send_signal(signal.SIGSTOP)
    await trial.start("b")
    assert (await trial.settle()).undelivered == []
    topics = [f"{trial.plan.prefix}out", f"{trial.plan.prefix}group-rows-changelog"]
    ends = [await end_offsets(trial.plan.servers, topic) for topic in topics]
    paused.send_signal(signal.SIGCONT)
    await trial.produce(2 * KEYS, per_second=40)
    books = await trial.settle()
    assert (books.produced, books.lost, books.undelivered) == (4 * KEYS, [], [])
    for topic, before in zip(topics, ends, strict=True):
        written = await read_all(trial.plan.servers, topic)
        late = [one for one in written if one.offset >= before[TopicPartition(topic, one.partition)]]
        # Only what was produced after it woke: each key's third and fourth message.
        assert {one.value for one in late} == {b"2", b"3"}
    assert paused.returncode is None
