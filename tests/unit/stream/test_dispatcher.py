from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from app.stream.dispatcher import Dispatcher, Handler, Job
from app.stream.errors import NotMine
from app.stream.ledger import Intake, Ledger
from app.stream.message import Message
from app.stream.ownership import Membership, Ownership, Work, current_work

PATIENCE = 30.0


@dataclass
class Bench:
    """A dispatcher whose partition 0 is owned, and a handler that is let go message by message."""

    began: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    failures: list[tuple[str, BaseException]] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ownership = Ownership(Membership(1e9))
        self.ownership.membership.joined(1)
        self.ownership.membership.heartbeat_answered(0.0)
        self.ledger = Ledger(0, epoch=self.ownership.take([0]))
        self.dispatcher = Dispatcher(self.ownership, self.fail)
        self.handler: Handler = self.handle

    def fail(self, where: str, wrong: BaseException) -> None:
        self.failures.append((where, wrong))
        self.ledger.intake = Intake.CLOSED

    async def handle(self, message: Message) -> None:
        self.began.append(message.offset)
        await self.gates[message.offset].wait()
        self.ended.append(message.offset)

    def take(self, key: bytes, offset: int, topic: str = "in") -> None:
        self.gates[offset] = asyncio.Event()
        self.ledger.fetched(offset)
        message = Message(topic, 0, offset, 0.0, key, b"")
        self.dispatcher.take(key, Job(message, self.ledger, self.handler))

    async def until(self, began: list[int]) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.began != began:
                await asyncio.sleep(0)

    async def until_idle(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.dispatcher.chains:
                await asyncio.sleep(0.01)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_one_key_is_worked_in_order_and_keys_beside_each_other(bench: Bench) -> None:
    for offset, key in enumerate([b"a", b"b", b"a"]):
        bench.take(key, offset)
    await bench.until([0, 1])
    bench.gates[1].set()
    bench.gates[0].set()
    await bench.until([0, 1, 2])
    assert bench.ledger.position == 2
    bench.gates[2].set()
    await bench.until_idle()
    assert bench.ledger.position == 3
    assert (bench.dispatcher.progress.started, bench.dispatcher.progress.finished) == (3, 3)


async def test_one_key_is_one_chain_over_all_topics(bench: Bench) -> None:
    bench.take(b"a", 0, topic="events")
    bench.take(b"a", 1, topic="signals")
    await bench.until([0])
    assert bench.dispatcher.chains == 1
    bench.gates[0].set()
    await bench.until([0, 1])


async def test_a_drain_finishes_what_runs_and_starts_nothing(bench: Bench) -> None:
    bench.take(b"a", 0)
    bench.take(b"a", 1)
    await bench.until([0])
    bench.ledger.intake = Intake.CLOSED
    draining = asyncio.create_task(bench.dispatcher.drain(PATIENCE))
    await asyncio.sleep(0)
    bench.gates[0].set()
    drained = await draining
    assert (drained.running, drained.cancelled) == (1, 0)
    assert (bench.began, bench.ledger.position) == ([0], 1)
    assert bench.dispatcher.progress.dropped == 1


async def test_settling_closes_the_holes_before_what_is_done(bench: Bench) -> None:
    for offset, key in enumerate([b"a", b"a", b"b", b"a"]):
        bench.take(key, offset)
    bench.gates[2].set()
    await bench.until([0, 2])
    bench.ledger.intake = Intake.DRAINING
    for offset in (0, 1, 3):
        bench.gates[offset].set()
    await bench.dispatcher.settle(PATIENCE)
    # 1 stood before the finished 2; 3 stands behind all that was started.
    assert (bench.began, bench.ledger.position) == ([0, 2, 1], 3)
    assert bench.dispatcher.progress.dropped == 1


async def test_what_is_not_started_is_not_overtaken_by_its_chain(bench: Bench) -> None:
    other = Ledger(0, epoch=bench.ledger.epoch)
    bench.take(b"a", 0)
    await bench.until([0])
    bench.take(b"a", 1)
    other.fetched(5)
    other.started(6)  # so that 5 might start by its own ledger
    job = Job(Message("other", 0, 5, 0.0, b"a", b""), other, bench.handler)
    bench.dispatcher.take(b"a", job)
    bench.ledger.intake = other.intake = Intake.DRAINING
    bench.gates[0].set()
    await bench.dispatcher.settle(PATIENCE)
    assert bench.began == [0]
    assert bench.dispatcher.progress.dropped == 2


async def test_a_drain_cancels_what_runs_on(bench: Bench) -> None:
    bench.take(b"a", 0)
    bench.take(b"a", 1)
    await bench.until([0])
    bench.ledger.intake = Intake.CLOSED
    drained = await bench.dispatcher.drain(0.01)
    assert (drained.running, drained.cancelled) == (1, 1)
    assert (bench.ended, bench.ledger.position) == ([], 0)
    assert bench.dispatcher.chains == 0


@pytest.mark.parametrize("ends_cancelled", [False, True])
async def test_what_comes_under_a_new_ownership_is_not_dropped_with_a_handler_that_did_not_end(
    bench: Bench, ends_cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.stream.dispatcher._CANCEL_SECONDS", 0.01)
    let_go = asyncio.Event()

    async def deaf(message: Message) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await let_go.wait()
            if ends_cancelled:
                raise
        raise NotMine(message.partition)

    bench.handler = deaf
    bench.take(b"a", 0)
    bench.take(b"a", 1)
    await asyncio.sleep(0)
    bench.ledger.intake = Intake.CLOSED
    await bench.dispatcher.drain(0.01)
    bench.ownership.give_back()
    bench.ledger, bench.handler = Ledger(0, epoch=bench.ownership.take([0])), bench.handle
    for offset in range(2):
        bench.take(b"a", offset)
        bench.gates[offset].set()
    await asyncio.sleep(0)
    assert bench.began == []
    let_go.set()
    await bench.until_idle()
    assert (bench.began, bench.ledger.position) == ([0, 1], 2)
    assert bench.dispatcher.progress.dropped == 2


async def test_an_escaping_exception_is_reported_and_ends_the_chain(bench: Bench) -> None:
    async def broken(_message: Message) -> None:
        raise ValueError("unexpected")

    bench.handler = broken
    bench.take(b"a", 0)
    bench.take(b"a", 1)
    await bench.until_idle()
    assert [where for where, _ in bench.failures] == ["in[0] at 0"]
    assert bench.ledger.position == 0


async def test_what_is_lost_is_dropped_quietly(bench: Bench) -> None:
    async def too_late(message: Message) -> None:
        bench.ownership.give_back()
        raise NotMine(message.partition)

    bench.handler = too_late
    bench.take(b"a", 0)
    await bench.until_idle()
    assert bench.failures == []
    assert bench.ledger.position == 0
    assert (bench.dispatcher.progress.interrupted, bench.dispatcher.progress.dropped) == (1, 1)


async def test_what_was_interrupted_but_is_still_ours_is_handled_again(bench: Bench) -> None:
    seen: list[bool] = []

    async def once_in_doubt(message: Message) -> None:
        seen.append(message.again)
        if not message.again:
            raise NotMine(message.partition)

    bench.handler = once_in_doubt
    bench.take(b"a", 0)
    await bench.until_idle()
    assert seen == [False, True]
    assert bench.ledger.position == 1


async def test_what_is_interrupted_in_a_drain_is_not_handled_again(bench: Bench) -> None:
    seen: list[int] = []

    async def let_go(message: Message) -> None:
        seen.append(message.offset)
        bench.ledger.intake = Intake.DRAINING
        raise NotMine(message.partition)

    bench.handler = let_go
    bench.take(b"a", 0)
    bench.take(b"a", 1)
    await bench.until_idle()
    assert seen == [0]
    assert bench.ledger.position == 0
    assert bench.dispatcher.progress.dropped == 2


async def test_nothing_starts_for_a_member_that_was_expelled(bench: Bench) -> None:
    bench.ownership.membership.reset()
    bench.take(b"a", 0)
    await bench.until_idle()
    assert (bench.began, bench.ledger.position) == ([], 0)


async def test_a_handler_and_its_tasks_act_for_their_message(bench: Bench) -> None:
    seen: list[Work | None] = []

    async def look(_message: Message) -> None:
        seen.append(current_work.get())

    async def handle(message: Message) -> None:
        await asyncio.create_task(look(message))

    bench.handler = handle
    bench.take(b"a", 0)
    await bench.until_idle()
    assert seen == [Work(0, bench.ownership.epoch)]
    assert current_work.get() is None
