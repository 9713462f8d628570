"""Whatever is sent, an endpoint answers as ServiceTitan would: never with an exception."""

import json

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from app.simulator.call import Call, Route
from app.simulator.life import Act, play
from app.simulator.query import Query
from app.simulator.server import ROUTES
from tests.support.simulated import GUID, Json, add_customer, add_job, make_world

ODD: list[Json] = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x",
    "Any",
    "2026-12-01",
    "0001-01-01T00:00:00+23:59",
    [],
    {},
    [1],
    "é",
]
FIELDS: dict[str, list[Json]] = {
    "customerId": [1001],
    "locationId": [1003],
    "businessUnitId": [101],
    "jobTypeId": [201],
    "campaignId": [301],
    "jobId": [1004],
    "jobAppointmentId": [1005],
    "reasonId": [401, 451],
    "technicianIds": [[501, 501], [501, 502]],
    "priority": ["High"],
    "memo": ["memo"],
    "text": ["text"],
    "name": ["Jo"],
    "type": ["Phone"],
    "value": ["6025550100", "error@test.com"],
    "active": [False],
    "start": ["2026-12-01T16:00:00Z"],
    "end": ["2026-12-01T18:00:00Z"],
    "completedOn": ["2026-12-01T18:00:00Z"],
    "arrivalWindowStart": ["2026-12-01T16:00:00Z"],
    "appointments": [[{"start": "2026-12-01T16:00:00Z", "end": "2026-12-01T18:00:00Z"}]],
    "address": [{"street": "a", "city": "b", "state": "c", "zip": "d", "country": "e"}, {"city": "x"}],
    "externalData": [{"applicationGuid": GUID, "externalData": [{"key": "bookingId", "value": "x"}]}],
    "customFields": [[{"typeId": 1, "value": None}]],
    "specialInstructions": ["dog"],
    "summary": ["sum"],
    "source": ["web"],
    "isFirstTimeClient": [True],
    "externalId": ["x"],
    "creditLimit": [5],
}
PARAMETERS = {
    "ids": ["1001,1004", "1005"],
    "customerIds": ["1001"],
    "appointmentIds": ["1005"],
    "jobId": ["1004"],
    "customerId": ["1001"],
    "technicianId": ["501"],
    "phone": ["6025550100", "555"],
    "jobStatus": ["scheduled"],
    "appointmentStatus": ["Done"],
    "active": ["any"],
    "sort": ["-ModifiedOn", "+Priority"],
    "page": ["2"],
    "pageSize": ["1"],
    "includeTotal": ["true"],
    "modifiedOnOrAfter": ["2026-11-24T12:00:00.1234567Z"],
    "createdBefore": ["2030-01-01"],
    "from": ["sim-1", "2020-01-01"],
    "includeRecentChanges": ["true"],
    "externalDataApplicationGuid": [GUID],
    "externalDataKey": ["bookingId"],
    "externalDataValues": ["BK-1,BK-2"],
    "latitude": ["33.4"],
    "street": ["main"],
    "tagTypeIds": ["1"],
    "hasUnusedAppointments": ["false"],
}
IDS = st.sampled_from(["1001", "1003", "1004", "1005", "5", "0", "x", "-1", "\uff19", "9" * 40])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    fields = draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True))
    body = {
        name: draw(st.sampled_from(FIELDS[name]) if draw(st.integers(0, 5)) else st.sampled_from(ODD))
        for name in fields
    }
    whole = {name: values[0] for name, values in FIELDS.items()} if draw(st.booleans()) else {}
    plain = json.dumps(whole | body).encode()
    return draw(st.sampled_from([plain, plain, plain, b"", b"{", b"[]", b"null", b"\xff"]))


@st.composite
def queries(draw: st.DrawFn) -> dict[str, str]:
    names = draw(st.lists(st.sampled_from(sorted(PARAMETERS)), unique=True, max_size=4))
    return {
        name: draw(
            st.sampled_from(PARAMETERS[name]) if draw(st.integers(0, 4)) else st.sampled_from(ODD).map(str)
        )
        for name in names
    }


CALLS = st.lists(st.tuples(st.sampled_from(ROUTES), IDS, queries(), bodies()), min_size=1, max_size=15)


@settings(max_examples=150)
@given(CALLS, st.lists(st.sampled_from(Act), max_size=3))
def test_every_call_is_answered(
    calls: list[tuple[Route, str, dict[str, str], bytes]], acts: list[Act]
) -> None:
    world = make_world()
    job = add_job(world, add_customer(world), "BK-1")
    assert (job.customer_id, job.location_id, job.id) == (1001, 1003, 1004)
    for act in acts:
        play(world, job, act)
    for route, row_id, query, body in calls:
        before = len(world.effects)
        path = {"tenant": "1", "id": row_id, "provider": "5"}
        answer = route.endpoint(world, Call(path, Query(query), body))
        assert answer.status in (200, 400, 404, 409), (route, answer)
        if answer.status != 200:
            refusal = orjson.loads(answer.body)
            assert refusal["status"] == answer.status
            assert refusal["errors"], "a refusal says what is wrong"
            assert len(world.effects) == before, "what is refused has no effect"
        elif answer.body:
            assert isinstance(orjson.loads(answer.body), dict)
        if route.method == "GET":
            assert len(world.effects) == before, "reading has no effect"
