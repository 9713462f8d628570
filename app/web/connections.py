"""Connections before and below requests: how long they may stand, how many, and errors in the envelope.

aiohttp answers what it cannot parse by itself, in plain text, before any middleware sees it.
"""

import asyncio
from collections.abc import Mapping

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
"""Beyond it the connection that stands idle longest gives way: descriptors are needed for Kafka too."""

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

    __slots__ = ()

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
    def is_idle(self) -> bool:
        """Whether no request is worked on it."""
        return not self._request_in_progress


class Server(web.Server):
    """Makes a `Connection` for each client, up to `MOST_CONNECTIONS`."""

    def __call__(self) -> RequestHandler:
        """A handler for one more client; who stands idle longest makes room for it."""
        if len(self.connections) >= MOST_CONNECTIONS:
            idle = next(
                (one for one in self.connections if isinstance(one, Connection) and one.is_idle), None
            )
            if idle is not None:
                idle.force_close()
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Note it; refuse it when there is no room."""
        super().connection_made(handler, transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()


class Runner(web.AppRunner):
    """Runs an application with these connections."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, access_log=None, keepalive_timeout=IDLE_SECONDS, lingering_time=LINGER_SECONDS)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        loop, options = made._loop, made._kwargs  # noqa: SLF001 - aiohttp takes no class of ours in any other way
        return Server(made.request_handler, request_factory=made.request_factory, loop=loop, **options)
