"""The queue in front of the slots: who is first, who waits, and what a 429 does."""

import asyncio
from collections.abc import Callable

import pytest

from app.servicetitan.pace import HEAD_START, LONGEST_DEFAULT_STOP, Pace, Priority
from tests.unit.servicetitan.clock import Clock


def make_pace(clock: Clock, *, limit: float = 60.0, most: int = 200) -> Pace:
    return Pace(calls_per_second=limit, most_in_flight=most, clock=clock)


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until it is so."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


def advance(pace: Pace, clock: Clock, seconds: float) -> None:
    clock.now += seconds
    pace.nudge()


async def call(
    pace: Pace, name: str, priority: Priority, done: list[str], since: float | None = None
) -> None:
    async with pace.turn(priority, since=since) as turn:
        turn.sent()
        done.append(name)
        await rounds()


async def rounds() -> None:
    """Let the loop go round until what was handed over is out; any answer takes longer than that."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_the_most_urgent_goes_first_and_the_oldest_of_them() -> None:
    clock = Clock()
    pace = make_pace(clock)
    done: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        for name, priority in (
            ("low", Priority.LOW),
            ("medium", Priority.MEDIUM),
            ("high", Priority.HIGH),
            ("critical 1", Priority.CRITICAL),
            ("critical 2", Priority.CRITICAL),
        ):
            tasks.create_task(call(pace, name, priority, done))
        await until(lambda: sum(pace.snapshot().waiting.values()) == 5)
        pace.set_share(1.0)
        while len(done) < 5:
            advance(pace, clock, 0.02)
            await asyncio.sleep(0)
    assert done == ["critical 1", "critical 2", "high", "medium", "low"]


@pytest.mark.parametrize("priority", [Priority.HIGH, Priority.MEDIUM, Priority.LOW])
async def test_age_raises_every_priority_above_a_new_critical_call(priority: Priority) -> None:
    clock = Clock()
    pace = make_pace(clock)
    done: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(call(pace, "old", priority, done))
        await until(lambda: pace.snapshot().waiting[priority] == 1)
        clock.now += HEAD_START[priority] + 1
        tasks.create_task(call(pace, "new", Priority.CRITICAL, done))
        await until(lambda: pace.snapshot().waiting[Priority.CRITICAL] == 1)
        pace.set_share(1.0)
        while len(done) < 2:
            advance(pace, clock, 0.02)
            await asyncio.sleep(0)
    assert done == ["old", "new"]


async def test_a_second_call_of_old_work_does_not_queue_up_behind_newer_work() -> None:
    clock = Clock()
    pace = make_pace(clock)
    done: list[str] = []
    began = clock.now
    clock.now += 5
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(call(pace, "newer", Priority.CRITICAL, done))
        await until(lambda: pace.snapshot().waiting[Priority.CRITICAL] == 1)
        tasks.create_task(call(pace, "older", Priority.CRITICAL, done, began))
        await until(lambda: pace.snapshot().waiting[Priority.CRITICAL] == 2)
        pace.set_share(1.0)
        while len(done) < 2:
            advance(pace, clock, 0.02)
            await asyncio.sleep(0)
    assert done == ["older", "newer"]


async def test_no_more_calls_are_under_way_than_allowed() -> None:
    clock = Clock()
    pace = make_pace(clock, most=2)
    pace.set_share(1.0)
    release = asyncio.Event()

    async def hold() -> None:
        async with pace.turn(Priority.MEDIUM) as turn:
            turn.sent()
            await release.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(hold())
        for _ in range(50):
            advance(pace, clock, 0.1)
            await asyncio.sleep(0)
        assert pace.snapshot().in_flight == 2
        assert pace.snapshot().waiting[Priority.MEDIUM] == 1
        release.set()
        while pace.snapshot().in_flight or any(pace.snapshot().waiting.values()):
            advance(pace, clock, 0.1)
            await asyncio.sleep(0)


async def test_one_that_is_cancelled_in_the_queue_takes_no_slot() -> None:
    clock = Clock()
    pace = make_pace(clock)
    done: list[str] = []
    gone = asyncio.create_task(call(pace, "gone", Priority.CRITICAL, done))
    stays = asyncio.create_task(call(pace, "stays", Priority.LOW, done))
    await until(lambda: sum(pace.snapshot().waiting.values()) == 2)
    gone.cancel()
    await asyncio.wait([gone])
    pace.set_share(1.0)
    advance(pace, clock, 1.0)
    await stays
    assert done == ["stays"]
    assert pace.snapshot().in_flight == 0


async def test_one_that_is_cancelled_just_when_its_turn_comes_gives_it_back() -> None:
    clock = Clock()
    pace = make_pace(clock, most=1)
    done: list[str] = []
    gone = asyncio.create_task(call(pace, "gone", Priority.CRITICAL, done))
    await until(lambda: pace.snapshot().waiting[Priority.CRITICAL] == 1)
    pace.set_share(1.0)
    advance(pace, clock, 1.0)
    gone.cancel()
    await asyncio.wait([gone])
    assert gone.cancelled()
    assert pace.snapshot().in_flight == 0
    clock.now += 1
    await call(pace, "next", Priority.CRITICAL, done)
    assert done == ["next"]


async def test_a_429_stops_all_calls_for_the_stated_wait() -> None:
    clock = Clock()
    pace = make_pace(clock)
    pace.set_share(1.0)
    clock.now += 1
    pace.refused(7.0)
    done: list[str] = []
    task = asyncio.create_task(call(pace, "after", Priority.CRITICAL, done))
    for _ in range(69):
        advance(pace, clock, 0.1)
        await asyncio.sleep(0)
    assert done == []
    assert pace.snapshot().stopped_for == pytest.approx(0.1)
    advance(pace, clock, 0.2)
    await task
    assert pace.snapshot().stopped_for == 0


async def test_a_429_without_a_wait_stops_longer_each_time_until_one_is_accepted() -> None:
    clock = Clock()
    pace = make_pace(clock)
    waits = []
    for _ in range(8):
        pace.refused(None)
        waits.append(pace.snapshot().stopped_for)
        clock.now += waits[-1]
    assert waits == sorted(waits)
    assert waits[0] < waits[1] < waits[-1] == LONGEST_DEFAULT_STOP
    pace.accepted()
    pace.refused(None)
    assert pace.snapshot().stopped_for == pytest.approx(waits[0])


async def test_a_call_counts_from_when_a_long_round_of_the_loop_let_it_out() -> None:
    clock = Clock()
    pace = make_pace(clock)
    pace.set_share(1.0)
    clock.now += 2
    async with pace.turn(Priority.MEDIUM) as turn:
        turn.sent()
        clock.now += 0.7  # other tasks of the same round
        await rounds()
    clock.now += 0.7
    assert pace.snapshot().used == 1


async def test_the_snapshot_counts_the_calls_of_the_last_second() -> None:
    clock = Clock()
    pace = make_pace(clock)
    pace.set_share(0.5)
    assert pace.snapshot().rate == 30.0
    done: list[str] = []
    clock.now += 2
    await call(pace, "one", Priority.LOW, done)
    clock.now += 0.5
    await call(pace, "two", Priority.LOW, done)
    assert pace.snapshot().used == 2
    clock.now += 0.6
    assert pace.snapshot().used == 1


async def test_the_loops_own_timers_give_turns_too() -> None:
    pace = Pace(calls_per_second=200.0, most_in_flight=10)
    pace.set_share(1.0)
    done: list[str] = []
    async with asyncio.timeout(20):
        await asyncio.gather(*(call(pace, str(n), Priority.MEDIUM, done) for n in range(20)))
    assert len(done) == 20
