"""Another business goes live, with a file and settings alone, on an account that enforces all it can."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from app.simulator.life import Act, play
from app.simulator.tenants import STRICT
from app.simulator.webhooks import WebhookSettings
from app.web.operations import PREFIX
from tests.flow.test_check_command import check, missing
from tests.support.flow import Flow, booking, flow_on, simulated
from tests.support.simulated import CREDENTIALS
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.simulator.state.records import JobRow

SECRET = "a secret of this business"
REHEARSED = Path(__file__).parents[2] / "deploy" / "rehearsal" / "business.toml"
AT_A_SHOP = """
[problems.shop_door]
description = "A shop's door"
priority = "high"
minutes = 120
job_type = "Commercial Service Call"    # it needs a purchase order, which no booking has
business_unit = "Commercial Service"
"""
CHICAGO, DENVER = ZoneInfo("America/Chicago"), ZoneInfo("America/Denver")


class Lands(NamedTuple):
    """Where a booking belongs, by its problem and ZIP."""

    problem: str
    zip: str
    unit: str
    kind: str
    zone: ZoneInfo = CHICAGO
    tags: tuple[str, ...] = ("Booked Online",)


BOOKED = {
    "b-dallas": Lands(
        "broken_spring",
        "75201",
        "DFW - Residential Service",
        "Spring Replacement",
        tags=("Booked Online", "Spring Job"),
    ),
    "b-austin": Lands("opener", "78704", "Austin - Residential Service", "Opener Repair"),
    "b-antonio": Lands("new_door", "78210", "New Doors", "In-Home Estimate"),
    "b-houston": Lands("other", "77019", "Houston - Residential Service", "Residential Service Call"),
    "b-paso": Lands(
        "off_track", "79912-1234", "El Paso - Residential Service", "Off-Track or Stuck Door", zone=DENVER
    ),
}
APARTMENT = {"firstName": "Pat", "phone": "(214) 555-0150", "address": "2200 Pecan Creek Drive #117"}
FEUD = {"firstName": "Walt", "lastName": "Grimes", "phone": "(817) 555-0166", "address": "9 Feud Ln"}


def data(at: int, **changes: object) -> dict[str, object]:
    """A booking of the morning window, by somebody of its own."""
    own = {"phone": f"(972) 555-01{at:02}", "address": f"{at} Elm St", "zip": "75204", "state": "TX"}
    return booking(**{"problemType": "tune_up", "timeSlot": "8:00 AM - 12:00 PM", **own, **changes})


@asynccontextmanager
async def about_to_go_live(kafka: str, prefix: str, folder: Path) -> AsyncIterator[Flow]:
    """The strict tenant with its odd answers, topics, and the settings of a trial; no worker yet."""
    file = folder / "business.toml"
    file.write_text(REHEARSED.read_text(encoding="utf-8") + AT_A_SHOP, encoding="utf-8")
    async with simulated(STRICT) as simulator:
        for fault in STRICT.faults:
            simulator.state.faults.add(fault, simulator.state.monotonic())
        trial = CREDENTIALS | {
            "SERVICETITAN_TENANT_ID": str(STRICT.id),
            "SERVICETITAN_AUTH_URL": simulator.url,
            "BUSINESS_FILE": str(file),
            "WEBHOOK_SECRETS": SECRET,
            "SERVICETITAN_SWEEP_SECONDS": "1",
        }
        async with flow_on(kafka, prefix, folder, simulator, **trial) as flow:
            yield flow


async def test_each_booking_ends_as_one_job_with_that_business_s_names(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with about_to_go_live(kafka, unique_prefix, tmp_path) as flow:
        told, _ = await asyncio.gather(
            missing(flow, BUSINESS_FILE=str(wrong_file(tmp_path))), check(flow, status=0)
        )
        assert told.keys() == {"names", "job types and business units"}
        assert "'Home Show' stands 2 times" in told["names"]
        assert "'In-Home Estimate' is not of 'DFW" in told["job types and business units"]

        async with worker_here(flow.settings):
            tell_by_webhooks(flow)
            await book_all(flow)
            await strangers_are_nobody_s(flow)
            await the_office_moves(flow, "b-paso")
            await webhooks_stop_and_the_sweep_finds_it(flow)

    assert all(len(flow.jobs(name)) == 1 for name in (*BOOKED, "b-apt"))


async def book_all(flow: Flow) -> None:
    """Each booking is one job under the right names; what this account does not want is held and says why."""
    for at, (name, lands) in enumerate(BOOKED.items()):
        await flow.send("created", name, data(at, zip=lands.zip, problemType=lands.problem))
    await flow.send("created", "b-apt", data(20, **APARTMENT))
    await flow.send("created", "b-feud", data(21, **FEUD, zip="76102"))
    await flow.send("created", "b-shop", data(22, problemType="shop_door"))

    for name, lands in BOOKED.items():
        shown = (await flow.view(name, state="active"))["job"]
        (job,) = flow.jobs(name)
        assert (shown["jobNumber"], shown["businessUnit"]) == (str(job.id), lands.unit)
        assert under(flow, job) == (lands.unit, lands.kind, "Web Booking", lands.tags)
        assert datetime.fromisoformat(shown["appointmentStart"]).astimezone(lands.zone).hour == 8
    known = (await flow.view("b-apt", state="active"))["job"]["customer"]["id"]
    assert flow.simulator.state.world.customers.rows[known].name == "Pecan Creek Apt 117"

    refused = (await flow.view("b-shop", state="held"))["problem"]
    assert refused["reason"] == "refused"
    assert "'Purchase order' is required" in refused["detail"]
    feud = (await flow.view("b-feud", state="held"))["problem"]
    assert feud["reason"] == "do-not-service"
    assert not flow.jobs("b-feud")


async def strangers_are_nobody_s(flow: Flow) -> None:
    """Webhooks about jobs that are not ours are answered, and cost nothing."""
    state = flow.simulator.state
    stranger = state.world.jobs.in_order[0]
    announced = len(flow.of(flow.topics.jobs.name))
    for act in (Act.RESCHEDULE, Act.DISPATCH, Act.COMPLETE):
        assert play(state.world, stranger, act) is None
    state.sender.publish()
    await flow.until(lambda: told_of(flow, stranger).count(200) >= len(told_of(flow, stranger)) > 5)
    assert flow.calls("GET", "/jpm/v2/tenant/{tenant}/appointments/{id}") == 0
    assert len(flow.of(flow.topics.jobs.name)) == announced


async def the_office_moves(flow: Flow, name: str) -> None:
    """Where the visit stands comes back, with a webhook or without."""
    state = flow.simulator.state
    (job,) = flow.jobs(name)
    assert play(state.world, job, Act.RESCHEDULE) is None
    state.sender.publish()
    start = state.world.appointments_of(job)[0].start

    def is_told() -> bool:
        return datetime.fromisoformat(flow.latest(name)["job"]["appointmentStart"]) == start

    await flow.until(is_told)


async def webhooks_stop_and_the_sweep_finds_it(flow: Flow) -> None:
    """Moved, staffed and completed by the office, and cancelled by the customer."""
    state = flow.simulator.state
    state.sender.settings = WebhookSettings()
    await the_office_moves(flow, "b-austin")
    (worked,) = flow.jobs("b-dallas")
    assert play(state.world, worked, Act.COMPLETE) is None
    await flow.send("cancelled", "b-houston", {"reason": "Sold the house"})

    await flow.view("b-dallas", state="ended", status="completed")
    await flow.until(lambda: flow.latest("b-dallas")["job"]["technicians"])
    (technician,) = flow.latest("b-dallas")["job"]["technicians"]
    assert technician["name"] in {"Dolores Vega", "Earl Hutchins"}
    await flow.view("b-houston", state="ended", status="cancelled")
    (cancelled,) = flow.jobs("b-houston")
    reasons = state.world.catalogue.cancel_reasons.rows
    assert [reasons[one.reason_id].name for one in cancelled.cancellations] == ["Customer Canceled - Online"]


def wrong_file(folder: Path) -> Path:
    """A business file with a name that the tenant has twice, and a job type for units that have it not."""
    file = folder / "wrong.toml"
    text = REHEARSED.read_text(encoding="utf-8").replace('"Web Booking"', '"Home Show"')
    file.write_text(text.replace('business_unit = "New Doors"', ""), encoding="utf-8")
    return file


def tell_by_webhooks(flow: Flow) -> None:
    """The simulator's webhooks go to the worker, signed, some of them twice."""
    url = f"http://127.0.0.1:{flow.settings.web_port}{PREFIX}/webhook"
    flow.simulator.state.sender.settings = WebhookSettings(url=url, secret=SECRET, twice=0.3)


def told_of(flow: Flow, job: JobRow) -> list[int]:
    """What was answered to the webhooks about a job; 0 for one that is under way."""
    rows = [row for row in flow.simulator.state.sender.deliveries if row.job == job.id]
    return [row.answers[-1] if row.answers else 0 for row in rows]


def under(flow: Flow, job: JobRow) -> tuple[str, str, str, tuple[str, ...]]:
    """Business unit, job type, campaign and tags of a job, by name."""
    lists = flow.simulator.state.world.catalogue
    return (
        lists.business_units.rows[job.business_unit_id].name,
        lists.job_types.rows[job.job_type_id].name,
        lists.campaigns.rows[job.campaign_id].name,
        tuple(lists.tag_types.rows[tag].name for tag in job.tag_type_ids),
    )
