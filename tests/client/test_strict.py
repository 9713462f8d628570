"""The preflight of a business that is not A1: what its file must say is told, and then all is well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.business_file import load_business
from app.servicetitan.preflight import preflight
from app.simulator.server import RunningSimulator, start
from app.simulator.simulation import SimulatorConfig
from app.simulator.tenants import STRICT
from tests.client.conftest import config_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.booking.business import Business

REHEARSED = Path(__file__).parents[2] / "deploy" / "rehearsal" / "business.toml"


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    """The strict tenant, odd answers and all, but without failures."""
    config = SimulatorConfig(tenant=STRICT, port=0, seed=1, delays="none", failure_rate=1e-9)
    running = await start(config)
    yield running
    await running.stop()


async def not_well(simulator: RunningSimulator, business: Business) -> list[tuple[str, str]]:
    config = config_of(simulator, business=business, guess_names=False)
    return [(one.what, one.detail) async for one in preflight(config) if not one.well]


async def test_every_name_of_the_wrong_file_is_told_with_those_that_there_are(
    simulator: RunningSimulator,
) -> None:
    business = load_business()
    told = await not_well(simulator, business)

    names = [detail for what, detail in told if what == "names"]
    missing = {detail.partition("'")[2].partition("' ")[0] for detail in names}
    assert missing == {used.name for used in business.names()}
    assert any("DFW - Residential Service" in detail for detail in names)
    assert {what for what, _ in told} == {"names", "slots"}


async def test_nothing_is_missing_with_the_business_s_own_file(simulator: RunningSimulator) -> None:
    assert await not_well(simulator, load_business(REHEARSED)) == []
    assert simulator.state.journal.by_fault["odd"] > 0


async def test_a_job_type_of_other_units_and_a_name_that_is_there_twice_are_told(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    text = REHEARSED.read_text(encoding="utf-8")
    wrong = tmp_path / "business.toml"
    wrong.write_text(
        text.replace('"Web Booking"', '"Home Show"').replace('business_unit = "New Doors"', ""),
        encoding="utf-8",
    )

    told = dict(await not_well(simulator, load_business(wrong)))

    assert told.keys() == {"names", "job types and business units"}
    assert "'Home Show' stands 2 times" in told["names"]
    kinds = "job types and business units"
    assert told[kinds].startswith("'In-Home Estimate' is not of 'DFW - Residential Service'; ")
