"""What may be done about an event that failed is the same on the page, by the command and over HTTP."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from click.testing import CliRunner

from app.booking.identity import NOTHING_SEEN, Progress, mark
from app.booking.reasons import Reason
from app.booking.record import FailedEvent, Head, Lane, Phase, Record, State, encode_head
from app.commands.booking import booking
from app.commands.dead_letters import dead_letters
from app.web.events import booking_event
from tests.support.rows import BOOKING, NOW, Read, a_head, a_record, digest, held, trouble, with_job
from tests.unit.web.ops.asking import get, post

if TYPE_CHECKING:
    from tests.support.web import Served

DATA: dict[str, dict[str, Any]] = {
    "booking.created": BOOKING,
    "booking.rescheduled": {"scheduledDate": "2026-03-09T16:00:00Z"},
    "booking.status_changed": {"status": "dispatched"},
    "booking.cancelled": {"reason": "sold"},
    "booking.unheard_of": {},
}
FIXES = {"booking.created": "zip=85002", "booking.rescheduled": "scheduledDate=2026-03-09T16:00:00Z"}


def value(kind: str, event: str) -> bytes:
    return booking_event(kind, "b-1", DATA[kind], made_id=event, now=NOW, traceparent=None).value


def letter(kind: str, reason: Reason) -> Read:
    headers = (("x-reason", reason.value.encode()), ("x-detail", b"said no"))
    return Read(topic="dead", key=b"b-1", value=value(kind, "e-9"), headers=headers)


def head_of(kind: str) -> Head:
    return a_head("e-9", type=kind, raw=replace(a_head().raw, value=value(kind, "e-9")))


def put_aside(served: Served, kind: str, reason: Reason) -> None:
    failed = FailedEvent(slot="f0", event_id="e-9", digest=digest("e-9"), type=kind, trouble=trouble(reason))
    served.view.put(with_job("b-1", 7, failed=(failed,)))
    served.view.read(Read(topic="behind", key=b"b-1/f0", value=encode_head(head_of(kind))))


def invalid_creation(data: bytes | None = None) -> Record:
    head = head_of("booking.created")
    if data is not None:
        whole = {**orjson.loads(head.raw.value or b""), "data": orjson.loads(data)}
        head = replace(head, raw=replace(head.raw, value=orjson.dumps(whole)))
    return a_record(
        "b-1",
        booking=None,
        state=State.HELD,
        problem=trouble(Reason.INVALID),
        lane=Lane(phase=Phase.HELD, head=head),
        seen=mark(NOTHING_SEEN, digest("e-9"), Reason.INVALID),
    )


LANE = (("booking.created", Reason.AREA_NOT_SUPPORTED), ("booking.created", Reason.INVALID))
ASIDE = (
    ("booking.created", Reason.BOOKING_EXISTS),
    ("booking.rescheduled", Reason.ILLEGAL_TRANSITION),
    ("booking.status_changed", Reason.RETRIES_USED_UP),
    ("booking.cancelled", Reason.REFUSED),
    ("booking.unheard_of", Reason.UNKNOWN_TYPE),
)
AWAY = (
    ("booking.created", Reason.WRONG_PARTITION),
    ("booking.created", Reason.INVALID),
    ("booking.cancelled", Reason.UNKNOWN_BOOKING),
    ("booking.unheard_of", Reason.UNKNOWN_TYPE),
    ("booking.rescheduled", Reason.WRONG_PARTITION),
)
CASES = [
    *((*one, "lane") for one in LANE),
    *((*one, "aside") for one in ASIDE),
    *((*one, where) for where in ("no row", "another's row") for one in AWAY),
]


def fail(served: Served, kind: str, reason: Reason, where: str) -> str:
    """Have an event fail; gives its id."""
    if where == "lane" and reason is not Reason.INVALID:
        served.view.put(held("b-1"))
        return "e-1"
    if where == "lane":
        served.view.put(invalid_creation())
    elif where == "aside":
        put_aside(served, kind, reason)
    else:
        served.view.read(letter(kind, reason))
    if where == "another's row":
        served.view.put(with_job("b-1", 7, seen=mark(NOTHING_SEEN, digest("e-1"), Progress.WORKED)))
    return "e-9"


async def by_page(served: Served, event: str) -> set[str]:
    _, text = await get(served, "/ops/bookings/b-1")
    parts = text.split('<section class="group"')
    (form,) = (part for part in parts if f'name="event" value="{event}"' in part)
    shown = {"retry": 'value="retry"', "discard": 'value="discard"', "repair": "Repair and try…"}
    return {act for act, there in shown.items() if there in form}


async def by_http(served: Served, event: str, data: object) -> set[str]:
    taken = set()
    for act in ("retry", "repair", "discard"):
        body = {"action": act, "why": "w", "event": event, "data": data if act == "repair" else None}
        status, answer, _ = await served.ask("POST", "/bookings/b-1/actions", json=body)
        assert status in {202, 409}, answer
        taken |= {act} if status == 202 else set()
    return taken


async def by_command(served: Served, event: str, kind: str, reason: Reason) -> set[str]:
    """What its dry runs would do."""

    async def run(*arguments: str) -> tuple[int, Any]:
        given = (*arguments, "--url", served.address)
        ended = await asyncio.to_thread(CliRunner().invoke, dead_letters, given)
        # The worker's own lines stand there too: it runs in this process.
        answer = re.search(r"^\{$.*^\}$", ended.output, re.DOTALL | re.MULTILINE)
        return ended.exit_code, None if answer is None else orjson.loads(answer[0])

    plan = ("plan", "b-1", "--json", "--reason", reason.value)
    found = set()
    if event in {one["event"] for one in (await run(*plan))[1]["events"]}:
        found.add("retry")
    _, letters = await run("plan", "--turned-away", "b-1", "--json")
    closes = {one["event"] for one in letters["letters"]} if letters is not None else set()
    if event in closes | {one["event"] for one in (await run(*plan, "--discard"))[1]["events"]}:
        found.add("discard")
    change = FIXES.get(kind, "reason=asked")
    status, data = await run("repair", "b-1", "--event", event, "--set", change, "--why", "w", "--dry-run")
    if status == 0:
        name, _, new = change.partition("=")
        assert data == {**data, **own(kind, event), name: new}, "it begins with the event's own data"
        found.add("repair")
    status, told = await run("show", "b-1", "--json")
    (acts,) = (one["acts"] for one in told["failures"] if one["event"] == event)
    assert (status, set(acts)) == (0, found), told
    return found


def own(kind: str, event: str) -> dict[str, Any]:
    return DATA[kind] if event == "e-9" else {"firstName": "Ada"}


@pytest.mark.parametrize(("kind", "reason", "where"), CASES)
async def test_what_is_offered_in_one_place_is_taken_in_all(
    served: Served, kind: str, reason: Reason, where: str
) -> None:
    event = fail(served, kind, reason, where)
    page = await by_page(served, event)
    assert "discard" in page
    assert await by_command(served, event, kind, reason) == page
    answer, _ = await get(served, f"/ops/bookings/b-1/repair?event={event}")
    assert (answer.status == 200) == ("repair" in page)
    assert await by_http(served, event, DATA[kind]) == page
    for act in ("retry", "discard"):
        form = {"action": act, "why": "w", "event": event, "sure": "yes"}
        answer, _ = await post(served, "/ops/bookings/b-1/actions", form)
        assert (answer.status == 303) == (act in page)


async def test_an_invalid_creation_is_shown_with_what_it_says(served: Served) -> None:
    """Its lane has what came, and any of it may be missing."""
    served.view.put(invalid_creation(b'{"firstName": "Ada", "zip": 7}'))
    ended = await asyncio.to_thread(CliRunner().invoke, booking, ("b-1", "--url", served.address))
    assert (ended.exit_code, "Ada" in ended.output) == (0, True), ended.output
    ended = await asyncio.to_thread(
        CliRunner().invoke, dead_letters, ("show", "b-1", "--url", served.address)
    )
    assert (ended.exit_code, "it may be given: retry, repair, discard" in ended.output) == (0, True)
