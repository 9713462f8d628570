"""A world without a socket, and a caller of a simulator with one."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
import orjson

from app.simulator.server import RunningSimulator
from app.simulator.state import jobs, people
from app.simulator.state.records import CustomerRow, JobRow
from app.simulator.state.world import World
from app.simulator.tenant import Tenant
from app.simulator.tenants import A1
from app.simulator.wire.crm import Address, ContactRequest, ContactType, CreateCustomer, LocationRequest
from app.simulator.wire.envelope import ExternalDataEntry, ExternalDataRequest
from app.simulator.wire.jpm import AppointmentRequest, CreateJob, Priority

Json = Any
"""What a JSON text holds, where a test says what it expects."""

START = datetime(2026, 12, 1, 16, tzinfo=UTC)
GUID = "5e41a5e7-0000-4000-8000-000000000001"
TENANT = "1000001"
CREDENTIALS = {
    "SERVICETITAN_MODE": "sandbox",
    "SERVICETITAN_CLIENT_ID": "cid.test",
    "SERVICETITAN_API_KEY": "cs1.test",
    "SERVICETITAN_APP_KEY": "ak1.test",
    "SERVICETITAN_TENANT_ID": TENANT,
    "SERVICETITAN_APPLICATION_GUID": GUID,
}
"""The settings of a worker that is let in, outside simulation."""
ADDRESS = Address(street="1 Main St", city="Phoenix", state="AZ", zip="85001", country="USA")


class Clock:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


def make_world(clock: Clock | None = None, tenant: Tenant = A1) -> World:
    return World(tenant, now=clock or Clock(), random=Random(7))


def add_customer(world: World, phone: str = "+1 602-555-0100", name: str = "Jo Doe") -> CustomerRow:
    row = people.create_customer(
        world,
        CreateCustomer(
            name=name,
            address=ADDRESS,
            locations=(LocationRequest(name="Home", address=ADDRESS),),
            contacts=(ContactRequest(type=ContactType.PHONE, value=phone),),
        ),
    )
    assert isinstance(row, CustomerRow)
    return row


def job_request(customer: CustomerRow, booking: str | None = None, visits: int = 1) -> CreateJob:
    external = ExternalDataRequest(
        application_guid=GUID, external_data=(ExternalDataEntry(key="bookingId", value=booking),)
    )
    return CreateJob(
        customer_id=customer.id,
        location_id=customer.location_ids[0],
        business_unit_id=101,
        job_type_id=201,
        priority=Priority.NORMAL,
        campaign_id=301,
        appointments=tuple(
            AppointmentRequest(start=START + timedelta(days=day), end=START + timedelta(days=day, hours=2))
            for day in range(visits)
        ),
        external_data=external if booking else None,
    )


def add_job(world: World, customer: CustomerRow, booking: str | None = None, visits: int = 1) -> JobRow:
    row = jobs.create_job(world, job_request(customer, booking, visits))
    assert isinstance(row, JobRow)
    return row


class Answered:
    """A status, headers, and the body as JSON where it is JSON."""

    def __init__(self, status: int, headers: Json, text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text

    @property
    def json(self) -> Json:
        return orjson.loads(self.text)


class Caller:
    """Calls a simulator as a client would."""

    def __init__(self, simulator: RunningSimulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.session = session
        self.headers = {"ST-App-Key": "ak1.test"}

    async def sign_in(self) -> None:
        answer = await self.token()
        self.headers["Authorization"] = f"Bearer {answer.json['access_token']}"

    async def token(self, **changes: str) -> Answered:
        form = {
            "grant_type": "client_credentials",
            "client_id": "cid.test",
            "client_secret": "cs1.test",
            **changes,
        }
        return await self.send("POST", "/connect/token", data=form)

    async def send(self, method: str, path: str, **options: Json) -> Answered:
        async with self.session.request(method, self.simulator.url + path, **options) as response:
            return Answered(response.status, response.headers, await response.text())

    async def call(self, method: str, path: str, body: Json = None, **query: Json) -> Answered:
        """Call `module/path`: `jpm/jobs/1`."""
        module, _, rest = path.partition("/")
        return await self.send(
            method,
            f"/{module}/v2/tenant/{TENANT}/{rest}",
            json=body,
            params={name: str(value) for name, value in query.items()},
            headers=self.headers,
        )

    async def get(self, path: str, **query: Json) -> Json:
        """The body of a GET that succeeds."""
        answer = await self.call("GET", path, **query)
        assert answer.status == 200, answer.text
        return answer.json

    async def control(self, method: str, path: str, body: Json = None) -> Json:
        """A call of the control API that succeeds."""
        answer = await self.send(method, f"/simulator/{path}", json=body)
        assert answer.status in (200, 201), answer.text
        return answer.json

    async def add_customer(self, **changes: Json) -> Json:
        answer = await self.call("POST", "crm/customers", customer_body(**changes))
        assert answer.status == 200, answer.text
        return answer.json

    async def add_job(self, customer: Json = None, booking: str | None = None, **changes: Json) -> Json:
        customer = customer or await self.add_customer()
        answer = await self.call("POST", "jpm/jobs", job_body(customer, booking, **changes))
        assert answer.status == 200, answer.text
        return answer.json


def customer_body(**changes: Json) -> dict[str, Json]:
    address = {"street": "1 Main St", "city": "Phoenix", "state": "AZ", "zip": "85001", "country": "USA"}
    return {
        "name": "Jo Doe",
        "address": address,
        "locations": [{"name": "Home", "address": address}],
        "contacts": [
            {"type": "Phone", "value": "(602) 555-0100"},
            {"type": "Email", "value": "jo@example.com"},
        ],
        **changes,
    }


def job_body(customer: Json, booking: str | None = None, **changes: Json) -> dict[str, Json]:
    external = {"applicationGuid": GUID, "externalData": [{"key": "bookingId", "value": booking}]}
    return {
        "customerId": customer["id"],
        "locationId": customer["locations"][0]["id"],
        "businessUnitId": 101,
        "jobTypeId": 201,
        "priority": "Normal",
        "campaignId": 301,
        "summary": "A door",
        "appointments": [{"start": "2026-12-01T16:00:00Z", "end": "2026-12-01T18:00:00Z"}],
        **({"externalData": external} if booking else {}),
        **changes,
    }
