"""What people send who mean no good, or know no better: the right status, in the envelope."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import io
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from structlog.testing import capture_logs

from app.web import connections, guard
from tests.support.rows import BOOKING, held
from tests.support.web import PREFIX, Sent, Served, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

JSON = {"Content-Type": "application/json"}
STAYS_UP = "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@contextlib.asynccontextmanager
async def connected(served: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def raw(served: Served, sent: bytes) -> tuple[int, dict[str, Any]]:
    """Send these very bytes; gives the status and the body of the answer."""
    async with asyncio.timeout(30), connected(served) as (reader, writer):
        writer.write(sent)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers["Content-Length"]))
        return int(head.split(b" ", 2)[1]), orjson.loads(body)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [line, "Host: localhost", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def still_up(served: Served) -> None:
    assert (await raw(served, STAYS_UP.encode()))[0] == 200


# Bodies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"\xff\xfe",
        b'{"firstName": "\xff"}',
        b'{"firstName": "\\ud800"}',
        b"[" * 50_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"doorCount": NaN}',
        b'{"doorCount": 1e400}',
        b'{"a": 1}{"b": 2}',
        b"\xef\xbb\xbf{}",
        b"1" * 60_000,
    ],
    ids=range(13),
)
@pytest.mark.parametrize("path", ["/jobs", "/webhook"])
async def test_what_is_no_json(served: Served, path: str, body: bytes) -> None:
    found, answer, _ = await served.ask("POST", path, data=body, headers=JSON)
    assert (found, answer["error"]) == (400, "Validation Error")


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"{}",
        b'{"firstName": {"firstName": {}}}',
        b'{"firstName": 7, "doorCount": "7", "isRenter": "yes", "phone": []}',
        b'{"doorCount": 123456789012345678901234567890}',
        b'{"doorAge": -1}',
        orjson.dumps({**BOOKING, "firstName": "\x00" * 200}),
        orjson.dumps({**BOOKING, "scheduledDate": "0001-01-01T00:00:00+14:00"}),
        orjson.dumps({**BOOKING, "scheduledDate": "9999-12-31T23:59:59-14:00"}),
    ],
    ids=range(12),
)
async def test_json_that_is_no_booking(served: Served, body: bytes) -> None:
    found, answer, _ = await served.ask("POST", "/jobs", data=body, headers=JSON)
    assert (found, answer["error"]) == (400, "Validation Error")
    assert answer["details"]
    assert served.sent == []


async def test_unknown_fields_go_nowhere(served: Served) -> None:
    body = {**BOOKING, "__proto__": {"x": 1}, "state ": "XX", "job": {"id": 1}, "a" * 1000: 1}
    headers = {"Prefer": "respond-async"}
    assert (await served.ask("POST", "/jobs", json=body, headers=headers))[0] == 202
    assert b"__proto__" not in (served.sent[0].value or b"")


@pytest.mark.parametrize(
    ("path", "size"),
    [("/jobs", 65_537), ("/jobs/batch", 1_048_577), ("/webhook", 524_289), ("/jobs", 10_000_000)],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large(served: Served, path: str, size: int, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(0, size, 50_000):
            yield b" " * 50_000

    data = pieces() if chunked else io.BytesIO(b" " * size)
    found, answer, _ = await served.ask("POST", path, data=data, headers=JSON)
    assert (found, answer["error"]) == (413, "Payload Too Large")


async def test_a_repair_that_no_worker_would_take_is_not_queued(served: Served) -> None:
    """The signal says more than the body: it would be turned away as too large, and nobody told."""
    served.view.put(held("b-1"))
    for size, expected in ((60_000, 202), (65_536, 413)):
        data = {**BOOKING, "note": ""}
        body = {"action": "repair", "why": "w", "data": data}
        data["note"] = "x" * (size - len(orjson.dumps(body)))
        answer = await served.ask("POST", "/bookings/b-1/actions", data=orjson.dumps(body), headers=JSON)
        assert (answer[0], len(served.sent)) == (expected, 1)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
async def test_another_kind_of_body(served: Served, kind: str) -> None:
    body = orjson.dumps(BOOKING)
    found, answer = await raw(
        served, request(f"POST {PREFIX}/jobs HTTP/1.1", f"Content-Type: {kind}", body=body)
    )
    assert (found, answer["error"]) == (415, "Unsupported Media Type")


# Requests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"BREW /live HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\nHost localhost\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"POST /live HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
    ],
    ids=range(9),
)
async def test_what_is_no_request(served: Served, sent: bytes, status: int) -> None:
    found, answer = await raw(served, sent)
    assert found == status
    assert answer["success"] is False
    assert "aiohttp" not in str(answer)
    assert "Traceback" not in str(answer)
    await still_up(served)


async def test_a_thousand_headers(served: Served) -> None:
    headers = [f"X-{number}: 1" for number in range(1000)]
    found, answer = await raw(served, request("GET /live HTTP/1.1", *headers))
    assert (found, answer["success"]) == (400, False)


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../app/settings.py",
        f"{PREFIX}/jobs/..%2f..%2flive",
        f"{PREFIX}/jobs/%00",
        f"{PREFIX}/jobs/1001;x=1",
        f"{PREFIX}/jobs/1001%20",
        f"{PREFIX}/bookings/%252e%252e",
        f"{PREFIX}/bookings/'%20OR%201=1--",
        f"{PREFIX}/bookings/%c0%ae%c0%ae",
        f"{PREFIX}/bookings/%ed%a0%80",
        f"{PREFIX}/bookings/%zz",
        "//live",
        "/live/",
        "/LIVE",
        "*",
        "http://evil.example/live/x",
    ],
)
async def test_tricks_with_addresses_find_nothing(served: Served, path: str) -> None:
    found, answer = await raw(served, request(f"GET {path} HTTP/1.1"))
    assert found in {400, 404}
    assert answer["success"] is False


@pytest.mark.parametrize(
    "path", ["/jobs", "/jobs/batch", "/jobs/1/status", "/bookings/b-1/actions", "/webhook"]
)
@pytest.mark.parametrize("value", ["\u00e9", "\x7f", "a" * 8000])
async def test_odd_headers_do_no_harm(served: Served, path: str, value: str) -> None:
    names = ("Authorization", "Prefer", "traceparent", "X-Request-ID", "Cookie", "webhook-signature")
    for name in names:
        method = "PATCH" if path.endswith("status") else "POST"
        sent = request(
            f"{method} {PREFIX}{path} HTTP/1.1",
            f"{name}: {value}",
            "Content-Type: application/json",
            body=b"{}",
        )
        found, answer = await raw(served, sent)
        assert 400 <= found < 500
        assert answer["success"] is False


# Slow and many --------------------------------------------------------------------------------------------


async def test_a_body_that_does_not_come_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    whole = request(f"POST {PREFIX}/jobs HTTP/1.1", "Content-Type: application/json", body=b"{" * 100)
    found, answer = await raw(served, whole[:-1])
    assert (found, answer["error"]) == (408, "Request Timeout")


@pytest.mark.parametrize("sent", [b"", b"GET /live HTTP/1.1\r\nHost: local"])
async def test_who_does_not_finish_a_request_is_let_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.3)
    async with serving(tmp_path) as served, asyncio.timeout(30), connected(served) as (reader, writer):
        writer.write(sent)
        assert await reader.read() == b""


async def test_a_thousand_slow_connections_keep_nobody_out(served: Served) -> None:
    """Who stands idle longest gives way; a request under way does not."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(connections.MOST_CONNECTIONS + 300):
            _, writer = await stack.enter_async_context(connected(served))
            writer.write(b"GET /live HTTP/1.1\r\n")
        found, _, _ = await served.ask("GET", "/health")
        assert found == 200
    await still_up(served)


async def test_a_connection_that_breaks_off_is_no_failure_of_ours(served: Served) -> None:
    with capture_logs() as lines:
        for _ in range(20):
            await _break_off(served)
        await still_up(served)
    assert {line["log_level"] for line in lines} <= {"info"}


async def _break_off(served: Served) -> None:
    async with connected(served) as (_, writer):
        writer.write(
            request(f"POST {PREFIX}/jobs HTTP/1.1", "Content-Type: application/json", body=b"{}")[:-1]
        )
        await writer.drain()
        writer.transport.abort()


# Packed ---------------------------------------------------------------------------------------------------


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes the server was about to unpack, each time."""
    seen: list[int] = []
    monkeypatch.setattr(
        "aiohttp.http_parser.DeflateBuffer.feed_data", lambda _, chunk: seen.append(len(chunk))
    )
    return seen


@cache
def packed() -> bytes:
    return gzip.compress(b" " * 10_000_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, GZIP", "nonsense"])
@pytest.mark.parametrize("path", [f"{PREFIX}/webhook", f"{PREFIX}/jobs", "/ops/sign-in", "/live"])
async def test_a_packed_body_is_refused(
    served: Served, unpacked: list[int], path: str, encoding: str
) -> None:
    method = "GET" if path == "/live" else "POST"
    headers = ("Content-Type: application/json", f"Content-Encoding: {encoding}")
    found, answer = await raw(served, request(f"{method} {path} HTTP/1.1", *headers, body=packed()))
    assert (found, answer["error"]) == (415, "Unsupported Media Type")
    assert unpacked == []


@pytest.mark.parametrize(("path", "status"), [("/nope", 404), (f"{PREFIX}/jobs", 401)])
async def test_what_is_left_of_a_refused_body_is_not_unpacked(
    keyed: Served, unpacked: list[int], path: str, status: int
) -> None:
    """After a refusal the rest of the body is read and thrown away."""
    async with asyncio.timeout(30), connected(keyed) as (reader, writer):
        writer.write(request(f"POST {path} HTTP/1.1", "Content-Encoding: gzip", body=packed())[:-100])
        assert (await reader.readline()).startswith(f"HTTP/1.1 {status} ".encode())
        writer.write(packed()[-100:] + STAYS_UP.encode())
        assert b"HTTP/1.1 200 OK" in await reader.read()
    assert unpacked == []


# Many -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def crowded(served: Served, count: int, sent: bytes) -> AsyncIterator[None]:
    """So many clients send this and no more, and come back at once whenever they are let go."""

    async def again_and_again() -> None:
        while True:
            with contextlib.suppress(OSError):
                async with connected(served) as (reader, writer):
                    writer.write(sent)
                    await reader.read()

    crowd = [asyncio.create_task(again_and_again()) for _ in range(count)]
    try:
        await asyncio.sleep(0.2)
        yield
    finally:
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)


SLOW_BODY = request(f"POST {PREFIX}/webhook HTTP/1.1", "Content-Type: application/json", body=b"{}")[:-1]
UNREAD_ANSWER = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200


@pytest.mark.parametrize("sent", [b"", b"GET /live HTTP/1.1\r\n", SLOW_BODY], ids=["none", "half", "body"])
async def test_probes_are_answered_while_clients_keep_us_waiting(
    served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 48)
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: unheard.append(what))
    async with crowded(served, 60, sent):
        for _ in range(16):
            await still_up(served)
    gc.collect()
    assert unheard == []


async def test_a_client_that_does_not_read_its_answers_gives_way(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 8)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(8):
            _, writer = await stack.enter_async_context(connected(served))
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket's transport
            writer.write(UNREAD_ANSWER)
        await asyncio.sleep(0.3)
        await still_up(served)


async def test_the_one_that_idles_longest_gives_way_not_the_one_that_came_first(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    ask = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with asyncio.timeout(30), connected(served) as first, connected(served) as second:
        for reader, writer in (first, second, first):
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r")[0]))
        await still_up(served)
        assert await second[0].read() == b""
        first[1].write(ask)
        assert (await first[0].readline()).startswith(b"HTTP/1.1 200")


async def test_a_request_that_is_worked_on_gives_way_to_nobody(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for newcomers is kept by refusing what would be worked on beside: probes go on."""
    monkeypatch.setattr(connections, "MOST_REQUESTS", 2)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    go_on = asyncio.Event()

    async def on_publish(_: Sent) -> None:
        await go_on.wait()

    served.on_publish = on_publish
    headers = {"Prefer": "respond-async"}
    booked = [
        asyncio.create_task(served.ask("POST", "/jobs", json=BOOKING, headers=headers)) for _ in range(2)
    ]
    await asyncio.sleep(0.2)
    found, answer, headers = await served.ask("GET", "/jobs/1")
    assert (found, answer["error"], headers["Retry-After"]) == (503, "Service Unavailable", "1")
    for _ in range(8):
        await still_up(served)
    go_on.set()
    assert [status for status, _, _ in await asyncio.gather(*booked)] == [202, 202]
    assert (await served.ask("GET", "/jobs/1"))[0] == 404
