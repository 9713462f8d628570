"""The preflight against the simulator: well when all is there, else what is missing in plain words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from app.business_file import load_business
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.preflight import CLOCKS_APART, preflight
from app.simulator import limits
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.state.catalogue import SET_UP_ON
from app.simulator.state.records import JobTypeRow
from app.simulator.wire.jpm import Priority
from tests.support.simulated import GUID

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


async def test_a_slot_is_to_be_an_arrival_window_of_every_unit_that_is_booked(
    simulator: RunningSimulator,
) -> None:
    windows = simulator.state.world.catalogue.arrival_windows.rows
    windows[702].business_unit_ids = (101, 102, 104)
    windows[703].business_unit_ids = (101, 102, 103, 104)

    found = await missing(simulator)

    assert found == {"slots": "the arrival window 10:00 AM - 12:00 PM is not of Scottsdale_North"}


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


async def test_each_scope_is_read_with_or_found_in_the_token(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCOPES", tuple(one for one in limits.SCOPES if one != "tn.jpm.jobs:w"))
    simulator.state.faults.add(FaultRequest(path="*/job-cancel-reasons", kind=FaultKind.FORBIDDEN), 0.0)

    found = await missing(simulator)

    assert found.keys() == {"scope tn.jpm.jobs:w", "scope tn.jpm.jobcancelreasons:r", "names"}
    assert found["scope tn.jpm.jobs:w"] == "not in the token: add it to the app, have it approved"


async def test_a_token_that_does_not_say_its_scopes_leaves_them_to_the_first_write(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCOPES", ())
    found = {one.what: one async for one in preflight(config(simulator))}
    told = found["scope tn.jpm.jobs:w"]
    assert (told.well, told.detail) == (True, "cannot be told: the token does not say its scopes")


@pytest.mark.parametrize(("side", "side_told"), [(-1, "ahead of"), (1, "behind")])
@pytest.mark.parametrize("well", [True, False])
async def test_a_clock_that_differs_is_told(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, *, side: int, side_told: str, well: bool
) -> None:
    apart = CLOCKS_APART / 2 if well else CLOCKS_APART * 2
    monkeypatch.setattr(simulator.state.world, "now", lambda: datetime.now(UTC) + side * apart)

    (clock,) = [one async for one in preflight(config(simulator)) if one.what == "clock"]

    assert clock.well is well
    assert f" s {side_told} ServiceTitan's" in clock.detail
    assert clock.detail.endswith(": set this machine's clock") is not well


async def test_lists_are_read_to_their_end(simulator: RunningSimulator) -> None:
    types = simulator.state.world.catalogue.job_types
    for row_id in range(90_001, 90_602):
        types.add(
            JobTypeRow(
                id=row_id,
                name=f"Type {row_id}",
                minutes=60,
                priority=Priority.NORMAL,
                created_on=SET_UP_ON,
                modified_on=SET_UP_ON,
            ),
            SET_UP_ON,
        )
    last = types.rows[90_601]
    types.rows[206].name, last.name, last.business_unit_ids = "Another", "Noisy Door", (101,)

    found = await missing(simulator)

    assert found.keys() == {"job types and business units"}


async def test_a_list_that_cannot_be_read_hides_no_name_of_another(simulator: RunningSimulator) -> None:
    simulator.state.world.catalogue.campaigns.rows[301].name = "Web"
    simulator.state.faults.add(FaultRequest(path="*/job-types", kind=FaultKind.FORBIDDEN), 0.0)
    told = [one.detail async for one in preflight(config(simulator)) if one.what == "names"]
    assert [line.partition(": ")[0] for line in told] == ["BUSINESS_FILE campaign", "Access denied; id"]
