"""Puts the page into a worker's web server, and what goes on beside it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import faust
from aiohttp import web

from app.web.ops import account, api, api_turned_away, booking, groups, live, logs, overview, plans, search
from app.web.ops.figures import CALL_SECONDS
from app.web.ops.redrive import Redrives
from app.web.ops.session import SignIns
from app.web.ops.visit import SIGN_INS
from app.web.services import Services

BLUEPRINTS = tuple(
    page.api for page in (account, overview, search, booking, logs, groups, plans, live, api, api_turned_away)
)


def install(app: faust.App, server: web.Application, services: Services) -> None:
    """Give the app the page's views; what they need besides lives as long as the server."""
    for blueprint in BLUEPRINTS:
        blueprint.register(app)

    server[SIGN_INS] = SignIns()
    server[plans.REDRIVES] = Redrives(services)
    streams = server[live.STREAMS] = live.Streams()
    server.on_shutdown.append(streams.close)

    async def beside(_: web.Application) -> AsyncIterator[None]:
        watching = asyncio.create_task(_watch_lag(services))
        yield
        watching.cancel()
        await server[plans.REDRIVES].close()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    server.cleanup_ctx.append(beside)


async def _watch_lag(services: Services) -> None:
    while True:
        services.figures.lag_seen(services.stream().lag, services.clock())
        await asyncio.sleep(CALL_SECONDS / 2)
