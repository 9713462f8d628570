"""The strict tenant: another business, whose rules are enforced, and which is not alone with us."""

from collections.abc import Mapping

import aiohttp
import pytest

from app.simulator.life import Act, play
from app.simulator.oddities import KEYS, WORD
from app.simulator.server import RunningSimulator
from app.simulator.tenants import A1, STRICT, TENANTS
from app.simulator.webhook_bodies import told_of
from tests.simulator.conftest import Start
from tests.support.simulated import Caller, Json, customer_body, job_body

EL_PASO, DALLAS, COMMERCIAL, NEW_DOORS = 115, 111, 116, 117
SPRING, ESTIMATE, AT_A_SHOP = 212, 216, 217
# December: Dallas is six hours behind UTC, El Paso seven.
MORNING = {
    DALLAS: ("2026-12-01T14:00:00Z", "2026-12-01T18:00:00Z"),
    EL_PASO: ("2026-12-01T15:00:00Z", "2026-12-01T19:00:00Z"),
}


@pytest.fixture
async def simulator(start_simulator: Start) -> RunningSimulator:
    return await start_simulator(tenant=STRICT)


def body(customer: Json, unit: int = DALLAS, kind: int = SPRING, **changes: Json) -> dict[str, Json]:
    start, end = MORNING.get(unit, MORNING[DALLAS])
    visit = {
        "start": start,
        "end": "2026-12-01T20:00:00Z",
        "arrivalWindowStart": start,
        "arrivalWindowEnd": end,
    }
    ours = {"businessUnitId": unit, "jobTypeId": kind, "campaignId": 311, "appointments": [visit]}
    return job_body(customer, "BK-1") | ours | changes


async def refused(caller: Caller, request: Json) -> tuple[int, Mapping[str, Json]]:
    answer = await caller.call("POST", "jpm/jobs", request)
    return answer.status, answer.json.get("errors", {})


def test_nothing_but_the_form_is_as_the_other_tenant_has_it() -> None:
    assert len(STRICT.business_units) > len(A1.business_units)
    for one, other in (
        ({unit.name for unit in STRICT.business_units.values()}, A1.business_units.values()),
        ({kind.name for kind in STRICT.job_types.values()}, A1.job_types.values()),
    ):
        assert one.isdisjoint(row.name for row in other)
    for name in ("campaigns", "cancel_reasons", "hold_reasons", "tag_types"):
        assert {*getattr(STRICT, name).values()}.isdisjoint(getattr(A1, name).values())
    assert {*TENANTS} == {"a1", "strict"}


async def test_a_job_s_number_is_its_id(caller: Caller) -> None:
    job = (await caller.call("POST", "jpm/jobs", body(await caller.add_customer()))).json
    assert job["jobNumber"] == str(job["id"])
    (visit,) = (await caller.get("jpm/appointments", jobId=job["id"]))["data"]
    assert visit["appointmentNumber"] == f"{job['id']}-1"


async def test_a_job_type_is_of_its_business_units(caller: Caller) -> None:
    customer = await caller.add_customer()
    status, errors = await refused(caller, body(customer, kind=ESTIMATE))
    assert status == 400
    assert errors["jobTypeId"] == [
        "Job type 'In-Home Estimate' is not of the business unit 'DFW - Residential Service'."
    ]
    assert (await caller.call("POST", "jpm/jobs", body(customer, NEW_DOORS, ESTIMATE))).status == 200


async def test_custom_fields_that_are_required_are_asked_for_by_name(caller: Caller) -> None:
    customer = await caller.add_customer()
    wanted = body(customer, COMMERCIAL, AT_A_SHOP)
    assert await refused(caller, wanted) == (
        400,
        {"customFields": ["'Purchase order' is required for the job type 'Commercial Service Call'."]},
    )
    given = {"customFields": [{"typeId": 811, "value": "PO 7"}]}
    job = (await caller.call("POST", "jpm/jobs", wanted | given)).json
    assert job["customFields"][0]["value"] == "PO 7"
    taken = await caller.call("PATCH", f"jpm/jobs/{job['id']}", {"customFields": []})
    assert (taken.status, [*taken.json["errors"]]) == (400, ["customFields"])


@pytest.mark.parametrize(
    ("unit", "hours", "well"),
    [
        (DALLAS, (14, 18), True),
        (DALLAS, (22, 1), True),
        (EL_PASO, (15, 19), True),
        (EL_PASO, (14, 18), False),
        (NEW_DOORS, (15, 19), True),
        (EL_PASO, (23, 2), False),
        (DALLAS, (14, 16), False),
        (DALLAS, (14, None), False),
        (DALLAS, (None, None), True),
    ],
)
async def test_an_arrival_window_is_one_of_the_business_unit_s_in_the_time_of_the_place(
    caller: Caller, unit: int, hours: tuple[int | None, int | None], *, well: bool
) -> None:
    names = ("arrivalWindowStart", "arrivalWindowEnd")
    window = {
        name: f"2026-12-0{2 if hour < 12 else 1}T{hour:02}:00:00Z"
        for name, hour in zip(names, hours, strict=True)
        if hour is not None
    }
    visit = {"start": "2026-12-01T15:00:00Z", "end": "2026-12-01T16:00:00Z", **window}
    address = customer_body()["address"] | {"zip": "75201" if unit == DALLAS else "79902"}
    customer = await caller.add_customer(locations=[{"name": "Home", "address": address}])
    wanted = body(customer, unit, ESTIMATE if unit == NEW_DOORS else SPRING, appointments=[visit])
    status, errors = await refused(caller, wanted)
    assert (status, [*errors]) == ((200, []) if well else (400, ["appointments[0].arrivalWindowStart"]))


async def test_a_visit_is_moved_to_a_window_only(caller: Caller) -> None:
    job = (await caller.call("POST", "jpm/jobs", body(await caller.add_customer()))).json
    path = f"jpm/appointments/{job['firstAppointmentId']}/reschedule"
    start, end = MORNING[DALLAS]
    times = {"start": start, "end": end, "arrivalWindowStart": start, "arrivalWindowEnd": end}
    assert (await caller.call("PATCH", path, times)).status == 200
    shorter = times | {"arrivalWindowEnd": "2026-12-01T16:00:00Z"}
    assert (await caller.call("PATCH", path, shorter)).status == 400


async def test_without_a_campaign_it_is_422_and_other_faults_stay_400(caller: Caller) -> None:
    wanted = body(await caller.add_customer())
    del wanted["campaignId"]
    status, errors = await refused(caller, wanted)
    assert (status, [*errors]) == (422, ["campaignId"])
    status, errors = await refused(caller, wanted | {"campaignId": 311, "priority": "Whenever"})
    assert (status, [*errors]) == (400, ["priority"])


async def test_what_stands_in_front_says_it_in_its_own_form(caller: Caller) -> None:
    here = f"/jpm/v2/tenant/{STRICT.id}"
    no_key = {"Authorization": caller.headers["Authorization"]}
    answer = await caller.send("GET", f"{here}/jobs", headers=no_key)
    assert (answer.status, answer.json) == (
        401,
        {"statusCode": 401, "message": "Application key not present, check ST-App-Key header value."},
    )
    for path in (f"{here}/doors", "/jpm/v2/tenant/invalid_tenant/jobs"):
        answer = await caller.send("GET", path, headers=caller.headers)
        assert (answer.status, answer.json) == (
            404,
            {"statusCode": 404, "message": "Unable to match incoming request to an operation."},
        )


async def test_its_page_says_whose_it_is(caller: Caller) -> None:
    page = await caller.send("GET", "/simulator")
    assert "Lone Star Overhead Doors (simulation), tenant 2000002." in page.text


async def test_others_are_there_before_us(caller: Caller) -> None:
    jobs = (await caller.get("jpm/jobs"))["data"]
    assert len(jobs) == sum(stranger.jobs for stranger in STRICT.strangers)
    assert all(job["externalData"] is None for job in jobs)
    one_phone = await caller.get("crm/customers", phone="2145550150", includeTotal="true")
    assert one_phone["totalCount"] == 30
    (feud,) = (await caller.get("crm/customers", phone="8175550166"))["data"]
    assert feud["doNotService"] is True


async def test_their_jobs_are_played_and_told_like_ours(simulator: RunningSimulator) -> None:
    world = simulator.state.world
    for job in world.jobs.in_order:
        for act in (Act.RESCHEDULE, Act.DISPATCH, Act.WORK, Act.COMPLETE):
            assert play(world, job, act) is None
    told = {one.event_type for effect in world.effects for one in told_of(world, effect, "v2")}
    assert told >= {"tn.jpm.job-scheduled", "tn.jpm.job-rescheduled", "tn.jpm.job-completed"}


async def test_answers_have_what_no_document_has_unless_nothing_is_to_go_wrong(
    start_simulator: Start, session: aiohttp.ClientSession
) -> None:
    caller = Caller(await start_simulator(tenant=STRICT, failure_rate=1e-9), session)
    await caller.sign_in()
    theirs = (await caller.get("crm/customers", phone="2145550150"))["data"][0]
    (place,) = (await caller.get("crm/locations", customerId=theirs["id"]))["data"]
    made = (await caller.call("POST", "jpm/jobs", body(theirs | {"locations": [place]}))).json

    *strangers, ours = (await caller.get("jpm/jobs"))["data"]
    kinds = (await caller.get("jpm/job-types"))["data"]
    read = await caller.get(f"jpm/jobs/{made['id']}")

    assert {(job["jobStatus"], job["priority"]) for job in strangers} == {(WORD, WORD)}
    assert {kind["priority"] for kind in kinds} == {WORD}
    assert (ours["jobStatus"], read["jobStatus"]) == ("Scheduled", "Scheduled")
    assert all(row.items() >= KEYS.items() for row in (*strangers, ours, *kinds, read))
    assert not any(name in made for name in KEYS)


@pytest.mark.parametrize("tenant", TENANTS.values(), ids=TENANTS)
async def test_a_tenant_s_lists_name_each_other(start_simulator: Start, tenant: Json) -> None:
    lists = (await start_simulator(tenant=tenant)).state.world.catalogue
    units = {unit for row in lists.job_types.in_order for unit in row.business_unit_ids}
    units |= {unit for row in lists.arrival_windows.in_order for unit in row.business_unit_ids}
    units |= {row.business_unit_id for row in lists.technicians.in_order}
    assert units <= {*lists.business_units.rows}
    fields = {row_id for row in lists.job_types.in_order for row_id in row.required_fields}
    assert fields <= {*tenant.custom_fields}
