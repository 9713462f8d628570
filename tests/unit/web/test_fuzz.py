"""Requests drawn at random over every door: whatever comes is answered, and never by a failure of ours."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from yarl import URL

from app.web.operations import OPERATIONS
from app.web.ops.addresses import PAGES
from tests.support.rows import BOOKING, Read, held, with_job
from tests.support.web import PREFIX, serving
from tests.unit.web.ops.asking import get, post

if TYPE_CHECKING:
    from pathlib import Path

    from app.web.operations import Operation
    from tests.support.web import Served

ROUNDS = 12
DEEP = b'{"a":' * 260 + b"1" + b"}" * 260
TEXTS = (
    "",
    "b-1",
    "b-2",
    "1001",
    "{",
    "b}",
    "..",
    "x" * 300,
    "\x00",
    "\n",
    "\u202e",
    "\U0001f6aa",
    "%2f",
    "p-000000000000",
)
BYTES = (
    b"\xff",
    b"m\xff",
    b"\xed\xa0\x80",
    b"\xc3\xa9",
    b"\x7f",
    b"a" * 7000,
    b"",
    b'=?,;"',
    b"-1",
    b"9" * 400,
)
HEADERS = (
    "Authorization",
    "Cookie",
    "Prefer",
    "Idempotency-Key",
    "traceparent",
    "X-Request-ID",
    "Origin",
    "Host",
    "Sec-Fetch-Site",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-servicetitan-signature",
    "Content-Type",
    "Last-Event-ID",
    "X-Forwarded-Proto",
    "Accept",
    "If-None-Match",
    "Range",
    "Expect",
    "Upgrade",
)
PARAMETERS = (
    "startDate",
    "endDate",
    "limit",
    "cursor",
    "event",
    "wait",
    "q",
    "after",
    "of",
    "since",
    "booking",
    "plan",
    "to",
    "refresh",
    "reason",
    "begun",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1e300,
    "",
    "\x00",
    "x" * 3000,
    [],
    {},
    [[]],
    {"a": {}},
    "0001-01-01T00:00:00+14:00",
    "refused",
    "retry",
    "discard",
    "repair",
    "apply",
    "completed",
    "b-1",
)
FIELDS = (
    *BOOKING,
    "bookingId",
    "status",
    "technicianIds",
    "reason",
    "action",
    "why",
    "event",
    "data",
    "bookings",
    "kind",
    "step",
    "until",
    "total",
    "jobId",
    "eventId",
    "occurredAt",
    "eventType",
    "key",
    "to",
    "text",
    "typed",
    "q",
)


def escaped(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def body(draw: random.Random) -> bytes:
    fields = {draw.choice(FIELDS): draw.choice(VALUES) for _ in range(draw.randrange(8))}
    match draw.randrange(6):
        case 0:
            return draw.choice((DEEP, b"\xff", b"[]", b"null", b"{", draw.randbytes(40)))
        case 1:
            name = draw.choice(FIELDS)
            return b'{"' + name.encode() + b'": ' + DEEP + b"}"
        case 2:
            return "&".join(f"{name}={escaped(str(value))}" for name, value in fields.items()).encode()
        case _:
            return orjson.dumps({**(BOOKING if draw.random() < 0.5 else {}), **_written(fields)})


def _written(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != 2**70}


def drawn(draw: random.Random, operation: Operation) -> bytes:
    """One request for this operation."""
    path = operation.path
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + escaped(draw.choice(TEXTS)) + rest.partition("}")[2]
    query = "&".join(
        f"{draw.choice(PARAMETERS)}={escaped(draw.choice(TEXTS))}" for _ in range(draw.randrange(3))
    )
    form = operation.path.startswith("/ops/") and not operation.path.startswith("/ops/api")
    kind = b"application/x-www-form-urlencoded" if form else b"application/json"
    sent = b"" if operation.method == "GET" else body(draw)
    headers = {b"Host": b"localhost", b"Content-Type": kind, b"Sec-Fetch-Site": b"same-origin"}
    headers |= {draw.choice(HEADERS).encode(): draw.choice(BYTES) for _ in range(draw.randrange(3))}
    headers |= {b"Content-Length": str(len(sent)).encode(), b"Connection": b"close"}
    lines = [
        f"{operation.method} {path}?{query} HTTP/1.1".encode(),
        *(b": ".join(one) for one in headers.items()),
    ]
    return b"\r\n".join([*lines, b"", sent])


async def status_of(served: Served, sent: bytes) -> int:
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(sent)
        line = await reader.readline()
        writer.close()
    return int(line.split(b" ")[1])


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_that_is_drawn_is_a_failure_of_ours(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    async with serving(tmp_path, WEB_WAIT_SECONDS="0") as served:
        served.view.put(with_job("b-1", 1001), held("b-2"))
        served.view.read(Read(topic="dead", key=b"b-1", value=DEEP))
        for operation in (one for one in (*OPERATIONS, *PAGES) if one.path != "/ops/stream"):
            for _ in range(ROUNDS):
                sent = drawn(draw, operation)
                assert await status_of(served, sent) != 500, sent[:2000]


# What was found by drawing ---------------------------------------------------------------------------------


async def test_one_entry_of_a_batch_that_is_nested_too_deep_does_not_lose_the_others(served: Served) -> None:
    good = orjson.dumps(BOOKING)
    for deep in (DEEP, b'{"a":' * 210 + b"1" + b"}" * 210):
        body = b'{"bookings": [' + b", ".join((good, deep, good, good)) + b"]}"
        headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
        status, answer, _ = await served.ask("POST", "/jobs/batch", data=body, headers=headers)
        assert (status, [one["status"] for one in answer["data"]["results"]]) == (207, [202, 400, 202, 202])


async def test_an_event_that_is_nested_too_deep_can_be_revealed(served: Served) -> None:
    served.view.put(held("b-1"))
    served.view.read(Read(topic="dead", key=b"b-1", value=DEEP))
    assert (await get(served, "/ops/bookings/b-1"))[0].status == 200
    answer, text = await post(served, "/ops/bookings/b-1", {})
    assert (answer.status, "&#34;a&#34;:{&#34;a&#34;:" in text) == (200, True)


@pytest.mark.parametrize("booking_id", ["b{1}", "}", "{", "{x:y}", "a b", "\u202e", ".", "..", "a/b", "%41"])
async def test_a_booking_is_reached_whatever_its_id(served: Served, booking_id: str) -> None:
    served.view.put(held(booking_id))
    name = URL(f"{served.address}{PREFIX}/bookings/{escaped(booking_id)}", encoded=True)
    async with served.session.get(name) as answer:
        assert (answer.status, (await answer.json())["data"]["bookingId"]) == (200, booking_id)
    body = {"action": "discard", "why": "w"}
    async with served.session.post(URL(f"{name}/actions", encoded=True), json=body) as answer:
        assert answer.status == 202
    for page in ("", "/repair"):
        page_name = URL(f"{served.address}/ops/bookings/{escaped(booking_id)}{page}", encoded=True)
        async with served.session.get(page_name) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("name", ["x" * 300, "%00", "..", "%2e%2e%2fguard.py", "nope.css"])
async def test_a_file_that_is_not_there(served: Served, name: str) -> None:
    async with served.session.get(URL(f"{served.address}/ops/static/{name}", encoded=True)) as answer:
        assert answer.status == 404


async def test_an_id_of_a_webhook_that_is_no_text(tmp_path: Path) -> None:
    secret = "a-secret-of-32-bytes-0123456789ab"
    async with serving(tmp_path, WEBHOOK_SECRETS=secret) as served:
        lines = (
            f"POST {PREFIX}/webhook HTTP/1.1".encode(),
            b"Host: localhost",
            b"Content-Type: application/json",
            b"Content-Length: 2",
            b"webhook-id: m\xff",
            f"webhook-timestamp: {int(served.now.timestamp())}".encode(),
            b"webhook-signature: v1,AAAA",
        )
        assert await status_of(served, b"\r\n".join((*lines, b"", b"{}"))) == 401
