"""What the web views are handed of a worker."""

import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Literal

from app.booking.events import Headers
from app.servicetitan.token import NoToken, Token
from app.servicetitan.upstream import Upstream
from app.settings import Settings
from app.stream.faust_app import StreamApp
from app.stream.topology import Topics
from app.web.ops.figures import PaceFacts
from app.web.services import Services, TopicNames, UpstreamFacts
from app.worker.looking import StreamLook
from app.worker.runtime import Runtime


def services(app: StreamApp, settings: Settings, topics: Topics, worker: Runtime) -> Services:
    """Everything a view may use."""

    async def publish(topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> object:
        return await app.publish(topic, key, value, headers)

    async def auth_test() -> Token | NoToken:
        if worker.upstream is None:
            return NoToken(detail="the worker is starting", denied=False)
        return await worker.upstream.auth_test()

    return Services(
        settings=settings,
        topics=TopicNames(
            booking_events=topics.booking_events.name,
            signals=topics.signals.name,
            webhooks=topics.webhooks.name,
        ),
        view=worker.view,
        publish=publish,
        stream=StreamLook(app),
        upstream=lambda: upstream_facts(worker),
        auth_test=auth_test,
        metrics=worker.metrics.render,
        answered=worker.metrics.answered,
        clock=lambda: datetime.now(UTC),
        started=datetime.now(UTC),
        version=version("servicetitan-stream"),
        pace=lambda: pace_facts(worker.upstream),
        figures=worker.figures,
    )


def pace_facts(upstream: Upstream | None) -> PaceFacts | None:
    """How fast this worker calls ServiceTitan; None before it may."""
    if upstream is None:
        return None
    pace, breaker = upstream.pace.snapshot(), upstream.gate.snapshot()
    token_age, token_left = upstream.token_age or (None, None)
    return PaceFacts(
        rate=pace.rate,
        used=pace.used,
        in_flight=pace.in_flight,
        waiting=sum(pace.waiting.values()),
        stopped_for=pace.stopped_for,
        open_for=None if breaker.state == "closed" else breaker.open_for,
        token_age=token_age,
        token_left=token_left,
    )


def upstream_facts(worker: Runtime) -> UpstreamFacts:
    """How ServiceTitan is: by the last question of health where it is asked, else by the last real call."""
    upstream, health = worker.upstream, worker.health
    if upstream is None:
        return UpstreamFacts(status="unknown")
    breaker = upstream.gate.snapshot()
    call = upstream.last_call
    status: Literal["up", "down", "unknown"] = "unknown"
    detail, at = "", None
    if call is not None:
        status = "down" if call.kind in {"Failed", "Unsure"} else "up"
        detail, at = call.detail, call.at
    if health is not None and worker.health_at is not None and (at is None or worker.health_at > at):
        status, detail, at = ("up" if health.well else "down"), health.detail, worker.health_at
    if breaker.trouble is not None:
        status, detail = "down", breaker.why
    opened = breaker.open_since
    return UpstreamFacts(
        status=status,
        detail=detail,
        breaker=breaker.state,
        checked_at=at,
        trouble=breaker.trouble,
        since=None if opened is None else datetime.now(UTC) - timedelta(seconds=time.monotonic() - opened),
        names=upstream.name_complaints,
    )
