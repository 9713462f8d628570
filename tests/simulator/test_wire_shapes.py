"""Every response against the reference, table by table: each field is there, with its type or null."""

import re

import pytest

from tests.support.simulated import GUID, Caller, Json

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z")

ADDRESS = {
    "street": str,
    "unit?": str,
    "city": str,
    "state": str,
    "zip": str,
    "country": str,
    "latitude?": float,
    "longitude?": float,
}
EXTERNAL = [{"key": str, "value": str}]
CONTACT = {"id": int, "type": str, "value": str, "memo?": str}
JOB = {
    "id": int,
    "jobNumber": str,
    "projectId?": int,
    "customerId": int,
    "locationId": int,
    "jobStatus": str,
    "completedOn?": "date",
    "businessUnitId": int,
    "jobTypeId": int,
    "priority": str,
    "campaignId": int,
    "summary?": str,
    "customFields": [{"typeId": int, "name": str, "value": str}],
    "appointmentCount": int,
    "firstAppointmentId": int,
    "lastAppointmentId": int,
    "recallForId?": int,
    "warrantyId?": int,
    "jobGeneratedLeadSource?": {"jobId?": int, "employeeId?": int},
    "noCharge": bool,
    "notificationsEnabled": bool,
    "createdOn": "date",
    "createdById": int,
    "modifiedOn": "date",
    "tagTypeIds": [int],
    "leadCallId?": int,
    "partnerLeadCallId?": int,
    "bookingId?": int,
    "soldById?": int,
    "customerPo?": str,
    "invoiceId": int,
    "membershipId?": int,
    "total?": float,
    "createdFromEstimateId?": int,
    "estimateIds": [int],
    "externalData?": EXTERNAL,
}
APPOINTMENT_ELEVEN = {
    "id": int,
    "jobId": int,
    "appointmentNumber?": str,
    "start": "date",
    "end": "date",
    "arrivalWindowStart?": "date",
    "arrivalWindowEnd?": "date",
    "status": str,
    "specialInstructions?": str,
    "createdOn": "date",
    "modifiedOn": "date",
}
APPOINTMENT = {
    **APPOINTMENT_ELEVEN,
    "customerId": int,
    "unused": bool,
    "createdById": int,
    "isConfirmed": bool,
    "active": bool,
}
CUSTOMER = {
    "id": int,
    "active": bool,
    "name": str,
    "type": str,
    "address": ADDRESS,
    "customFields": [{"typeId": int, "name?": str, "value?": str}],
    "balance": float,
    "taxExempt": bool,
    "tagTypeIds": [int],
    "doNotMail": bool,
    "doNotService": bool,
    "nationalAccount": bool,
    "createdOn": "date",
    "createdById": int,
    "modifiedOn": "date",
    "mergedToId?": int,
    "paymentTermId?": int,
    "creditLimit?": float,
    "creditLimitBalance?": float,
    "externalData?": EXTERNAL,
}
LOCATION = {
    "id": int,
    "customerId": int,
    "active": bool,
    "name": str,
    "address": ADDRESS,
    "customFields": [{"typeId": int, "name?": str, "value?": str}],
    "createdOn": "date",
    "createdById": int,
    "modifiedOn": "date",
    "mergedToId?": int,
    "zoneId?": int,
    "taxExempt": bool,
    "tagTypeIds": [int],
    "externalData?": EXTERNAL,
    "taxZoneId?": int,
}
CONTACT_ROW = {
    **CONTACT,
    "modifiedOn": "date",
    "createdOn": "date",
    "phoneSettings": {"phoneNumber": str, "doNotText": bool},
    "preferences?": {
        "jobRemindersEnabled": bool,
        "marketingUpdatesEnabled": bool,
        "invoiceStatementNotification": bool,
    },
}
REASON = {"id": int, "name": str, "active": bool, "createdOn": "date", "modifiedOn": "date"}
NOTE = {"text": str, "isPinned": bool, "createdById": int, "createdOn": "date", "modifiedOn": "date"}
HISTORY = [
    {
        "id": int,
        "employeeId?": int,
        "eventType": str,
        "date": "date",
        "usedSchedulingTool": str,
        "memo?": str,
    }
]
JOB_TYPE = {
    "id": int,
    "name": str,
    "businessUnitIds": [int],
    "skills": [str],
    "tagTypeIds": [int],
    "priority": str,
    "duration": int,
    "soldThreshold?": float,
    "class": str,
    "summary": str,
    "noCharge": bool,
    "enforceRecurringServiceEventSelection?": bool,
    "invoiceSignaturesRequired": bool,
    "modifiedOn": "date",
    "createdOn": "date",
    "externalData?": EXTERNAL,
    "active": bool,
    "isSmartDispatched": bool,
}
ASSIGNMENT = {
    "id": int,
    "technicianId": int,
    "technicianName": str,
    "assignedById": int,
    "assignedOn": "date",
    "status": str,
    "isPaused": bool,
    "jobId": int,
    "appointmentId": int,
    "createdOn": "date",
    "modifiedOn": "date",
    "active": bool,
}
BOOKING = {
    "id": int,
    "source": str,
    "createdOn": "date",
    "name": str,
    "address?": {f"{name.removesuffix('?')}?": kind for name, kind in ADDRESS.items()},
    "customerType?": str,
    "start": "date",
    "campaignId?": int,
    "businessUnitId?": int,
    "isFirstTimeClient?": bool,
    "uploadedImages?": [str],
    "isSendConfirmationEmail?": bool,
    "status": str,
    "dismissingReasonId?": int,
    "jobId?": int,
    "externalId": str,
    "priority?": str,
    "jobTypeId?": int,
    "bookingProviderId": int,
    "modifiedOn": "date",
    "summary?": str,
}
NAMED = {"id": int, "name": str}
BUSINESS_UNIT = {
    "id": int,
    "active": bool,
    "name": str,
    **{
        f"{name}?": str
        for name in (
            "officialName",
            "email",
            "currency",
            "phoneNumber",
            "invoiceHeader",
            "invoiceMessage",
            "authorizationParagraph",
            "acknowledgementParagraph",
            "materialSku",
            "quickbooksClass",
            "accountCode",
            "franchiseId",
            "conceptCode",
            "corporateContractNumber",
        )
    },
    "defaultTaxRate?": float,
    "address?": {
        **{f"{name.removesuffix('?')}?": kind for name, kind in ADDRESS.items()},
        "isManualCoordinates": bool,
        "isMilitary": bool,
    },
    "trade?": NAMED,
    "division?": NAMED,
    "tagTypeIds?": [int],
    "tenant?": {**NAMED, "accountCode?": str, "franchiseId?": str, "conceptCode?": str, "modifiedOn": "date"},
    "createdOn": "date",
    "modifiedOn": "date",
    "externalData?": EXTERNAL,
}
TECHNICIAN = {
    "id": int,
    "userId": int,
    "name": str,
    "roleIds?": [int],
    "businessUnitId?": int,
    "mainZoneId?": int,
    "zoneIds?": [int],
    "createdOn": "date",
    "modifiedOn": "date",
    "email?": str,
    "phoneNumber?": str,
    "loginName?": str,
    "home?": dict,
    "dailyGoal": float,
    "isManagedTech": bool,
    "customFields?": list,
    "active": bool,
    "status": str,
    "burdenRate": float,
    "commissionRate": float,
    "hourlyRate": float,
    "soldByRate": float,
    "appoitmentId?": int,
}
CAMPAIGN = {
    "id": int,
    "name": str,
    "modifiedOn": "date",
    "createdOn": "date",
    "active": bool,
    "category?": {"id": int, "name": str, "active": bool},
    "isDefaultCampaign?": bool,
    "source?": str,
    "otherSource?": str,
    "businessUnit?": str,
    "medium?": str,
    "otherMedium?": str,
    "campaignPhoneNumbers?": [str],
}
ERROR = {"type": str, "title": str, "status": int, "traceId": str, "errors": dict, "data": dict}


def page(row: Json) -> Json:
    return {"page": int, "pageSize": int, "hasMore": bool, "totalCount?": int, "data": [row]}


def export(row: Json) -> Json:
    return {"hasMore": bool, "continueFrom": str, "data": [row]}


def check(value: Json, shape: Json, at: str = "") -> None:
    """The value has exactly the shape: `name?` may be null, "date" is the vendor's date text."""
    if shape == "date":
        assert isinstance(value, str), at
        assert DATE.fullmatch(value), f"{at}: {value}"
    elif isinstance(shape, dict):
        assert set(value) == {name.removesuffix("?") for name in shape}, at
        for name, kind in shape.items():
            field = name.removesuffix("?")
            if value[field] is None:
                assert name.endswith("?"), f"{at}.{field} is null"
            else:
                check(value[field], kind, f"{at}.{field}")
    elif isinstance(shape, list):
        assert isinstance(value, list), at
        for item in value:
            check(item, shape[0], f"{at}[]")
    elif shape is float:
        assert isinstance(value, int | float), at
        assert not isinstance(value, bool), at
    else:
        assert type(value) is shape, f"{at}: {value!r}"


@pytest.fixture
async def job(caller: Caller) -> Json:
    """A job on which everything has happened that leaves rows."""
    made = await caller.add_job(
        booking="BK-1", customFields=[{"typeId": 5, "value": "x"}], jobGeneratedLeadSource={"employeeId": 3}
    )
    await caller.control("POST", f"jobs/{made['id']}/play", {"action": "assign"})
    await caller.call("POST", f"jpm/jobs/{made['id']}/notes", {"text": "Beware of the dog"})
    await caller.call("PUT", f"jpm/jobs/{made['id']}/cancel", {"reasonId": 401, "memo": "no"})
    return made


@pytest.mark.parametrize(
    ("path", "query", "shape"),
    [
        ("jpm/jobs/{job}", {"externalDataApplicationGuid": GUID}, JOB),
        ("jpm/jobs", {"includeTotal": "true"}, page(JOB)),
        ("jpm/jobs/{job}/notes", {}, page(NOTE)),
        ("jpm/jobs/{job}/history", {}, {"history?": HISTORY}),
        (
            "jpm/jobs/{job}/canceled-log",
            {},
            page(
                {
                    "id": int,
                    "jobId": int,
                    "reasonId": int,
                    "memo?": str,
                    "createdOn": "date",
                    "createdById": int,
                    "active": bool,
                }
            ),
        ),
        (
            "jpm/jobs/{job}/booked-log",
            {},
            page(
                {
                    "id": int,
                    "jobId": int,
                    "jobAppointmentId": int,
                    "start": "date",
                    "arrivalWindowStart?": "date",
                    "arrivalWindowEnd?": "date",
                    "createdOn": "date",
                    "createdById": int,
                    "active": bool,
                }
            ),
        ),
        (
            "jpm/jobs/cancel-reasons",
            {"ids": "{job}"},
            page({"jobId": int, "reasonId": int, "name": str, "text": str}),
        ),
        ("jpm/job-types", {}, page(JOB_TYPE)),
        ("jpm/job-cancel-reasons", {}, page(REASON)),
        ("jpm/job-hold-reasons", {}, page(REASON)),
        ("jpm/appointments", {}, page(APPOINTMENT)),
        ("jpm/appointments/{visit}", {}, APPOINTMENT),
        ("jpm/export/jobs", {"includeRecentChanges": "true"}, export({**JOB, "active": bool})),
        ("jpm/export/appointments", {"includeRecentChanges": "true"}, export(APPOINTMENT)),
        (
            "jpm/export/job-history",
            {"includeRecentChanges": "true"},
            export({"jobId": int, "history?": HISTORY}),
        ),
        ("crm/customers", {"includeTotal": "true"}, page(CUSTOMER)),
        ("crm/customers/{customer}", {"externalDataApplicationGuid": GUID}, CUSTOMER),
        ("crm/customers/{customer}/contacts", {}, page(CONTACT_ROW)),
        (
            "crm/customers/contacts",
            {"customerIds": "{customer}"},
            page({**CONTACT_ROW, "customerId": int}),
        ),
        ("crm/locations", {}, page(LOCATION)),
        ("crm/locations/{location}", {}, LOCATION),
        ("settings/business-units", {}, page(BUSINESS_UNIT)),
        ("settings/technicians", {}, page(TECHNICIAN)),
        ("dispatch/appointment-assignments", {}, page(ASSIGNMENT)),
        ("marketing/campaigns", {}, page(CAMPAIGN)),
    ],
)
async def test_reads_have_every_field(
    caller: Caller, job: Json, path: str, query: dict[str, str], shape: Json
) -> None:
    ids = {
        "job": job["id"],
        "visit": job["firstAppointmentId"],
        "customer": job["customerId"],
        "location": job["locationId"],
    }
    body = await caller.get(
        path.format(**ids), **{name: value.format(**ids) for name, value in query.items()}
    )
    check(body, shape, path)
    assert body.get("data", True), "a page without rows proves nothing"


async def test_creations_answer_200_with_every_field(caller: Caller) -> None:
    customer = await caller.add_customer()
    location = {**LOCATION, "contacts": [CONTACT]}
    check(customer, {**CUSTOMER, "locations": [location], "contacts": [CONTACT]})
    contact = await caller.call(
        "POST", f"crm/customers/{customer['id']}/contacts", {"type": "Fax", "value": "6025550111"}
    )
    check(contact.json, CONTACT_ROW)
    place = await caller.call(
        "POST",
        "crm/locations",
        {
            "customerId": customer["id"],
            "name": "Shop",
            "address": customer["address"],
            "contacts": [{"type": "Email", "value": "shop@example.com"}],
        },
    )
    check(place.json, location)
    job = await caller.add_job(customer)
    check(job, JOB)
    visit = await caller.call(
        "POST",
        "jpm/appointments",
        {"jobId": job["id"], "start": "2026-12-02T16:00:00Z", "end": "2026-12-02T18:00:00Z"},
    )
    check(visit.json, APPOINTMENT)
    assigned = await caller.call(
        "POST",
        "dispatch/appointment-assignments/assign-technicians",
        {"jobAppointmentId": visit.json["id"], "technicianIds": [501]},
    )
    check(assigned.json, APPOINTMENT_ELEVEN)
    note = await caller.call("POST", f"jpm/jobs/{job['id']}/notes", {"text": "x", "pinToTop": True})
    check(note.json, NOTE)
    answers = (contact, place, visit, assigned, note)
    assert {answer.status for answer in answers} == {200}


async def test_bookings_of_the_inbox_have_every_field(caller: Caller) -> None:
    inbox = "crm/booking-provider/5/bookings"
    body = {
        "source": "web",
        "name": "Jo",
        "summary": "A door",
        "isFirstTimeClient": True,
        "externalId": "x-1",
        "contacts": [{"type": "Phone", "value": "6025550100"}],
    }
    made = await caller.call("POST", inbox, body)
    check(made.json, BOOKING)
    number = made.json["id"]
    check(await caller.get(f"{inbox}/{number}"), BOOKING)
    check(await caller.get(inbox, externalId="x-1"), page(BOOKING))
    check(await caller.get("crm/bookings"), page(BOOKING))
    changed = await caller.call("PATCH", f"{inbox}/{number}", {"summary": "Two doors"})
    assert changed.json["summary"] == "Two doors"
    dismissed = await caller.call("POST", f"{inbox}/{number}/dismiss", {})
    assert (dismissed.status, dismissed.text) == (200, "")
    again = await caller.call("PATCH", f"{inbox}/{number}", {"summary": "Three"})
    assert again.status == 409
    assert (await caller.call("GET", f"crm/booking-provider/6/bookings/{number}")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "jpm/jobs?sort=-completedOn", None, 400),
        ("POST", "jpm/jobs", {}, 400),
        ("GET", "jpm/jobs/1", None, 404),
        ("GET", "jpm/jobs/one", None, 404),
        ("GET", "jpm/nothing", None, 404),
        ("PUT", "jpm/jobs", {}, 404),
        ("POST", "crm/locations", {"customerId": 1, "name": "x", "address": {}}, 400),
    ],
)
async def test_refusals_have_the_error_body(
    caller: Caller, method: str, path: str, body: Json, status: int
) -> None:
    answer = await caller.call(method, path, body)
    assert answer.status == status
    check(answer.json, ERROR)
    assert answer.json["status"] == status
    assert answer.headers["Content-Type"].startswith("application/json")


async def test_trace_ids_are_all_different(caller: Caller) -> None:
    traces = {(await caller.call("GET", "jpm/jobs/1")).json["traceId"] for _ in range(3)}
    assert len(traces) == 3
