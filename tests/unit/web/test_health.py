"""Health, readiness and the question whether ServiceTitan lets us in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.servicetitan.token import NoToken
from app.web.services import StreamFacts, UpstreamFacts
from tests.support.rows import NOW, held, with_job
from tests.support.web import TOKEN, Served, serving

if TYPE_CHECKING:
    from pathlib import Path

LIVE = {
    "SERVICETITAN_API_URL": "https://api.servicetitan.io",
    "SERVICETITAN_CLIENT_ID": "c",
    "SERVICETITAN_API_KEY": "s",
    "SERVICETITAN_APP_KEY": "a",
    "SERVICETITAN_TENANT_ID": "5",
    "SERVICETITAN_APPLICATION_GUID": "5e41a5e7-0000-4000-8000-000000000001",
}


async def test_health_tells_how_everything_is(served: Served) -> None:
    served.view.put(with_job("b-1", 1001), with_job("b-2", 1002), held("b-3"))
    served.now += timedelta(seconds=5)
    found, body, _ = await served.ask("GET", "/health")
    assert (found, body["data"]["status"]) == (200, "healthy")
    assert body["data"]["jobsCreated"] == 2
    assert body["data"]["lastJobCreated"] == "2026-03-02T09:00:00.000Z"
    assert (body["data"]["uptime"], body["data"]["version"], body["data"]["mode"]) == (
        5000,
        "1.2.3",
        "simulation",
    )
    assert body["data"]["workers"] == 2


async def test_health_says_how_far_behind_the_worker_is_and_how_long_that_takes_at_this_pace(
    served: Served,
) -> None:
    async def behind() -> tuple[object, ...]:
        _, body, _ = await served.ask("GET", "/health")
        kafka = body["data"]["kafka"]
        return kafka["lag"], kafka["finishedPerSecond"], kafka["secondsToCatchUp"]

    assert await behind() == (0, 0.0, 0)
    served.stream = replace(served.stream, lag=1_000_000, per_second=59.96)
    assert await behind() == (1_000_000, 60.0, 16_678)
    # Without any pace there is no telling.
    served.stream = replace(served.stream, per_second=0.0)
    assert await behind() == (1_000_000, 0.0, None)


async def test_health_is_degraded_while_something_it_stands_on_is_not_well(served: Served) -> None:
    async def status() -> str:
        found, body, _ = await served.ask("GET", "/health")
        assert found == 200
        return str(body["data"]["status"])

    served.upstream = UpstreamFacts(status="down", detail="503")
    assert await status() == "degraded"
    served.upstream = UpstreamFacts(status="up", breaker="open")
    assert await status() == "degraded"
    served.upstream = UpstreamFacts(status="unknown")
    assert await status() == "healthy"
    served.stream = StreamFacts(ready=False, recovering=True)
    assert await status() == "degraded"
    served.stream = StreamFacts(ready=True, members=1)
    served.now += timedelta(seconds=11)
    assert await status() == "degraded"


async def test_health_is_unhealthy_when_nothing_is_worked(served: Served) -> None:
    served.stream = replace(served.stream, gave_up="the log went back")
    found, body, headers = await served.ask("GET", "/health")
    assert (found, body["data"]["status"], headers["Retry-After"]) == (503, "unhealthy", "5")
    assert (await served.ask("GET", "/live", api=False))[0] == 503
    served.stream = StreamFacts(ready=True, members=1)
    assert (await served.ask("GET", "/live", api=False))[0] == 200
    served.view.set_progress(trouble="no brokers")
    found, body, _ = await served.ask("GET", "/health")
    assert (found, body["data"]["kafka"]["status"]) == (503, "down")


async def test_kafka_is_away_when_nobody_hears_of_it(served: Served) -> None:
    async def told() -> tuple[int, str]:
        found, body, _ = await served.ask("GET", "/health")
        return found, body["data"]["kafka"]["status"]

    silent = replace(served.stream, group_answers=False)
    served.stream = silent
    served.view.set_progress(caught_up=False, as_of=None, heard=None)
    assert await told() == (200, "behind"), "at a start nobody has heard of it yet"
    served.view.set_progress(caught_up=True, as_of=NOW, heard=NOW)
    assert await told() == (200, "up"), "in a rebalance the group does not answer"
    served.now += timedelta(seconds=11)
    assert await told() == (503, "down")
    served.stream = replace(silent, group_answers=True)
    assert await told() == (200, "behind"), "the view may have much to read"
    served.stream = silent
    served.view.set_progress(heard=served.now)
    assert await told() == (200, "behind")


async def test_ready_means_that_answers_would_be_good(served: Served) -> None:
    async def ready() -> int:
        return (await served.ask("GET", "/ready", api=False))[0]

    assert await ready() == 200
    served.stream = replace(served.stream, members=0)
    assert await ready() == 503
    served.stream = replace(served.stream, members=1)
    served.view.set_progress(caught_up=False)
    assert await ready() == 503
    served.view.set_progress(caught_up=True)
    served.now = NOW + timedelta(seconds=30)
    assert await ready() == 503
    served.view.set_progress(as_of=served.now)
    assert await ready() == 200


async def test_a_token_of_the_simulation_is_shown(served: Served) -> None:
    found, body, _ = await served.ask("GET", "/auth/test")
    assert (found, body["data"]) == (
        200,
        {"success": True, "token": TOKEN, "expiresIn": 900, "authenticated": True},
    )


async def test_of_a_live_token_only_the_beginning_is_shown(tmp_path: Path) -> None:
    async with serving(tmp_path, **LIVE) as served:
        found, body, _ = await served.ask("GET", "/auth/test")
        assert (found, body["data"]["token"]) == (200, f"{TOKEN[:8]}...")
        assert (await served.ask("GET", "/health"))[1]["data"]["mode"] == "live"


async def test_no_token_is_a_bad_gateway(served: Served) -> None:
    served.token = NoToken(detail="no token: invalid_client", denied=True)
    found, body, _ = await served.ask("GET", "/auth/test")
    assert (found, body["error"], body["message"]) == (
        502,
        "Authentication Failed",
        "no token: invalid_client",
    )
