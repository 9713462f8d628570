"""One request on the wire: sent once or not at all, and everything that can go wrong is a value."""

import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TypeAlias

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession
from yarl import URL

from app.servicetitan.config import UpstreamConfig

CONNECT_SECONDS = 10.0
MOST_BODY = 16 * 1024 * 1024
"""Bytes read of an answer, unpacked: a page of 500 rows has one or two million. What follows is cut off."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer: its body unpacked, and no more of it than `MOST_BODY`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NotSent:
    """No connection could be made, so nothing left this machine."""

    detail: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Something was sent, and no whole answer came: it may have been done."""

    detail: str


Sent: TypeAlias = Answer | NotSent | NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What goes on the wire. `about_to_send` is called when a connection is there, before the first byte.

    What it raises goes to the caller, and then nothing is sent.
    """

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    about_to_send: Callable[[], None]


class _ConnectionLost(aiohttp.ClientError):
    """A connection that broke after sending; of a class that aiohttp does not answer by sending again."""


class Connections:
    """A pool of connections to ServiceTitan. Make it inside a running event loop; `close` it."""

    def __init__(self, config: UpstreamConfig) -> None:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_call_about_to_send)
        # Reading all authorities takes longer than making the rest of a worker: only where they are needed.
        secure = "https" in {URL(config.api_root).scheme, config.token_url.scheme}
        self._session = ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the pace says how many calls are under way
                ssl=ssl.create_default_context(cafile=config.ca_file) if secure else True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # it unpacks without an end
            headers={"Accept-Encoding": "gzip"},
            timeout=aiohttp.ClientTimeout(
                total=config.timeout_seconds, sock_connect=min(CONNECT_SECONDS, config.timeout_seconds)
            ),
            trace_configs=[tracing],
            middlewares=(_never_send_again,),
            raise_for_status=False,
            trust_env=False,
        )

    async def send(self, request: Request) -> Sent:
        """Send once. Raises only what `about_to_send` raises."""
        gone = stopped = False

        def about_to_send() -> None:
            nonlocal gone, stopped
            stopped = True
            request.about_to_send()
            gone, stopped = True, False

        try:
            async with self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                trace_request_ctx=about_to_send,
            ) as response:
                body = await _body(response)
                return Answer(status=response.status, headers=response.headers, body=body)
        except Exception as error:
            # What strangers may answer has no end, nor what a library makes of it: it is no whole answer.
            if stopped:
                raise
            detail = _describe(error, request.url)
            return NoAnswer(detail) if gone else NotSent(detail)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _body(response: ClientResponse) -> bytes:
    """The body, unpacked, up to `MOST_BODY`. Raises zlib's error for what is not packed as it says."""
    body = bytearray()
    packed = response.headers.get("Content-Encoding", "").lower() in {"gzip", "x-gzip", "deflate"}
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if packed else None
    async for piece in response.content.iter_any():
        left = MOST_BODY - len(body)
        body += unpacker.decompress(piece, left) if unpacker else piece[:left]
        if len(body) >= MOST_BODY:
            break
    return bytes(body)


async def _call_about_to_send(_: ClientSession, context: SimpleNamespace, __: object) -> None:
    # aiohttp sends this signal when the connection is there and the headers are ready, before it writes.
    context.trace_request_ctx()


async def _never_send_again(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    # aiohttp repeats GET, PUT and DELETE by itself after a dropped kept-alive connection: it looks for
    # exactly these two classes (aio-libs/aiohttp client.py, retry_persistent_connection).
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionLost from error


def _describe(error: Exception, url: URL) -> str:
    """What went wrong and at which host: no path and no query, since they may hold personal data."""
    host = f"{url.host}:{url.port}"
    match error:
        case aiohttp.ClientConnectorError():
            return f"no connection to {host}: {error.os_error}"
        case TimeoutError():
            return f"no answer from {host} in time"
        case _ConnectionLost():
            return f"the connection to {host} was lost"
        case _:
            return f"no whole answer from {host}: {type(error).__name__}"
