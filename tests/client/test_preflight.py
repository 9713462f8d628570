"""The preflight against the simulator: well when all is there, else what is missing in plain words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.business_file import load_business
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.preflight import preflight
from app.simulator.faults import FaultKind, FaultRequest
from tests.client.conftest import GUID

if TYPE_CHECKING:
    from app.simulator.server import RunningSimulator


def config(simulator: RunningSimulator) -> UpstreamConfig:
    return UpstreamConfig(
        api_url=simulator.url,
        auth_url=simulator.url,
        client_id="cid.test",
        client_secret="cs1.test",
        app_key="ak1.test",
        tenant_id="1000001",
        application_guid=GUID,
        business=load_business(),
    )


async def missing(simulator: RunningSimulator) -> dict[str, str]:
    return {one.what: one.detail async for one in preflight(config(simulator)) if not one.well}


async def test_all_is_well_with_the_shipped_file_and_nothing_is_written(simulator: RunningSimulator) -> None:
    found = [one async for one in preflight(config(simulator))]
    assert [one for one in found if not one.well] == []
    assert {"token", "app key and tenant", "clock", "names", "job types and business units", "slots"} <= {
        one.what for one in found
    }
    assert not simulator.state.world.jobs.rows


async def test_names_slots_and_units_that_do_not_fit_are_told(simulator: RunningSimulator) -> None:
    lists = simulator.state.world.catalogue
    lists.campaigns.rows[301].name = "Web"
    lists.arrival_windows.rows[702].duration = timedelta(hours=4)
    lists.job_types.rows[206].business_unit_ids = (101,)

    found = await missing(simulator)

    assert found.keys() == {"names", "slots", "job types and business units"}
    assert found["names"].startswith("BUSINESS_FILE campaign: 'Website' is not among")
    assert found["slots"] == "no arrival window of the tenant is 10:00 AM - 12:00 PM"
    assert found["job types and business units"].startswith("'Noisy Door' is not of 'Scottsdale_North'")


@pytest.mark.parametrize(
    ("path", "kind", "what", "detail"),
    [
        ("/connect/token", FaultKind.ERROR_BEFORE, "token", "no token"),
        ("/settings/v2/tenant/*/business-units", FaultKind.UNAUTHORIZED, "app key and tenant", "401"),
        (
            "/dispatch/v2/tenant/*/arrival-windows",
            FaultKind.FORBIDDEN,
            "scope tn.dis.arrivalwindows:r",
            "403",
        ),
    ],
)
async def test_what_is_refused_is_told_in_servicetitans_words(
    simulator: RunningSimulator, path: str, kind: FaultKind, what: str, detail: str
) -> None:
    simulator.state.faults.add(FaultRequest(path=path, kind=kind), 0.0)
    found = await missing(simulator)
    assert detail in found[what]
