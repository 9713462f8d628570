"""Connections before and below requests: how long they may stand, how many, and errors in the envelope.

aiohttp answers what it cannot parse by itself, in plain text, before any middleware sees it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from app.telemetry.log import get_logger
from app.web.envelope import NAMES, Problem, failure

_log = get_logger(__name__)

IDLE_SECONDS = 30.0
"""How long a connection may stand without a request, or with half of one."""
LINGER_SECONDS = 2.0
"""How long a client that still sends, though it was answered already, is listened to."""
MOST_CONNECTIONS = 512
"""Beyond it the connection that waits longest for its client gives way: Kafka needs descriptors too."""
MOST_REQUESTS = 448
"""How many requests may be worked on at once: the other connections are left to probes and newcomers."""

HEADERS: Mapping[str, str] = {
    "Server": "servicetitan-stream",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What every answer carries, unless it says otherwise itself."""


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ("since",)
    since: float
    """When its request began, or the last one ended, or it came; in the loop's time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Its client is waited for from now on."""
        self.since = self._loop.time()
        super().connection_made(transport)

    async def _handle_request(
        self,
        request: BaseRequest,
        start_time: float | None,
        request_handler: Callable[[BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        self.since = self._loop.time()
        try:
            return await super()._handle_request(request, start_time, request_handler)
        finally:
            self.since = self._loop.time()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what was sent
    ) -> web.StreamResponse:
        """Answer what could not be read as a request, and close."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: nothing can be put right any more")
        if isinstance(exc, UnicodeEncodeError):
            # aiohttp quotes an `Expect` in its refusal, be it text or not.
            status = 417
        if status >= 500:
            _log.error("a request failed below the views", exc_info=exc)
        else:
            _log.info("not a request", status=status, why=type(exc).__name__)
        found = 431 if isinstance(exc, LineTooLong) else status
        response = failure(Problem(found, NAMES.get(found, "this cannot be answered")))
        response.headers.update(HEADERS)
        response.force_close()
        return response

    @property
    def waits_for_its_client(self) -> bool:
        """Whether a request, the rest of its body, or that its answer is read is what goes on next here."""
        request = self._current_request
        return request is None or self.writing_paused or not request.content.is_eof()

    def give_way(self) -> None:
        """Close at once: what was not read by now is not waited for."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()


class _Refused(asyncio.Protocol):
    """A connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()


class Server(web.Server):
    """Makes a `Connection` for each client, up to `MOST_CONNECTIONS`."""

    def __call__(self) -> RequestHandler:
        """A handler for one more client; who keeps us waiting longest makes room for it."""
        held = [one for one in self.connections if isinstance(one, Connection) and one.connected]
        if len(held) >= MOST_CONNECTIONS:
            waiting = [one for one in held if one.waits_for_its_client]
            if not waiting:
                return cast("RequestHandler", _Refused())
            min(waiting, key=lambda one: one.since).give_way()
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application with these connections; a body is never unpacked, not even to be thrown away."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        loop, options = made._loop, made._kwargs  # noqa: SLF001 - aiohttp takes no class of ours in any other way
        return Server(made.request_handler, request_factory=made.request_factory, loop=loop, **options)
