"""Plans on real Kafka and the simulator: shown, applied, watched, stopped by themselves, and continued."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from app.local.kafka import free_port
from tests.support.flow import CREATE_JOB, booking, flow_on, simulated
from tests.support.worker_process import worker_here, worker_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.flow import Flow

PATIENCE = 60


class Ops:
    """The command line's side of one worker."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._address = f"http://127.0.0.1:{port}/ops/api"

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self._session.request(method, self._address + path, json=body) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> dict[str, Any]:
        status, body = await self.ask("GET", path)
        found: dict[str, Any] = body["data"] if status == 200 else {}
        return found

    async def until(self, path: str, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.get(path)) or not condition(found):
                await asyncio.sleep(0.1)
        return found

    async def plan(self, **asked: object) -> dict[str, Any]:
        status, body = await self.ask("POST", "/plans", asked)
        assert status == 200, body
        planned: dict[str, Any] = body["data"]
        return planned

    async def apply(self, planned: dict[str, Any], why: str = "the scope was granted") -> None:
        fields = {name: planned[name] for name in ("kind", "reason", "bookings", "until", "total")}
        status, body = await self.ask(
            "POST", f"/plans/{planned['plan']}", {**fields, "step": "apply", "why": why}
        )
        assert status == 202, body

    async def ended(self, plan: str) -> dict[str, Any]:
        return await self.until(f"/plans/{plan}", lambda one: one["state"] in {"ended", "stopped"})


@asynccontextmanager
async def ops_of(port: int) -> AsyncIterator[Ops]:
    async with aiohttp.ClientSession() as session:
        made = Ops(session, port)
        await made.until("/dead-letters", lambda found: "groups" in found)
        yield made


@pytest.fixture
async def ops(flow: Flow) -> AsyncIterator[Ops]:
    async with ops_of(flow.settings.web_port) as made:
        yield made


async def hold_for_scope(flow: Flow, ids: list[str]) -> None:
    """Held, each after a good booking: refused one after another, ServiceTitan itself would seem out."""
    for place, booking_id in enumerate(ids):
        flow.fault("forbidden", CREATE_JOB, count=1)
        await flow.send("created", booking_id, booking(phone=f"602555{place:04}"))
        await flow.view(booking_id, state="held")
        await flow.send("created", f"good-{place}", booking(phone=f"602556{place:04}"))
        await flow.view(f"good-{place}", state="active")


async def hold_for_area(flow: Flow, ids: list[str]) -> None:
    for place, booking_id in enumerate(ids):
        await flow.send("created", booking_id, booking(phone=f"602555{place:04}", zip="00000"))
    for booking_id in ids:
        await flow.view(booking_id, state="held")


async def seen(ops: Ops, reason: str, number: int) -> list[dict[str, Any]]:
    """The reason's lines, once the view has so many."""
    found = await ops.until(f"/dead-letters?reason={reason}", lambda one: len(one["lines"]) == number)
    lines: list[dict[str, Any]] = found["lines"]
    return lines


async def test_a_group_is_redriven_as_planned(flow: Flow, ops: Ops) -> None:
    ids = ["b-1", "b-2", "b-3"]
    await hold_for_scope(flow, ids)
    await seen(ops, "not-permitted", 3)
    planned = await ops.plan(kind="retry", reason="not-permitted")
    assert planned["fates"] == {"will create": 3}
    assert {one["bookingId"] for one in planned["events"]} == set(ids)
    assert all(flow.jobs(booking_id) == [] for booking_id in ids), "a plan does nothing"
    await ops.apply(planned)
    ended = await ops.ended(planned["plan"])
    assert (ended["state"], ended["because"]) == ("ended", "3 done")
    counted = {name: ended[name] for name in ("total", "sent", "done", "failing", "overtaken", "left")}
    assert counted == {"total": 3, "sent": 3, "done": 3, "failing": 0, "overtaken": 0, "left": 0}
    for booking_id in ids:
        assert len(flow.jobs(booking_id)) == 1
        row = flow.row(booking_id)
        assert row is not None
        told = [entry for entry in row.timeline if entry.asked == "retry by local: the scope was granted"]
        assert [entry.plan for entry in told] == [planned["plan"]]
    assert (await ops.get("/dead-letters"))["groups"] == []


async def test_a_selection_leaves_the_rest(flow: Flow, ops: Ops) -> None:
    await hold_for_scope(flow, ["b-1", "b-2"])
    await seen(ops, "not-permitted", 2)
    planned = await ops.plan(kind="discard", bookings=["b-2"])
    assert (planned["reason"], planned["fates"]) == ("not-permitted", {"will be closed": 1})
    await ops.apply(planned, why="moved away")
    await flow.view("b-2", state="closed")
    assert (await ops.ended(planned["plan"]))["done"] == 1
    assert flow.latest("b-1")["state"] == "held"
    assert [line["bookingId"] for line in await seen(ops, "not-permitted", 1)] == ["b-1"]


async def test_what_changed_since_the_plan_was_shown_is_not_acted_on(flow: Flow, ops: Ops) -> None:
    await hold_for_scope(flow, ["b-1", "b-2"])
    await seen(ops, "not-permitted", 2)
    planned = await ops.plan(kind="retry", reason="not-permitted")
    await flow.send("cancelled", "b-1", {})
    await flow.view("b-1", state="closed")
    await seen(ops, "not-permitted", 1)
    fields = {name: planned[name] for name in ("kind", "reason", "until", "total")}
    body = {**fields, "step": "apply", "why": "again"}
    status, answer = await ops.ask("POST", f"/plans/{planned['plan']}", body)
    assert (status, answer["message"]) == (409, "it would act on 1 events now, not on 2: plan again")


async def test_a_plan_stops_itself_when_failures_recur(flow: Flow, ops: Ops) -> None:
    """One reason, refused again and again: five that fail are enough to see that the rest would."""
    ids = [f"b-{n}" for n in range(8)]
    await hold_for_area(flow, ids)
    await seen(ops, "area-not-supported", 8)
    planned = await ops.plan(kind="retry", reason="area-not-supported")
    assert planned["fates"] == {"likely refused again": 8}
    await ops.apply(planned, why="perhaps the area is served now")
    stopped = await ops.ended(planned["plan"])
    assert stopped["state"] == "stopped"
    assert stopped["because"].endswith("failed again")
    assert stopped["failing"] >= 5
    # What failed again failed later: the same plan never takes it twice.
    assert stopped["left"] + stopped["sent"] == 8


@pytest.fixture
async def slow(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[Flow]:
    """A world with a pace so slow that a plan takes a while; without a worker."""
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, SERVICETITAN_CALLS_PER_SECOND="6") as made,
    ):
        yield made


async def test_a_plan_is_stopped_and_continued(slow: Flow) -> None:
    async with worker_here(slow.settings), ops_of(slow.settings.web_port) as ops:
        ids = [f"b-{n}" for n in range(4)]
        await hold_for_scope(slow, ids)
        await seen(ops, "not-permitted", 4)
        planned = await ops.plan(kind="retry", reason="not-permitted")
        path = f"/plans/{planned['plan']}"
        await ops.apply(planned)
        await ops.until(path, lambda one: one["sent"] >= 1)
        assert (await ops.ask("POST", path, {"step": "stop"}))[0] == 202
        stopped = await ops.ended(planned["plan"])
        assert (stopped["state"], stopped["because"]) == ("stopped", "stopped by local")
        assert stopped["left"] > 0
        assert (await ops.ask("POST", path, {"step": "continue"}))[0] == 202
        ended = await ops.until(path, lambda one: one["state"] == "ended")
        assert (ended["done"], ended["left"]) == (4, 0)
    assert [len(slow.jobs(booking_id)) for booking_id in ids] == [1, 1, 1, 1]


async def test_a_plan_whose_worker_died_is_continued_by_another(slow: Flow, tmp_path: Path) -> None:
    """Any worker shows it as standing, and goes on with it; nothing is made twice."""
    ids = [f"b-{n}" for n in range(4)]
    other = {**slow.environ, "WEB_PORT": str(free_port()), "DATA_DIR": str(tmp_path / "other")}
    async with worker_here(slow.settings), ops_of(slow.settings.web_port) as ops:
        await hold_for_scope(slow, ids)
        async with (
            worker_process(other, tmp_path / "other.log") as dying,
            ops_of(int(other["WEB_PORT"])) as theirs,
        ):
            await seen(theirs, "not-permitted", 4)
            planned = await theirs.plan(kind="retry", reason="not-permitted")
            path = f"/plans/{planned['plan']}"
            await theirs.apply(planned)
            await theirs.until(path, lambda one: one["sent"] >= 1)
            dying.kill()
        silent = await ops.until(path, lambda one: one["state"] == "silent")
        assert silent["left"] > 0
        assert (await ops.ask("POST", path, {"step": "continue"}))[0] == 202
        ended = await ops.until(path, lambda one: one["state"] == "ended")
        assert (ended["done"], ended["left"]) == (4, 0)
    assert [len(slow.jobs(booking_id)) for booking_id in ids] == [1, 1, 1, 1]
