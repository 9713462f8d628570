"""A name of the business that disappears while a worker runs is told, and holds only what needs it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import aiohttp

from app.telemetry import metric_list as listed
from tests.support.flow import PATIENCE_SECONDS, booking, flow_on, simulated
from tests.support.simulated import CREDENTIALS
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.flow import Flow

MISSING = "BUSINESS_FILE areas[1].business_unit: &#39;Scottsdale_North&#39; is not among ServiceTitan"
METRIC = f"{listed.NAMES_MISSING.name} "


async def shows(flow: Flow, path: str, *, text: str, there: bool) -> None:
    """Returns once the worker answers with this text, or without it."""
    url = f"http://127.0.0.1:{flow.settings.web_port}{path}"
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as answer:
                if (text in await answer.text()) is there:
                    return
            await asyncio.sleep(0.05)


async def test_a_unit_that_is_renamed_in_the_middle_of_the_day(
    kafka: str, unique_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker.runtime.NAMES_SECONDS", 0.2)
    monkeypatch.setattr("app.servicetitan.catalogue.DOUBT_SECONDS", 0.0)
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(simulated())
        sandbox = CREDENTIALS | {
            "SERVICETITAN_AUTH_URL": simulator.url,
            "WEBHOOK_SECRETS": "hook-12345678901",
        }
        flow = await stack.enter_async_context(flow_on(kafka, unique_prefix, tmp_path, simulator, **sandbox))
        await stack.enter_async_context(worker_here(flow.settings))
        there = booking(zip="85251")
        await flow.send("created", "b-1", there)
        await flow.view("b-1", state="active")
        await shows(flow, "/metrics", text=f"{METRIC}0.0", there=True)

        unit = next(
            row for row in simulator.state.world.catalogue.business_units.in_order if "Scottsdale" in row.name
        )
        unit.name = "Scottsdale"
        await shows(flow, "/ops", text=MISSING, there=True)
        await shows(flow, "/metrics", text=f"{METRIC}1.0", there=True)

        await flow.send("created", "b-2", there)
        await flow.send("created", "b-3", booking(lastName="Else"))
        held = await flow.view("b-2", state="held")
        assert held["problem"]["reason"] == "refused"
        assert (
            "'Scottsdale_North' is not among ServiceTitan's active business units"
            in held["problem"]["detail"]
        )
        await flow.view("b-3", state="active")

        unit.name = "Scottsdale_North"
        await shows(flow, "/ops", text=MISSING, there=False)
        await flow.act("retry", "b-2")
        await flow.view("b-2", state="active")
        assert len(flow.jobs("b-2")) == 1
