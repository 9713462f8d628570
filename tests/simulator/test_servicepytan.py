"""A ServiceTitan client from the package index works against the simulator unchanged.

servicepytan reads its hosts from the connection it is given, so that no module is patched.
"""

import asyncio
import json

import pytest
import requests
import servicepytan
from servicepytan.auth import get_auth_token, servicepytan_connect

from tests.support.simulated import TENANT, Caller, Json, customer_body, job_body


@pytest.fixture
def connection(caller: Caller) -> Json:
    made = servicepytan_connect(
        app_key="ak1.test", tenant_id=TENANT, client_id="cid.test", client_secret="cs1.test"
    )
    return {**made, "auth_root": caller.simulator.url, "api_root": caller.simulator.url}


async def test_servicepytan_does_its_work(caller: Caller, connection: Json) -> None:
    await asyncio.to_thread(work, connection)
    effects = (await caller.control("GET", "effects"))["effects"]
    kinds = [row["kind"] for row in effects if row["job"] is not None]
    assert kinds == ["job.created", "job.noted", "job.canceled"]


def work(connection: Json) -> None:
    """Token, business units, job types, customer, job, list, cancel, export."""
    assert get_auth_token(connection).count(".") == 2
    units = servicepytan.Endpoint("settings", "business-units", conn=connection).get_all({})
    types = servicepytan.Endpoint("jpm", "job-types", conn=connection).get_all({"pageSize": 3})
    assert len(types) == 8
    customer = servicepytan.Endpoint("crm", "customers", conn=connection).create(customer_body())
    endpoint = servicepytan.Endpoint("jpm", "jobs", conn=connection)
    body = job_body(customer, "BK-1", businessUnitId=units[0]["id"], jobTypeId=types[0]["id"])
    job = endpoint.create(body)
    note = servicepytan.Endpoint("jpm", f"jobs/{job['id']}/notes", conn=connection).create({"text": "x"})
    assert note["text"] == "x"
    assert endpoint.get_one(id=job["id"])["jobNumber"] == job["jobNumber"]
    assert [row["id"] for row in endpoint.get_all({"customerId": customer["id"]})] == [job["id"]]
    cancel = json.dumps({"reasonId": 401, "memo": "x"})
    with pytest.raises(
        requests.exceptions.JSONDecodeError
    ):  # it parses the empty 200, here as at the real one
        endpoint.update(job["id"], cancel, modifier="cancel")
    assert endpoint.get_one(id=job["id"])["jobStatus"] == "Canceled"
    exported = endpoint.export_all("jobs", include_recent_changes=True)
    assert [row["id"] for row in exported] == [job["id"]]


async def test_servicepytan_waits_as_the_title_of_a_429_says(caller: Caller, connection: Json) -> None:
    from servicepytan.utils import endpoint_url, request_json_with_retry

    await caller.control(
        "POST", "faults", {"kind": "too_many", "count": 1, "seconds": 1, "path": "*/job-types"}
    )
    url = endpoint_url("jpm", "job-types", conn=connection)
    page = await asyncio.to_thread(request_json_with_retry, url, conn=connection)
    assert len(page["data"]) == 8
    assert (await caller.control("GET", "stats"))["tooMany"] == 1
