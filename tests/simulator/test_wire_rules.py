"""What the reference says of behaviour: ids, dates, filters, empty answers, conflicts."""

from email.utils import parsedate_to_datetime

import pytest

from app.simulator.wire.dates import parse_instant
from tests.support.simulated import GUID, Caller, Clock, Json, customer_body, job_body

LOOK_UP = {
    "externalDataApplicationGuid": GUID,
    "externalDataKey": "bookingId",
}


async def ids(caller: Caller, path: str, **query: Json) -> list[int]:
    return [row["id"] for row in (await caller.get(path, **query))["data"]]


async def test_ids_are_one_sequence_and_numbers_are_made_of_them(caller: Caller) -> None:
    customer = await caller.add_customer(contacts=[])
    assert (customer["id"], customer["locations"][0]["id"]) == (1001, 1002)
    job = await caller.add_job(customer)
    assert (job["id"], job["jobNumber"]) == (1003, "JOB-001003")
    assert job["firstAppointmentId"] == 1004
    visit = await caller.get("jpm/appointments/1004")
    assert visit["appointmentNumber"] == "JOB-001003-1"


async def test_the_same_job_again_is_a_second_job(caller: Caller) -> None:
    customer = await caller.add_customer()
    first, second = [await caller.add_job(customer, "BK-1") for _ in range(2)]
    assert await ids(caller, "jpm/jobs", **LOOK_UP, externalDataValues="BK-1") == [first["id"], second["id"]]
    told = await caller.control("GET", "jobs")
    assert told["moreThanOne"] == ["BK-1"]
    assert [row["id"] for row in told["jobs"]["BK-1"]] == [first["id"], second["id"]]


async def test_a_misspelt_filter_returns_everything(caller: Caller) -> None:
    job = await caller.add_job(booking="BK-1")
    assert await ids(caller, "jpm/jobs", externalDataVals="BK-9") == [job["id"]]
    assert await ids(caller, "jpm/jobs", scheduledOnOrAfter="2030-01-01") == [job["id"]]
    partial = {"externalDataKey": "bookingId", "externalDataValues": "BK-9"}
    assert await ids(caller, "jpm/jobs", **partial) == [job["id"]]


async def test_unknown_fields_of_a_body_are_dropped(caller: Caller) -> None:
    job = await caller.add_job()
    answer = await caller.call("PATCH", f"jpm/jobs/{job['id']}", {"jobStatus": "Completed", "status": "Done"})
    assert answer.status == 200
    assert answer.json["jobStatus"] == "Scheduled"


async def test_external_data_is_null_without_its_guid(caller: Caller) -> None:
    job = await caller.add_job(booking="BK-1")
    assert job["externalData"] is None
    read = await caller.get(f"jpm/jobs/{job['id']}", externalDataApplicationGuid=GUID)
    assert read["externalData"] == [{"key": "bookingId", "value": "BK-1"}]
    other = await caller.get(f"jpm/jobs/{job['id']}", externalDataApplicationGuid="another")
    assert other["externalData"] == []


async def test_a_patch_replaces_lists_and_merges_external_data(caller: Caller) -> None:
    job = await caller.add_job(booking="BK-1", tagTypeIds=[1, 2])
    path = f"jpm/jobs/{job['id']}"
    assert (await caller.call("PATCH", path, {"tagTypeIds": [3]})).json["tagTypeIds"] == [3]
    data = {"applicationGuid": GUID, "externalData": [{"key": "more", "value": "1"}], "patchMode": "Merge"}
    await caller.call("PATCH", path, {"externalData": data})
    assert await ids(caller, "jpm/jobs", **LOOK_UP, externalDataValues="BK-1") == [job["id"]]
    await caller.call("PATCH", path, {"externalData": {**data, "patchMode": "Replace"}})
    assert await ids(caller, "jpm/jobs", **LOOK_UP, externalDataValues="BK-1") == []


async def test_jobs_are_filtered_by_all_that_is_named(caller: Caller) -> None:
    customer, other = await caller.add_customer(), await caller.add_customer()
    first = await caller.add_job(customer, "BK-1", priority="High", tagTypeIds=[7])
    second = await caller.add_job(other, "BK-2", businessUnitId=102, jobTypeId=202)
    await caller.control("POST", f"jobs/{second['id']}/play", {"action": "dispatch"})
    technician = (await caller.get("dispatch/appointment-assignments"))["data"][0]["technicianId"]
    expected: list[tuple[dict[str, Json], list[Json]]] = [
        ({"ids": f"{first['id']},{second['id']},9"}, [first, second]),
        ({"number": second["jobNumber"]}, [second]),
        ({"jobNumber": first["jobNumber"]}, [first]),
        ({"jobStatus": "InProgress"}, [second]),
        ({"appointmentStatus": "Dispatched"}, [second]),
        ({"priority": "High"}, [first]),
        ({"customerId": customer["id"]}, [first]),
        ({"customerId": customer["id"], **LOOK_UP, "externalDataValues": "BK-1,BK-2"}, [first]),
        ({"customerId": 9}, []),
        ({"locationId": other["locations"][0]["id"]}, [second]),
        ({"technicianId": technician}, [second]),
        ({"businessUnitId": 102}, [second]),
        ({"jobTypeId": 202}, [second]),
        ({"campaignId": 302}, []),
        ({"invoiceId": first["invoiceId"]}, [first]),
        ({"tagTypeIds": "7,8"}, [first]),
        ({"estimateIds": "1"}, []),
        ({"projectId": 1}, []),
        ({"bookingId": 1}, []),
        ({"soldById": 1}, []),
        ({"hasUnusedAppointments": "false"}, [first, second]),
        ({"hasUnusedAppointments": "true"}, []),
        ({"firstAppointmentStartsOnOrAfter": "2026-12-01T16:00:00Z"}, [first, second]),
        ({"firstAppointmentStartsBefore": "2026-12-01T16:00:00Z"}, []),
        (
            {"appointmentStartsOnOrAfter": "2026-12-01", "appointmentStartsBefore": "2026-12-02"},
            [first, second],
        ),
        ({"appointmentStartsOnOrAfter": "2026-12-02"}, []),
        ({"completedOnOrAfter": "2020-01-01"}, []),
        ({**LOOK_UP, "externalDataValues": "BK-2"}, [second]),
        ({**LOOK_UP, "externalDataApplicationGuid": GUID.upper(), "externalDataValues": "BK-2"}, [second]),
        ({"sort": "-Id"}, [second, first]),
        ({"sort": "-Priority"}, [first, second]),
        ({"pageSize": 1, "page": 2}, [second]),
    ]
    for query, rows in expected:
        assert await ids(caller, "jpm/jobs", **query) == [row["id"] for row in rows], query


@pytest.mark.parametrize(
    "query",
    [
        {"jobStatus": "Paused"},
        {"priority": "Whenever"},
        {"customerId": "me"},
        {"createdOnOrAfter": "yesterday"},
        {"ids": ",".join(map(str, range(51)))},
        {"externalDataValues": ",".join(map(str, range(51))), **LOOK_UP},
        {"page": 0},
        {"pageSize": 5001},
    ],
)
async def test_a_known_filter_with_a_bad_value_is_named(caller: Caller, query: dict[str, Json]) -> None:
    answer = await caller.call("GET", "jpm/jobs", **query)
    assert answer.status == 400
    assert list(answer.json["errors"]) == [next(iter(query))]


async def test_changes_are_found_by_the_time_that_was_printed(caller: Caller, clock: Clock) -> None:
    jobs = []
    for _ in range(30):
        clock.move(milliseconds=137)
        jobs.append(await caller.add_job())
    for job in jobs[::5]:
        clock.move(seconds=1)
        await caller.call("PATCH", f"jpm/jobs/{job['id']}", {"summary": "changed"})
    rows = (await caller.get("jpm/jobs"))["data"]
    for field, parameter in (("modifiedOn", "modified"), ("createdOn", "created")):
        for row in rows:
            moment = parse_instant(row[field])
            later = [other["id"] for other in rows if parse_instant(other[field]) >= moment]
            sooner = [other["id"] for other in rows if parse_instant(other[field]) < moment]
            assert await ids(caller, "jpm/jobs", **{f"{parameter}OnOrAfter": row[field]}) == later
            assert await ids(caller, "jpm/jobs", **{f"{parameter}Before": row[field]}) == sooner


async def test_dates_have_any_number_of_digits(caller: Caller, clock: Clock) -> None:
    digits = set()
    for _ in range(150):
        clock.move(microseconds=1013)
        job = await caller.add_customer()
        digits.add(len(job["createdOn"].partition(".")[2].removesuffix("Z")))
    assert {0, 3, 7} <= digits


async def test_every_answer_has_the_date_of_the_simulators_clock(caller: Caller, clock: Clock) -> None:
    for path in ("jpm/jobs", "jpm/jobs/1", "jpm/nothing"):
        answer = await caller.call("GET", path)
        assert parsedate_to_datetime(answer.headers["Date"]) == clock().replace(microsecond=0)
    token = await caller.token()
    assert parsedate_to_datetime(token.headers["Date"]) == clock().replace(microsecond=0)


async def test_what_changes_a_job_answers_200_with_nothing(caller: Caller) -> None:
    job = await caller.add_job()
    path, visit = f"jpm/jobs/{job['id']}", f"jpm/appointments/{job['firstAppointmentId']}"
    reason = {"reasonId": 401, "memo": "x"}
    hold = {"reasonId": 451, "memo": "x"}
    technicians = {"jobAppointmentId": job["firstAppointmentId"], "technicianIds": [501]}
    steps: list[tuple[str, str, Json, str]] = [
        ("PUT", f"{path}/hold", hold, "Hold"),
        ("DELETE", f"{visit}/hold", None, "Scheduled"),
        ("PUT", f"{visit}/hold", hold, "Hold"),
        ("DELETE", f"{visit}/hold", None, "Scheduled"),
        ("PUT", f"{visit}/confirmation", None, "Scheduled"),
        ("DELETE", f"{visit}/confirmation", None, "Scheduled"),
        ("PUT", f"{path}/cancel", reason, "Canceled"),
        ("PUT", f"{path}/remove-cancellation", None, "Scheduled"),
    ]
    for method, step, body, status in steps:
        answer = await caller.call(method, step, body)
        assert (answer.status, answer.text) == (200, ""), step
        assert (await caller.get(path))["jobStatus"] == status
    await caller.call("POST", "dispatch/appointment-assignments/assign-technicians", technicians)
    answer = await caller.call("PUT", f"{path}/complete", {"completedOn": "2026-12-01T18:00:00.5Z"})
    assert (answer.status, answer.text) == (200, "")
    read = await caller.get(path)
    assert (read["jobStatus"], read["completedOn"]) == ("Completed", "2026-12-01T18:00:00.5Z")


async def test_states_that_do_not_allow_it_are_refused(caller: Caller) -> None:
    job = await caller.add_job()
    path, visit = f"jpm/jobs/{job['id']}", f"jpm/appointments/{job['firstAppointmentId']}"
    people = "dispatch/appointment-assignments"
    team = {"jobAppointmentId": job["firstAppointmentId"], "technicianIds": [501]}
    move = {"start": "2026-12-05T16:00:00Z", "end": "2026-12-05T18:00:00Z"}
    done = {"completedOn": "2026-12-01T18:00:00Z"}
    expected: list[tuple[str, str, Json, int]] = [
        ("PUT", f"{path}/complete", done, 409),
        ("PUT", f"{path}/remove-cancellation", None, 400),
        ("PUT", "jpm/jobs/1/remove-cancellation", None, 400),
        ("PUT", f"{path}/cancel", {"reasonId": 1, "memo": "x"}, 400),
        ("PUT", f"{path}/cancel", {"reasonId": 401}, 400),
        ("PUT", "jpm/jobs/1/cancel", {"reasonId": 401, "memo": "x"}, 404),
        ("DELETE", f"{visit}/hold", None, 409),
        ("DELETE", f"{visit}/confirmation", None, 409),
        ("DELETE", visit, None, 409),
        ("POST", f"{people}/unassign-technicians", team, 400),
        ("POST", f"{people}/assign-technicians", {**team, "technicianIds": [1]}, 400),
        ("POST", f"{people}/assign-technicians", team, 200),
        ("POST", f"{people}/assign-technicians", team, 409),
        ("PATCH", f"{visit}/reschedule", {**move, "end": move["start"]}, 400),
        ("PATCH", f"{visit}/reschedule", move, 200),
        ("PUT", f"{path}/complete", done, 200),
        ("PUT", f"{path}/complete", done, 409),
        ("PUT", f"{path}/cancel", {"reasonId": 401, "memo": "x"}, 400),
        ("PATCH", f"{visit}/reschedule", move, 409),
        ("PUT", f"{visit}/special-instructions", {"specialInstructions": "x"}, 409),
        ("POST", "jpm/appointments", {"jobId": job["id"], **move}, 409),
        ("POST", "jpm/appointments", {"jobId": 1, **move}, 400),
        ("POST", f"{people}/assign-technicians", {**team, "technicianIds": [502]}, 409),
    ]
    for method, step, body, status in expected:
        answer = await caller.call(method, step, body)
        assert answer.status == status, (method, step, answer.text)
        assert status == 200 or answer.json["errors"]


async def test_a_job_needs_what_it_refers_to(caller: Caller) -> None:
    customer, other = await caller.add_customer(), await caller.add_customer()
    good = job_body(customer)
    visit = good["appointments"][0]
    for field, value in (
        ("customerId", 1),
        ("locationId", other["locations"][0]["id"]),
        ("businessUnitId", 1),
        ("jobTypeId", 1),
        ("campaignId", 1),
        ("priority", "Whenever"),
        ("appointments", []),
        ("appointments", [{**visit, "end": visit["start"]}]),
        ("appointments", [{**visit, "technicianIds": [1]}]),
    ):
        answer = await caller.call("POST", "jpm/jobs", {**good, field: value})
        assert answer.status == 400, field
        assert [name.startswith(field) for name in answer.json["errors"]] == [True], answer.text
    assert (await caller.control("GET", "stats"))["jobs"] == 0


@pytest.mark.parametrize(
    ("changes", "status", "title", "field"),
    [
        ({"contacts": [{"type": "Email", "value": "error@test.com"}]}, 409, "Customer conflict", "email"),
        ({"contacts": [{"type": "Phone", "value": "0000000000"}]}, 400, "Invalid phone number", "phone"),
        ({"address": {**customer_body()["address"], "zip": "00000"}}, 400, "Area not supported", "zip"),
    ],
)
async def test_the_seeds_triggers(
    caller: Caller, changes: dict[str, Json], status: int, title: str, field: str
) -> None:
    answer = await caller.call("POST", "crm/customers", customer_body(**changes))
    assert (answer.status, answer.json["title"], list(answer.json["errors"])) == (status, title, [field])


@pytest.mark.parametrize("phone", ["6025550100", "+1 (602) 555-0100", "16025550100", "555-0100"])
async def test_customers_are_found_by_phone_however_it_is_written(caller: Caller, phone: str) -> None:
    customer = await caller.add_customer()
    await caller.add_customer(contacts=[{"type": "Phone", "value": "6025559999"}])
    assert await ids(caller, "crm/customers", phone=phone) == [customer["id"]]


async def test_customers_are_filtered_by_name_address_and_activity(caller: Caller) -> None:
    customer = await caller.add_customer(name="Ada Lovelace")
    assert await ids(caller, "crm/customers", name="lovel") == [customer["id"]]
    assert await ids(caller, "crm/customers", street="main", zip="85001") == [customer["id"]]
    assert await ids(caller, "crm/customers", city="Tucson") == []
    await caller.call("PATCH", f"crm/customers/{customer['id']}", {"active": False})
    assert await ids(caller, "crm/customers") == []
    assert await ids(caller, "crm/customers", active="any") == [customer["id"]]
    assert await ids(caller, "crm/customers", active="False", ids=customer["id"]) == [customer["id"]]
    contacts = await caller.call("GET", f"crm/customers/{customer['id']}/contacts")
    assert contacts.status == 409
    assert contacts.json["title"] == f"Customer ID = {customer['id']} is not active"


async def test_the_lists_of_the_tenant(caller: Caller) -> None:
    units = [row["name"] for row in (await caller.get("settings/business-units"))["data"]]
    assert set(units) == {"Scottsdale_North", "Mesa_East", "Phoenix_Central", "Phoenix_Metro"}
    assert [row["name"] for row in (await caller.get("settings/business-units", name="mesa"))["data"]] == [
        "Mesa_East"
    ]
    assert len((await caller.get("settings/technicians", active="true"))["data"]) >= 6
    assert (await caller.get("jpm/job-types", minDuration=14400))["data"][0][
        "name"
    ] == "New Door Installation"
    for path in ("jpm/job-cancel-reasons", "jpm/job-hold-reasons", "marketing/campaigns"):
        assert (await caller.get(path))["data"]


async def test_an_export_is_late_and_goes_on_where_it_stopped(caller: Caller, clock: Clock) -> None:
    job = await caller.add_job()
    assert (await caller.get("jpm/export/jobs"))["data"] == []
    early = await caller.get("jpm/export/jobs", includeRecentChanges="True")
    assert [row["id"] for row in early["data"]] == [job["id"]]
    clock.move(minutes=16)
    read = await caller.get("jpm/export/jobs", **{"from": ""})
    assert [row["id"] for row in read["data"]] == [job["id"]]
    nothing = await caller.get("jpm/export/jobs", **{"from": read["continueFrom"]})
    assert (nothing["data"], nothing["hasMore"]) == ([], False)
    await caller.call("PUT", f"jpm/jobs/{job['id']}/cancel", {"reasonId": 401, "memo": "x"})
    clock.move(minutes=16)
    more = await caller.get("jpm/export/jobs", **{"from": nothing["continueFrom"]})
    assert [row["jobStatus"] for row in more["data"]] == ["Canceled"]
    logs = await caller.get("jpm/export/job-canceled-logs", **{"from": "2020-01-01"})
    assert [row["jobId"] for row in logs["data"]] == [job["id"]]
    later = await caller.get("jpm/export/jobs", **{"from": "2030-01-01"})
    assert later["data"] == []
    assert (await caller.call("GET", "jpm/export/jobs", **{"from": "soon"})).status == 400


async def test_a_long_export_is_read_in_stretches(caller: Caller, clock: Clock) -> None:
    from app.simulator.endpoints.exports import BATCH
    from tests.support.simulated import add_customer, add_job

    world = caller.simulator.state.world
    customer = add_customer(world)
    wanted = [add_job(world, customer).id for _ in range(BATCH + 5)]
    clock.move(hours=1)
    first = await caller.get("jpm/export/jobs")
    second = await caller.get("jpm/export/jobs", **{"from": first["continueFrom"]})
    assert (first["hasMore"], second["hasMore"]) == (True, False)
    assert [row["id"] for row in first["data"] + second["data"]] == wanted


async def test_visits_are_added_listed_and_deleted(caller: Caller) -> None:
    job = await caller.add_job()
    body = {"jobId": job["id"], "start": "2026-11-30T16:00:00Z", "end": "2026-11-30T18:00:00Z"}
    visit = (await caller.call("POST", "jpm/appointments", {**body, "technicianIds": [501]})).json
    read = await caller.get(f"jpm/jobs/{job['id']}")
    assert (read["appointmentCount"], read["firstAppointmentId"]) == (2, visit["id"])
    assert await ids(caller, "jpm/appointments", jobId=job["id"], technicianId=501) == [visit["id"]]
    assert await ids(caller, "jpm/appointments", startsBefore="2026-12-01") == [visit["id"]]
    assert await ids(caller, "jpm/appointments", number=visit["appointmentNumber"]) == [visit["id"]]
    assert (await caller.call("DELETE", f"jpm/appointments/{visit['id']}")).status == 200
    assert await ids(caller, "jpm/appointments", jobId=job["id"]) == [job["firstAppointmentId"]]
    assert visit["id"] in await ids(caller, "jpm/appointments", jobId=job["id"], active="Any")
    assert await ids(caller, "dispatch/appointment-assignments", jobId=job["id"]) == []


async def test_a_get_with_a_body_is_tolerated(caller: Caller) -> None:
    answer = await caller.call("GET", "jpm/jobs", {})
    assert answer.status == 200


async def test_locations_are_found_by_ids_external_data_and_time(caller: Caller, clock: Clock) -> None:
    customer = await caller.add_customer()
    data = {"applicationGuid": GUID, "externalData": [{"key": "site", "value": "7"}]}
    body = {
        "customerId": customer["id"],
        "name": "Shop",
        "address": customer["address"],
        "externalData": data,
    }
    clock.move(minutes=1)
    shop = (await caller.call("POST", "crm/locations", body)).json
    home = customer["locations"][0]
    look_up = {"externalDataApplicationGuid": GUID, "externalDataKey": "site", "externalDataValues": "7"}
    assert await ids(caller, "crm/locations", **look_up) == [shop["id"]]
    assert await ids(caller, "crm/locations", ids=f"{shop['id']},{home['id']}") == [home["id"], shop["id"]]
    assert await ids(caller, "crm/locations", modifiedOnOrAfter=shop["modifiedOn"]) == [shop["id"]]
    assert await ids(caller, "crm/locations", name="shop", customerId=customer["id"]) == [shop["id"]]
    refused = await caller.call("POST", "crm/locations", {**body, "customerId": 1})
    assert refused.status == 409


async def test_customers_are_found_by_external_data_ids_and_time(caller: Caller, clock: Clock) -> None:
    data = {"applicationGuid": GUID, "externalData": [{"key": "crm", "value": "7"}]}
    first = await caller.add_customer(externalData=data)
    clock.move(minutes=1)
    second = await caller.add_customer()
    look_up = {"externalDataApplicationGuid": GUID, "externalDataKey": "crm", "externalDataValues": "7"}
    assert await ids(caller, "crm/customers", **look_up) == [first["id"]]
    assert await ids(caller, "crm/customers", **look_up, ids=second["id"]) == []
    assert await ids(caller, "crm/customers", ids=second["id"], phone="6025550100") == [second["id"]]
    assert await ids(caller, "crm/customers", modifiedOnOrAfter=second["modifiedOn"]) == [second["id"]]
    contacts = await caller.call("GET", "crm/customers/contacts")
    assert list(contacts.json["errors"]) == ["customerIds"]
    bad_zip = {"address": {"zip": "00000"}}
    assert (await caller.call("PATCH", f"crm/customers/{first['id']}", bad_zip)).status == 400


async def test_technicians_are_assigned_sent_and_taken_off(caller: Caller) -> None:
    job = await caller.add_job()
    team = {"jobAppointmentId": job["firstAppointmentId"], "technicianIds": [501, 502]}
    people = "dispatch/appointment-assignments"
    assert (await caller.call("POST", f"{people}/assign-technicians", team)).json["status"] == "Scheduled"
    await caller.control("POST", f"jobs/{job['id']}/play", {"action": "dispatch"})
    rows = (await caller.get(people, appointmentIds=job["firstAppointmentId"]))["data"]
    assert [(row["technicianId"], row["status"]) for row in rows] == [
        (501, "Dispatched"),
        (502, "Dispatched"),
    ]
    assert [row["status"] for row in (await caller.get("settings/technicians", ids="501"))["data"]] == [
        "Dispatched"
    ]
    added = await caller.call("POST", f"{people}/assign-technicians", {**team, "technicianIds": [503]})
    assert (added.status, added.json["status"]) == (200, "Dispatched")
    everyone = {**team, "technicianIds": [501, 502, 503]}
    left = await caller.call("POST", f"{people}/unassign-technicians", everyone)
    assert (left.status, left.json["status"]) == (200, "Scheduled")
    assert (await caller.get(f"jpm/jobs/{job['id']}"))["jobStatus"] == "Scheduled"
    assert await ids(caller, people, ids=rows[0]["id"]) == []
    assert await ids(caller, people, ids=rows[0]["id"], active="False") == [rows[0]["id"]]


async def test_a_technician_who_was_sent_is_called_back_by_a_reschedule(caller: Caller) -> None:
    job = await caller.add_job()
    await caller.control("POST", f"jobs/{job['id']}/play", {"action": "dispatch"})
    move = {"start": "2026-12-05T16:00:00Z", "end": "2026-12-05T18:00:00Z"}
    window = {"arrivalWindowStart": "2026-12-05T16:00:00Z", "arrivalWindowEnd": "2026-12-05T17:00:00Z"}
    path = f"jpm/appointments/{job['firstAppointmentId']}"
    moved = (await caller.call("PATCH", f"{path}/reschedule", {**move, **window})).json
    assert (moved["status"], moved["start"], moved["arrivalWindowEnd"]) == (
        "Scheduled",
        move["start"],
        window["arrivalWindowEnd"],
    )
    assert (await caller.get(f"jpm/jobs/{job['id']}"))["jobStatus"] == "Scheduled"
    told = await caller.call("PUT", f"{path}/special-instructions", {"specialInstructions": "dog"})
    assert told.json["specialInstructions"] == "dog"


async def test_a_job_moves_to_another_customer_with_its_location(caller: Caller) -> None:
    first, second = await caller.add_customer(), await caller.add_customer()
    job = await caller.add_job(first)
    path = f"jpm/jobs/{job['id']}"
    assert (await caller.call("PATCH", path, {"customerId": second["id"]})).status == 400
    whole = {"customerId": second["id"], "locationId": second["locations"][0]["id"]}
    assert (await caller.call("PATCH", path, whole)).status == 200
    assert await ids(caller, "jpm/jobs", customerId=first["id"]) == []
    assert await ids(caller, "jpm/jobs", customerId=second["id"]) == [job["id"]]


async def test_a_job_complete_early_leaves_visits_unused(caller: Caller) -> None:
    job = await caller.add_job()
    body = {"jobId": job["id"], "start": "2026-12-09T16:00:00Z", "end": "2026-12-09T18:00:00Z"}
    later = (await caller.call("POST", "jpm/appointments", body)).json
    team = {"jobAppointmentId": job["firstAppointmentId"], "technicianIds": [501]}
    await caller.call("POST", "dispatch/appointment-assignments/assign-technicians", team)
    done = {"completedOn": "2026-12-01T18:00:00Z"}
    assert (await caller.call("PUT", f"jpm/jobs/{job['id']}/complete", done)).status == 200
    assert await ids(caller, "jpm/appointments", unused="true") == [later["id"]]
    assert await ids(caller, "jpm/jobs", hasUnusedAppointments="true") == [job["id"]]


@pytest.mark.parametrize("path", ["outage", "life", "webhooks", "jobs/1/play"])
async def test_a_bad_body_of_the_control_api_is_named(caller: Caller, path: str) -> None:
    answer = await caller.send("POST", f"/simulator/{path}", json={"odd": 1})
    assert answer.status == 400
    assert "odd" in {item["field"] for item in answer.json["details"]}
