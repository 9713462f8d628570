"""What no browser sends to the page: answered as what it is, never by a failure of ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.rows import Read, a_failed, held, with_job
from tests.unit.web.ops.asking import OURS, get, post

if TYPE_CHECKING:
    from tests.support.web import Served

NEVER = "0001-01-01T00:00:00+14:00"
"""A time that UTC has not."""
LONG = "9" * 5000
PLAN = "/ops/plans/p-000000000000"


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]/", "null", ""])
async def test_an_origin_that_is_no_address(served: Served, origin: str) -> None:
    answer, _ = await post(served, "/ops/reasons/refused/notes", {"text": "t"}, {"Origin": origin})
    assert (answer.status, served.sent) == (403, [])


@pytest.mark.parametrize("cookie", [b"a.b.\xff", b"\xff.1.c", b"\xff", b"a.9999999999.\xc3\xa9"])
async def test_a_cookie_that_is_no_text(keyed: Served, cookie: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", keyed.port)
    writer.write(b"GET /ops HTTP/1.1\r\nHost: localhost\r\nCookie: ops_session=" + cookie + b"\r\n\r\n")
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 303 ")
    assert b"Location: /ops/sign-in" in head


@pytest.mark.parametrize("to", ["/ops/\r\nX-Made: up", "/ops/bookings/\n", "/ops/\x00", "/ops\r\n"])
async def test_a_sign_in_that_would_begin_a_header(keyed: Served, to: str) -> None:
    answer, _ = await post(keyed, "/ops/sign-in", {"key": "read-key-of-ann-0", "to": to})
    assert (answer.status, answer.headers["Location"]) == (303, "/ops")
    assert "X-Made" not in answer.headers


async def test_a_time_that_utc_has_not(served: Served) -> None:
    served.view.put(held("b-1"))
    assert (await get(served, f"/ops/stream?of=bookings&since={NEVER.replace('+', '%2B')}"))[0].status == 400
    close = {"why": "w", "until": NEVER, "total": "1"}
    assert (await post(served, "/ops/reasons/unreadable/close", close))[0].status == 400
    plan = {"step": "apply", "kind": "discard", "reason": "refused", "until": NEVER, "why": "w"}
    assert (await post(served, PLAN, plan))[0].status == 400
    body = {"step": "apply", "reason": "refused", "until": NEVER, "total": 1, "why": "w"}
    assert (await served.ask("POST", f"/ops/api/plans/{PLAN[-14:]}", api=False, json=body))[0] == 400
    body = {"reason": "unreadable", "until": NEVER, "total": 1, "why": "w"}
    assert (await served.ask("POST", "/ops/api/turned-away", api=False, json=body))[0] == 400
    day = f"startDate={NEVER.replace('+', '%2B')}&endDate=2026-03-02"
    assert (await served.ask("GET", f"/jobs?{day}"))[0] == 400
    assert served.sent == []


async def test_a_number_without_an_end(served: Served) -> None:
    served.view.put(with_job("b-1", 7, failed=(a_failed(),)))
    close = {"why": "w", "until": "2026-03-02T09:00:00+00:00", "total": LONG, "typed": LONG}
    assert (await post(served, "/ops/reasons/unreadable/close", close))[0].status == 400
    for path in ("/ops/api/turned-away", "/ops/api/dead-letters"):
        assert (await served.ask("GET", f"{path}?limit={LONG}", api=False))[0] == 400
    body = f'{{"reason": "unreadable", "why": "w", "until": "2026-03-02T09:00:00Z", "total": {LONG}}}'
    sent = {"data": body.encode(), "headers": {"Content-Type": "application/json"}}
    assert (await served.ask("POST", "/ops/api/turned-away", api=False, **sent))[0] == 400
    assert (await served.ask("GET", f"/jobs/{LONG}"))[0] == 404
    assert (await get(served, f"/ops?refresh={LONG}"))[0].status == 200
    assert served.sent == []


async def test_a_number_without_an_end_in_a_repair_is_said_at_its_field(served: Served) -> None:
    served.view.put(held("b-1"), with_job("b-2", 7, failed=(a_failed(),)))
    form = {"event": "e-1", "why": "w", "doorCount": LONG, "doorAge": LONG}
    answer, text = await post(served, "/ops/bookings/b-1/repair", form)
    assert (answer.status, served.sent) == (422, [])
    assert "doorCount" in text


async def test_a_webhook_of_a_job_that_cannot_be_is_shown(served: Served) -> None:
    served.view.read(Read(topic="webhooks", key=LONG.encode(), value=b"{}"))
    assert (await get(served, "/ops/webhooks", **OURS))[0].status == 200
