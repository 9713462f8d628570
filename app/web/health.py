"""Health, readiness, and whether ServiceTitan lets us in."""

from datetime import datetime
from math import ceil
from typing import Any, Literal

from aiohttp import web
from faust.web import Blueprint

from app.booking.report import instant
from app.servicetitan.token import NoToken
from app.setting_types import Mode
from app.view.rows import Counts
from app.view.view import ViewAway
from app.web.envelope import Problem, Reply, success
from app.web.pages import ApiView
from app.web.services import Services, StreamFacts, UpstreamFacts, services

api = Blueprint("health")
probes = Blueprint("probes")

_SHOWN_OF_A_TOKEN = 8


@api.route("/health", name="health")
class HealthView(ApiView):
    """GET /health."""

    async def get(self, request: web.Request) -> web.Response:
        """How the service is; 503 when nothing can be worked."""
        health = await _health(services(request))
        if health["status"] == "unhealthy":
            raise Problem(503, "bookings are not worked", data=health, headers={"Retry-After": "5"})
        return success(Reply(200, health))


async def _health(serving: Services) -> dict[str, Any]:
    stream, upstream, progress = serving.stream(), serving.upstream(), serving.view.progress
    counts = await _counts(serving)
    kafka = serving.kafka
    return {
        "status": _status(stream, upstream, kafka),
        "version": serving.version,
        "mode": serving.settings.mode.value,
        "uptime": round((serving.clock() - serving.started).total_seconds() * 1000),
        "jobsCreated": 0 if counts is None else counts.jobs,
        "lastJobCreated": _shown(None if counts is None else counts.last_job_created),
        "upstream": {
            "status": upstream.status,
            "detail": upstream.detail,
            "breaker": upstream.breaker,
            "checkedAt": _shown(upstream.checked_at),
        },
        "kafka": {
            "status": kafka,
            "detail": progress.trouble or "",
            "lag": stream.lag,
            "finishedPerSecond": round(stream.per_second, 1),
            "secondsToCatchUp": _seconds_to_catch_up(stream),
            "viewAsOf": _shown(progress.as_of),
            "viewBehind": progress.records_behind,
        },
        "workers": stream.members,
    }


def _shown(when: datetime | None) -> str | None:
    return None if when is None else instant(when)


def _seconds_to_catch_up(stream: StreamFacts) -> int | None:
    """How long what waits takes at the pace of the last minute; None when nothing gets done."""
    if stream.lag == 0:
        return 0
    return None if stream.per_second == 0 else ceil(stream.lag / stream.per_second)


def _status(
    stream: StreamFacts, upstream: UpstreamFacts, kafka: str
) -> Literal["healthy", "degraded", "unhealthy"]:
    if stream.gave_up is not None or kafka == "down":
        return "unhealthy"
    well = stream.ready and kafka == "up" and upstream.breaker == "closed" and upstream.status != "down"
    return "healthy" if well else "degraded"


async def _counts(serving: Services) -> Counts | None:
    try:
        return await serving.view.counts()
    except ViewAway:
        return None


@api.route("/auth/test", name="auth_test")
class AuthTestView(ApiView):
    """GET /auth/test."""

    async def get(self, request: web.Request) -> web.Response:
        """Ask for a token and the cheapest read; 502 with ServiceTitan's own words when either is refused."""
        serving = services(request)
        token = await serving.auth_test()
        if isinstance(token, NoToken):
            raise Problem(502, token.detail, error="Authentication Failed")
        whole = serving.settings.mode is Mode.SIMULATION
        shown = token.text if whole else f"{token.text[:_SHOWN_OF_A_TOKEN]}..."
        data = {"success": True, "token": shown, "expiresIn": token.expires_in, "authenticated": True}
        return success(Reply(200, data))


@probes.route("/live", name="live")
class LiveView(ApiView):
    """GET /live."""

    async def get(self, request: web.Request) -> web.Response:
        """Whether the process should go on; the worker ends itself when it cannot keep its promise."""
        gave_up = services(request).stream().gave_up
        if gave_up is not None:
            raise Problem(503, "the worker gave up")
        return success(Reply(200, {"status": "ok"}))


@probes.route("/ready", name="ready")
class ReadyView(ApiView):
    """GET /ready."""

    async def get(self, request: web.Request) -> web.Response:
        """Whether requests should be sent here: the view is there and recent, and Kafka has been joined."""
        serving = services(request)
        stream = serving.stream()
        if stream.gave_up is not None or serving.view.far_behind or stream.members == 0:
            raise Problem(503, "not ready", headers={"Retry-After": "1"})
        return success(Reply(200, {"status": "ok"}))
