"""What goes on the wire, and how often: against a server that counts what it receives."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from app.business_file import load_business
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.http import MOST_BODY, Answer, Connections, NoAnswer, NotSent, Request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers as its script says, one entry for each request; None drops the connection."""

    def __init__(self, script: list[bytes | None]) -> None:
        self.script = script
        self.received: list[str] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                while await reader.readline() != b"\r\n":
                    pass
                self.received.append(line.decode().split(" HTTP")[0])
                answer = self.script.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def serving(*script: bytes | None) -> AsyncIterator[Server]:
    server = Server(list(script))
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


@asynccontextmanager
async def connected(timeout: float = 20.0) -> AsyncIterator[Connections]:
    config = UpstreamConfig(
        api_url="http://unused",
        auth_url="http://unused",
        client_id="",
        client_secret="",
        app_key="",
        tenant_id="",
        application_guid="",
        business=load_business(),
        timeout_seconds=timeout,
    )
    connections = Connections(config)
    yield connections
    await connections.close()


def request(url: str, method: str = "GET") -> Request:
    return Request(
        method=method, url=URL(url), headers={"ST-App-Key": "k"}, body=None, about_to_send=lambda: None
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
async def test_a_dropped_kept_alive_connection_is_never_sent_on_again(method: str) -> None:
    async with serving(OK, None, OK) as server, connected() as connections:
        assert isinstance(await connections.send(request(server.url)), Answer)
        outcome = await connections.send(request(server.url, method))
    assert isinstance(outcome, NoAnswer)
    assert server.received == ["GET /", f"{method} /"]
    assert server.connections == 1


async def test_what_the_check_raises_comes_out_and_nothing_was_sent() -> None:
    class NotOurs(Exception):  # noqa: N818 - read as a sentence
        pass

    def check() -> None:
        raise NotOurs

    async with serving(OK, OK) as server, connected() as connections:
        fresh = Request(method="PUT", url=URL(server.url), headers={}, body=b"{}", about_to_send=check)
        with pytest.raises(NotOurs):
            await connections.send(fresh)
        await connections.send(request(server.url))
        with pytest.raises(NotOurs):
            await connections.send(fresh)
        await connections.send(request(server.url))
    assert server.received == ["GET /", "GET /"]


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with serving() as server:
        pass
    async with connected() as connections:
        outcome = await connections.send(request(server.url, "POST"))
    assert isinstance(outcome, NotSent)
    assert "127.0.0.1" in outcome.detail


async def test_a_host_that_does_not_exist_is_not_sent_to() -> None:
    async with connected() as connections:
        outcome = await connections.send(request("http://does-not-exist.invalid/secret-path", "POST"))
    assert isinstance(outcome, NotSent)
    assert "secret-path" not in outcome.detail


async def test_silence_is_no_answer() -> None:
    async with serving(b"") as server, connected(timeout=0.2) as connections:
        outcome = await connections.send(request(server.url, "POST"))
    assert isinstance(outcome, NoAnswer)
    assert "in time" in outcome.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"nonsense\r\n\r\n",
    ],
)
async def test_half_an_answer_is_no_answer(answer: bytes) -> None:
    class Cut(Server):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(answer)
            await writer.drain()
            writer.close()

    cut = Cut([])
    async with await asyncio.start_server(cut.serve, "127.0.0.1", 0) as listening, connected() as connections:
        port = listening.sockets[0].getsockname()[1]
        outcome = await connections.send(request(f"http://127.0.0.1:{port}", "PUT"))
    assert isinstance(outcome, NoAnswer)


async def test_a_redirect_is_not_followed() -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(moved, OK) as server, connected() as connections:
        outcome = await connections.send(request(server.url, "PUT"))
    assert isinstance(outcome, Answer)
    assert outcome.status == 307
    assert server.received == ["PUT /"]


@pytest.mark.parametrize("is_packed", [False, True])
async def test_of_a_body_without_an_end_only_so_much_is_read(*, is_packed: bool) -> None:
    body = gzip.compress(b" " * (5 * MOST_BODY)) if is_packed else b" " * (MOST_BODY + 100_000)
    head = b"Content-Length: 600000000"
    if is_packed:
        head = b"Content-Encoding: gzip\r\nContent-Length: %d" % len(body)
    async with (
        serving(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body) as server,
        connected() as connections,
    ):
        outcome = await connections.send(request(server.url))
    assert isinstance(outcome, Answer)
    assert len(outcome.body) == MOST_BODY


async def test_a_packed_answer_is_read() -> None:
    body = gzip.compress(b'{"id": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with serving(head + body) as server, connected() as connections:
        outcome = await connections.send(request(server.url))
    assert isinstance(outcome, Answer)
    assert outcome.body == b'{"id": 1}'


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 2",
        b"X-Long: " + b"x" * 300_000 + b"\r\nContent-Length: 2",
        b"Content-Length: " + b"9" * 400,
    ],
)
async def test_what_the_library_cannot_read_is_no_answer(head: bytes) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n{}") as server, connected() as connections:
        assert isinstance(await connections.send(request(server.url, "POST")), NoAnswer)


async def test_what_cannot_be_written_on_the_wire_is_a_value_too() -> None:
    async with serving(OK) as server, connected() as connections:
        token = Request(
            method="PUT",
            url=URL(server.url),
            headers={"Authorization": "Bearer a\r\nb\0"},
            body=None,
            about_to_send=lambda: None,
        )
        assert isinstance(await connections.send(token), NotSent | NoAnswer)
