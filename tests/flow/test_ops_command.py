"""`dead-letters` against a real worker: look, plan, try again, repair, discard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from tests.support.flow import CREATE_JOB, booking

if TYPE_CHECKING:
    from collections.abc import Callable

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
    await shown(flow, "/dead-letters", lambda found: len(found["lines"]) == number)
    found: dict[str, Any] = orjson.loads(await run(flow, "list", "--json"))
    return found


async def shown(flow: Flow, path: str, condition: Callable[[Any], bool]) -> None:
    """Returns once the worker shows it: a command for each look would take most of the test's time."""
    address = f"{flow.settings.web_url}/ops/api{path}"
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            async with session.get(address) as answer:
                if answer.status == 200 and condition((await answer.json())["data"]):
                    return
            await asyncio.sleep(0.1)


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


async def typed(flow: Flow, answer: str, *arguments: str) -> tuple[int | None, str]:
    """Exit status and output of `dead-letters` at a terminal where somebody types this when asked."""
    ours, theirs = os.openpty()
    # Without an echo: what is read is what the command says.
    settings = termios.tcgetattr(theirs)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app",
        "dead-letters",
        *arguments,
        env={**os.environ, **flow.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        said = await asyncio.to_thread(_answer, ours, answer)
    finally:
        os.close(ours)
    return await process.wait(), said


def _answer(terminal: int, answer: str) -> str:
    """Type the answer once it is asked for; gives all that was said."""
    said = b""
    is_asked = False
    with contextlib.suppress(OSError):  # a terminal whose other end has gone
        while part := os.read(terminal, 4096):
            said += part
            if not is_asked and b"Type " in said and said.rstrip().endswith(b":"):
                is_asked = True
                os.write(terminal, f"{answer}\n".encode())
    assert is_asked, said.decode()
    return said.decode()


async def test_at_a_terminal_the_number_is_typed_before_many_are_acted_on(flow: Flow) -> None:
    await hold(flow, "b-1")
    await hold(flow, "b-2", phone="6025550178")
    await listed(flow, 2)
    discard = ("discard", "b-1", "b-2", "--why", "booked by phone")
    for wrong in ("3", "yes", ""):
        status, said = await typed(flow, wrong, *discard)
        assert (status, "Type 2 to discard them:" in said) == (1, True)
        assert "that is not 2: nothing was done" in said
    assert {flow.latest(one)["state"] for one in ("b-1", "b-2")} == {"held"}
    status, said = await typed(flow, "2", *discard)
    assert status == 0, said
    assert "ended: 2 done" in said
    for one in ("b-1", "b-2"):
        await flow.view(one, state="closed")


async def test_what_was_turned_away_is_seen_and_closed(flow: Flow) -> None:
    for key in (b"junk-1", b"junk-2", b"junk-3"):
        await flow.send_raw(key, b"not JSON")
    await flow.send("cancelled", "b-9")
    await shown(flow, "/dead-letters", lambda found: sum(one["total"] for one in found["turnedAway"]) == 4)
    listing = await run(flow, "list")
    assert "unreadable: 3 events turned away, in no lane" in listing
    assert "No booking needs attention." in listing
    found = orjson.loads(await run(flow, "plan", "--turned-away", "--reason", "unreadable", "--json"))
    letter = found["letters"][0]["letter"]
    close = ("discard", "--turned-away", "--why", "a trial")
    assert "nothing that was turned away is open for 0-999" in await run(flow, *close, "0-999", status=1)
    assert "name letters" in await run(flow, *close, status=2)
    assert "2 events would be acted on: say --yes" in await run(flow, *close, letter, "b-9", status=2)
    assert letter in await run(flow, *close, letter, "--dry-run")
    assert (await run(flow, *close, letter, "b-9", "--yes")).endswith("2 closed\n")
    status, said = await typed(flow, "2", *close, "--reason", "unreadable")
    assert (status, "2 closed" in said) == (0, True), said
    assert await run(flow, "list") == "No booking needs attention.\n"
    assert await run(flow, *close, "--reason", "unreadable", status=1) == (
        "Nothing that was turned away waits.\n"
    )
    notes = [orjson.loads(one.value or b"") for one in flow.of(flow.topics.signals.name)]
    assert {(one["type"], one["data"]["text"], one["data"]["by"]) for one in notes} == {
        ("action.note", "a trial", "local")
    }
    assert len(flow.of(flow.topics.dead_letter.name)) == 4, "nothing was dead-lettered for it"


async def test_no_worker_and_wrong_usage_say_what_is_wrong(flow: Flow) -> None:
    away = await run(flow, "list", "--url", "http://127.0.0.1:9", status=1)
    assert "no worker answers at http://127.0.0.1:9" in away
    assert "name bookings, or a --reason" in await run(flow, "plan", status=2)
    assert "--set FIELD=VALUE" in await run(flow, "repair", "b-1", "--why", "w", status=2)
