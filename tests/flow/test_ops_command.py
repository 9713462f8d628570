"""`dead-letters` against a real worker: look, plan, try again, repair, discard."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import orjson

from tests.support.flow import CREATE_JOB, booking

if TYPE_CHECKING:
    from tests.support.flow import Flow


async def run(flow: Flow, *arguments: str, status: int = 0) -> str:
    """The output of `dead-letters` with these arguments."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app",
        "dead-letters",
        *arguments,
        env={**os.environ, **flow.environ, "COLUMNS": "200"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == status, out.decode()
    return out.decode()


async def listed(flow: Flow, number: int) -> dict[str, Any]:
    """What the command lists, once there is so much."""
    async with asyncio.timeout(60):
        while True:
            found: dict[str, Any] = orjson.loads(await run(flow, "list", "--json"))
            if len(found["lines"]) == number:
                return found


async def hold(flow: Flow, booking_id: str, **data: object) -> None:
    await flow.send("created", booking_id, booking(zip="00000", **data))
    await flow.view(booking_id, state="held")


async def test_what_waits_is_listed_shown_and_planned_for(flow: Flow) -> None:
    await hold(flow, "b-1")
    found = await listed(flow, 1)
    (group,), (line,) = found["groups"], found["lines"]
    assert (group["reason"], group["bookings"], line["bookingId"]) == ("area-not-supported", 1, "b-1")
    assert "Lopez" not in orjson.dumps(found).decode()
    text = await run(flow, "list")
    assert "b-1" in text
    assert "Correct the address with the customer" in text
    assert "b-1 is held, wants scheduled" in await run(flow, "show", "b-1")
    assert "likely refused again" in await run(flow, "plan", "b-1")
    assert "likely refused again" in await run(
        flow, "retry", "--reason", "area-not-supported", "--why", "w", "--dry-run"
    )
    signals = [orjson.loads(one.value or b"") for one in flow.of(flow.topics.signals.name, "b-1")]
    assert {one["type"] for one in signals} == {"customer.failed"}, "nothing has been done"


async def test_a_booking_is_repaired(flow: Flow) -> None:
    await hold(flow, "b-1")
    await listed(flow, 1)
    wrong = await run(flow, "repair", "b-1", "--set", "zip=nowhere", "--why", "asked", status=1)
    assert "data.zip" in wrong
    assert (
        orjson.loads(await run(flow, "repair", "b-1", "--set", "zip=85016", "--why", "w", "--dry-run"))["zip"]
        == "85016"
    )
    await run(flow, "repair", "b-1", "--set", "zip=85016", "--why", "asked the customer")
    view = await flow.view("b-1", state="active")
    assert view["job"]["location"]["address"]["zip"] == "85016"
    row = flow.row("b-1")
    assert row is not None
    assert any(entry.asked == "repair by local: asked the customer" for entry in row.timeline)


async def test_bookings_are_tried_again_or_discarded_after_a_confirmation(flow: Flow) -> None:
    flow.fault("forbidden", CREATE_JOB, count=1)
    await flow.send("created", "b-1")
    await flow.view("b-1", state="held")
    await hold(flow, "b-2", phone="6025550177")
    await hold(flow, "b-3", phone="6025550178")
    await listed(flow, 3)
    asked = await run(flow, "discard", "b-2", "b-3", "--why", "booked by phone", status=2)
    assert "2 events would be acted on: say --yes" in asked
    await run(flow, "retry", "b-1", "--why", "the scope was granted")
    await flow.view("b-1", state="active")
    ended = orjson.loads(
        await run(flow, "discard", "b-2", "b-3", "--why", "booked by phone", "--yes", "--json")
    )
    assert (ended["state"], ended["done"]) == ("ended", 2)
    assert [(await flow.view(one, state="closed"))["job"] for one in ("b-2", "b-3")] == [None, None]
    assert await run(flow, "list") == "No booking needs attention.\n"
    again = await run(flow, "retry", "b-1", "--why", "again", status=1)
    assert "wait for no reason now" in again


async def test_no_worker_and_wrong_usage_say_what_is_wrong(flow: Flow) -> None:
    away = await run(flow, "list", "--url", "http://127.0.0.1:9", status=1)
    assert "no worker answers at http://127.0.0.1:9" in away
    assert "name bookings, or a --reason" in await run(flow, "plan", status=2)
    assert "--set FIELD=VALUE" in await run(flow, "repair", "b-1", "--why", "w", status=2)
