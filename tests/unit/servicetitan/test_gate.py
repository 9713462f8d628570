"""Waiting at the breaker: one probes, the others stay, and all go when it closes."""

import asyncio
from collections.abc import Callable

from structlog.testing import capture_logs

from app.servicetitan.breaker import FIRST_PAUSE, Trouble
from app.servicetitan.gate import Gate
from app.servicetitan.pace import Priority
from tests.unit.servicetitan.clock import Clock


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


class Probes:
    """Callers at a gate; each probe waits for its result."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.gate = Gate(clock=self.clock)
        self.passed: list[str] = []
        self.probing: list[str] = []
        self.result: asyncio.Queue[bool] = asyncio.Queue()

    def shut(self) -> None:
        self.gate.breaker.no_token(Trouble.OUTAGE, self.clock.now, "down")

    def advance(self, seconds: float) -> None:
        self.clock.now += seconds
        self.gate.nudge()

    async def caller(self, name: str, priority: Priority = Priority.MEDIUM) -> None:
        since = self.clock.now
        while True:
            async with self.gate.passage(priority, since=since) as passage:
                if not passage.probing:
                    self.passed.append(name)
                    return
                self.probing.append(name)
                if await self.result.get():
                    passage.came_through()
                    self.passed.append(name)
                    return
                passage.failed("still down")


async def test_an_open_gate_is_passed_without_waiting() -> None:
    probes = Probes()
    await probes.caller("one")
    assert probes.passed == ["one"]


async def test_one_probes_for_all() -> None:
    probes = Probes()
    probes.shut()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(probes.caller("medium"))
        tasks.create_task(probes.caller("critical", Priority.CRITICAL))
        tasks.create_task(probes.caller("low", Priority.LOW))
        await until(lambda: probes.gate.waiting == 3)
        assert probes.probing == []
        probes.advance(FIRST_PAUSE)
        await until(lambda: bool(probes.probing))
        assert probes.probing == ["critical"]
        probes.result.put_nowait(False)
        await until(lambda: probes.gate.waiting == 3)
        assert probes.passed == []
        probes.advance(2 * FIRST_PAUSE)
        await until(lambda: len(probes.probing) == 2)
        probes.result.put_nowait(True)
    assert sorted(probes.passed) == ["critical", "low", "medium"]


async def test_a_cancelled_probe_hands_over_to_the_next() -> None:
    probes = Probes()
    probes.shut()
    first = asyncio.create_task(probes.caller("first"))
    await until(lambda: probes.gate.waiting == 1)
    second = asyncio.create_task(probes.caller("second"))
    await until(lambda: probes.gate.waiting == 2)
    probes.advance(FIRST_PAUSE)
    await until(lambda: probes.probing == ["first"])
    first.cancel()
    await until(lambda: probes.probing == ["first", "second"])
    probes.result.put_nowait(True)
    await second
    assert probes.passed == ["second"]


async def test_one_cancelled_just_when_it_is_let_through_hands_over_too() -> None:
    probes = Probes()
    probes.shut()
    first = asyncio.create_task(probes.caller("first"))
    await until(lambda: probes.gate.waiting == 1)
    second = asyncio.create_task(probes.caller("second"))
    await until(lambda: probes.gate.waiting == 2)
    probes.advance(FIRST_PAUSE)
    first.cancel()
    await until(lambda: probes.probing == ["second"])
    probes.result.put_nowait(True)
    await second


async def test_who_will_not_wait_is_told_so_or_probes() -> None:
    probes = Probes()
    assert probes.gate.try_passage() is not None
    probes.shut()
    assert probes.gate.try_passage() is None
    probes.advance(FIRST_PAUSE)
    passage = probes.gate.try_passage()
    assert passage is not None
    assert passage.probing
    passage.came_through()
    assert not probes.gate.is_open


async def test_the_loops_own_timer_lets_a_probe_go() -> None:
    gate = Gate(first_pause=0.01)
    gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    async with asyncio.timeout(20), gate.passage(Priority.LOW, since=0.0) as passage:
        assert passage.probing


async def test_that_calls_stop_and_go_again_is_said_once_each() -> None:
    probes = Probes()
    with capture_logs() as lines:
        probes.shut()
        probes.clock.now += FIRST_PAUSE
        for came_through in (False, True):
            passage = probes.gate.try_passage()
            assert passage
            if came_through:
                passage.came_through()
            else:
                passage.failed("still down")
            probes.clock.now = probes.gate.breaker.open_until
    assert [{**line, "log_level": "-"} for line in lines] == [
        {"event": "calls to ServiceTitan stop", "trouble": "outage", "why": "down", "log_level": "-"},
        {
            "event": "calls to ServiceTitan go again",
            "trouble": "outage",
            "stopped_seconds": 3.0,
            "log_level": "-",
        },
    ]
    assert {line["log_level"] for line in lines} == {"warning"}
