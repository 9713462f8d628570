"""Puts the page into a worker's web server, and what goes on beside it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import faust
from aiohttp import web

from app.view import glance, queries
from app.view.view import ViewAway
from app.web.ops import (
    account,
    api,
    api_booking,
    api_turned_away,
    booking,
    groups,
    live,
    logs,
    overview,
    plans,
    search,
)
from app.web.ops.figures import CALL_SECONDS
from app.web.ops.redrive import Redrives
from app.web.ops.session import SignIns
from app.web.ops.standing import standing
from app.web.ops.visit import SIGN_INS
from app.web.ops.words import Times
from app.web.services import Services

SESSION_SECONDS = 2.0
"""How long a session that was signed out at another worker may still be good here."""

PAGES = (
    account,
    overview,
    search,
    booking,
    logs,
    groups,
    plans,
    live,
    api,
    api_booking,
    api_turned_away,
)
BLUEPRINTS = tuple(page.api for page in PAGES)


def install(app: faust.App, server: web.Application, services: Services) -> None:
    """Give the app the page's views; what they need besides lives as long as the server."""
    for blueprint in BLUEPRINTS:
        blueprint.register(app)

    sign_ins = server[SIGN_INS] = SignIns()
    server[plans.REDRIVES] = Redrives(services)
    streams = server[live.STREAMS] = live.Streams()
    server.on_shutdown.append(streams.close)

    async def beside(_: web.Application) -> AsyncIterator[None]:
        watching = [
            asyncio.create_task(_watch(services)),
            asyncio.create_task(_watch_sessions(services, sign_ins)),
        ]
        yield
        for task in watching:
            task.cancel()
        await server[plans.REDRIVES].close()
        await asyncio.gather(*watching, return_exceptions=True)

    server.cleanup_ctx.append(beside)


async def _watch_sessions(services: Services, sign_ins: SignIns) -> None:
    """Learn which sessions were signed out, at whichever worker."""
    while True:
        with contextlib.suppress(ViewAway):
            sign_ins.over |= await services.view.ask(queries.sessions_over, now=services.clock())
        await asyncio.sleep(SESSION_SECONDS)


async def _watch(services: Services) -> None:
    """Look whether or not anybody else does: else nobody knows since when something is not well."""
    while True:
        now = services.clock()
        services.figures.lag_seen(services.stream().lag, now)
        with contextlib.suppress(ViewAway):
            services.figures.late = await services.view.ask(glance.late, now)
        standing(services, Times(now, services.settings.business.time_zone))
        await asyncio.sleep(CALL_SECONDS / 2)
