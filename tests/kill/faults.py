"""Faults: each is a coroutine that does harm to a trial, with the trial's own randomness."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.kill.books import Allowed
from tests.kill.trial import CALL_SECONDS

if TYPE_CHECKING:
    from tests.kill.trial import Trial

ASKS = (
    "FindCustomers",
    "CreateCustomer",
    "FindLocations",
    "CreateJob",
    "FindJob",
    "Reschedule",
    "Dispatch",
    "Note",
    "Complete",
    "Cancel",
    "PutBack",
)
TABLES = ("bookings", "intents", "behind", "customers")
OWED = ("timer", "dead-letter", "announce", "customer", "drop")
STATES = ("pending", "active", "ended", "closed")


def kill_points(trial: Trial) -> list[str]:
    """Every named step of the order of effects, before and after."""
    topics = trial.kafka.topics
    sent = (
        *(topic.name for topic in topics.retry),
        topics.dead_letter.name,
        topics.signals.name,
        topics.customer_requests.name,
        topics.jobs.name,
        *(topic.name for topic in topics.changelogs),
    )
    named = {
        "call": ASKS,
        "record": STATES,
        "owed": OWED,
        "put": TABLES,
        "publish": sent,
    }
    points = [
        f"{when}-{step}:{detail}"
        for step, details in named.items()
        for detail in details
        for when in ("before", "after")
    ]
    return [*points, "before-commit", "after-commit", "assigned", "revoked"]


async def kill_one(trial: Trial, name: str, kill_at: str, longest: float) -> None:
    """One life of a worker, to its end: at its fault point, or by SIGKILL after a random time."""
    life = await trial.fleet.start(name, kill_at=kill_at)
    await life.owns()
    seconds = trial.random.uniform(0.4, 1.0) * longest
    if await trial.fleet.wait(name, seconds) is None:
        await trial.fleet.kill(name)
    trial.faults += 1


async def kills(trial: Trial, names: tuple[str, ...], count: int, *, longest: float = 7.0) -> None:
    """Lives of workers one after another until so many were killed; each worker dies at the next point."""
    points = kill_points(trial)
    left = [*points] * (count // len(points) + 1)
    trial.random.shuffle(left)

    async def lives(name: str) -> None:
        while trial.faults < count:
            visit = trial.random.choice((1, 1, 2, 3, 5, 8, 13))
            point = f"{left.pop()}:{visit}" if left and trial.random.random() < 0.8 else ""
            await kill_one(trial, name, point, longest)

    async def look() -> None:
        while True:
            await asyncio.sleep(5)
            await trial.look()

    looking = asyncio.create_task(look())
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(lives(name))
    looking.cancel()
    await asyncio.wait([looking])


async def members(trial: Trial, names: tuple[str, ...], count: int, *, session: float = 3.0) -> None:
    """Workers join, leave, are killed, and sleep longer than their session."""
    trial.allowed = Allowed(second_jobs=True)
    for _ in range(count):
        name = trial.random.choice(names)
        await asyncio.sleep(trial.random.uniform(0.5, 4))
        if name not in trial.fleet.living:
            await trial.fleet.start(name)
            continue
        match trial.random.choice(("TERM", "KILL", "STOP", "STOP")):
            case "TERM":
                await trial.fleet.terminate(name)
            case "KILL":
                await trial.fleet.kill(name)
            case _:
                trial.fleet.freeze(name)
                await asyncio.sleep(session * trial.random.uniform(0.5, 2.5))
                trial.fleet.thaw(name)
        trial.faults += 1


async def sleeps(trial: Trial, name: str, seconds: float) -> None:
    """A worker sleeps so long and wakes up."""
    await trial.fleet.living[name].owns()
    trial.fleet.freeze(name)
    await asyncio.sleep(seconds)
    trial.fleet.thaw(name)
    trial.faults += 1


async def broker_dies(trial: Trial, away: float) -> None:
    """The broker is killed under load, and started again after a while."""
    await asyncio.sleep(trial.random.uniform(4, 8))
    await asyncio.to_thread(trial.broker.kill)
    await asyncio.sleep(away)
    await asyncio.to_thread(trial.broker.restart)
    trial.faults += 1


UPSTREAM = (
    "error_before",
    "error_after",
    "timeout_after",
    "late",
    "drop_before",
    "drop",
    "half",
    "not_json",
    "error_in_200",
    "too_many",
)


def upstream_is_flaky(trial: Trial, share: float) -> None:
    """Each kind of wrong answer, each a part of this share of all calls."""
    for kind in UPSTREAM:
        trial.upstream.fault(
            kind=kind, rate=share / len(UPSTREAM), seconds=CALL_SECONDS + 0.7 if kind == "late" else 1.0
        )
    trial.upstream.fault(kind="slow", rate=0.3, seconds=0.3)


def outage(trial: Trial, seconds: float) -> None:
    """ServiceTitan is out, its sign-in too, ahead of all other faults."""
    trial.upstream.fault(kind="error_before", path="*", status=503, window={"end": seconds})
    rules = trial.upstream.running.state.faults.rules
    rules.insert(0, rules.pop())
    trial.faults += 1


async def upstream_fails(trial: Trial, outage: float) -> None:
    """Flaky throughout; then an outage, a 429 storm, no tokens, revoked tokens."""
    trial.allowed = Allowed(retries_used_up=True)
    upstream = trial.upstream
    upstream_is_flaky(trial, 0.2)
    await asyncio.sleep(10)
    upstream.revoke_tokens()
    await asyncio.sleep(3)
    window = {"end": outage}
    upstream.clear()
    upstream.fault(kind="error_before", path="*", status=503, window=window)
    upstream_is_flaky(trial, 0.2)
    await asyncio.sleep(outage + 4)
    upstream.clear()
    upstream.fault(kind="too_many", rate=0.5, seconds=1, window={"end": 5.0})
    upstream.fault(kind="too_many", rate=0.5, seconds=1, retry_after=False, window={"end": 5.0})
    await asyncio.sleep(6)
    upstream.clear()
    upstream.revoke_tokens()
    upstream.fault(kind="error_before", path="/connect/token", status=503, window={"end": 5.0})
    upstream_is_flaky(trial, 0.2)
    await asyncio.sleep(12)
    upstream.clear()
    trial.faults += 6
