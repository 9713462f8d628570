"""Puts the views into a Faust app: the only place that knows both."""

from typing import cast

import faust
from aiohttp import web
from faust.web import Blueprint

from app.web import bookings, health, jobs, metrics, openapi, webhook
from app.web.connections import Runner
from app.web.operations import PREFIX
from app.web.ops import install as ops
from app.web.services import SERVICES, Services

API: tuple[Blueprint, ...] = (health.api, jobs.api, bookings.api, webhook.api)
OUTSIDE: tuple[Blueprint, ...] = (health.probes, metrics.api, openapi.api)
"""What is not under the API's prefix."""


def install(app: faust.App, services: Services) -> None:
    """Give the app its views. It must have been built with `web_options`, or nothing guards them."""
    server = web_application(app)
    server[SERVICES] = services
    for blueprint in API:
        blueprint.register(app, url_prefix=PREFIX)
    for blueprint in OUTSIDE:
        blueprint.register(app)
    ops.install(app, server, services)
    # Faust makes its runner without limits; a client may not hold a connection for an hour without a request.
    app.web._runner = Runner(server)  # type: ignore[attr-defined]  # noqa: SLF001 - of the aiohttp driver; pinned with Faust


def web_application(app: faust.App) -> web.Application:
    """The aiohttp application under Faust's web server."""
    return cast("web.Application", app.web.web_app)  # type: ignore[attr-defined]  # of the aiohttp driver
