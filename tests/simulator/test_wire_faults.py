"""Each fault as a client meets it, and whether the work was done."""

import asyncio

import aiohttp
import pytest

from tests.support.simulated import Answered, Caller, Json, customer_body

CREATE = ("POST", "crm/customers")


async def fault(caller: Caller, **rule: Json) -> Json:
    return await caller.control("POST", "faults", {"path": "*/customers", "count": 1, **rule})


async def create(caller: Caller) -> Answered:
    return await caller.call(*CREATE, customer_body())


async def customers(caller: Caller) -> int:
    count: int = (await caller.control("GET", "stats"))["customers"]
    return count


async def last_call(caller: Caller) -> Json:
    return (await caller.control("GET", "calls?limit=1"))["calls"][0]


async def until(caller: Caller, wanted: int) -> None:
    async with asyncio.timeout(20):
        while await customers(caller) != wanted:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("kind", "status", "done"),
    [
        ("error_before", 500, 0),
        ("error_after", 500, 1),
        ("unauthorized", 401, 0),
        ("forbidden", 403, 0),
        ("conflict", 409, 0),
        ("too_many", 429, 0),
        ("error_in_200", 200, 0),
        ("not_json", 200, 1),
        ("slow", 200, 1),
    ],
)
async def test_answers_that_faults_give(caller: Caller, kind: str, status: int, done: int) -> None:
    await fault(caller, kind=kind, seconds=0.05)
    answer = await create(caller)
    assert (answer.status, await customers(caller)) == (status, done)
    record = await last_call(caller)
    assert (record["status"], record["fault"]) == (status, kind)
    assert bool(record["effects"]) is bool(done)
    assert (await create(caller)).status == 200


async def test_an_error_may_have_any_5xx(caller: Caller) -> None:
    await fault(caller, kind="error_after", status=504)
    assert (await create(caller)).status == 504


async def test_an_error_in_200_is_a_body_of_an_error(caller: Caller) -> None:
    await fault(caller, kind="error_in_200")
    answer = await create(caller)
    assert answer.json["status"] == 500
    assert "traceId" in answer.json


async def test_what_is_not_json_is_html(caller: Caller) -> None:
    await fault(caller, kind="not_json")
    answer = await create(caller)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "SIMULATION" in answer.text


@pytest.mark.parametrize("header", [True, False])
async def test_a_storm_of_429_with_and_without_the_header(caller: Caller, *, header: bool) -> None:
    await fault(caller, kind="too_many", count=3, seconds=7, retryAfter=header)
    for _ in range(3):
        answer = await create(caller)
        assert answer.status == 429
        assert answer.json["title"].endswith("Try again in 7 seconds.")
        assert answer.headers.get("Retry-After") == ("7" if header else None)
    assert (await create(caller)).status == 200


@pytest.mark.parametrize(("kind", "done"), [("drop_before", 0), ("drop", 1)])
async def test_a_dropped_connection(caller: Caller, kind: str, done: int) -> None:
    await fault(caller, kind=kind)
    with pytest.raises(aiohttp.ClientConnectionError):
        await create(caller)
    assert await customers(caller) == done
    assert (await last_call(caller))["status"] is None


async def test_half_an_answer(caller: Caller) -> None:
    await fault(caller, kind="half")
    with pytest.raises(aiohttp.ClientPayloadError):
        await create(caller)
    assert await customers(caller) == 1


async def gives_up(caller: Caller) -> None:
    with pytest.raises(TimeoutError):
        await caller.send(
            "POST",
            "/crm/v2/tenant/1/customers",
            json=customer_body(),
            headers=caller.headers,
            timeout=aiohttp.ClientTimeout(total=0.3),
        )


async def test_no_answer_though_the_work_is_done(caller: Caller) -> None:
    await fault(caller, kind="timeout_after")
    await gives_up(caller)
    assert await customers(caller) == 1


async def test_work_that_is_done_after_the_caller_gave_up(caller: Caller) -> None:
    await fault(caller, kind="late", seconds=1.5)
    await gives_up(caller)
    assert await customers(caller) == 0
    await until(caller, 1)
    effects = (await caller.control("GET", "effects?kind=customer.created"))["effects"]
    assert effects[0]["call"] == (await last_call(caller))["number"]


async def test_late_work_ends_with_the_simulator_or_a_reset(caller: Caller) -> None:
    await fault(caller, kind="late", seconds=0.5)
    await gives_up(caller)
    await caller.control("POST", "reset")
    await asyncio.sleep(0.6)
    assert await customers(caller) == 0


async def test_an_outage_covers_the_token_too(caller: Caller) -> None:
    await caller.control("POST", "outage", {"seconds": 600})
    assert [(await create(caller)).status, (await caller.token()).status] == [503, 503]
    await caller.control("DELETE", "faults")
    assert [(await create(caller)).status, (await caller.token()).status] == [200, 200]
    await caller.control("POST", "outage", {"seconds": 600, "dropped": True})
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.token()


async def test_the_token_endpoint_alone_may_fail(caller: Caller) -> None:
    await caller.control("POST", "faults", {"kind": "error_before", "path": "/connect/token"})
    assert [(await create(caller)).status, (await caller.token()).status] == [200, 500]


async def test_faults_are_listed_with_how_often_they_struck(caller: Caller) -> None:
    first = await fault(caller, kind="error_before", count=5)
    second = await fault(caller, kind="slow", seconds=0)
    await create(caller)
    listed = (await caller.control("GET", "faults"))["faults"]
    assert [(rule["number"], rule["hits"]) for rule in listed] == [
        (first["number"], 1),
        (second["number"], 0),
    ]
    left = await caller.control("DELETE", f"faults/{first['number']}")
    assert [rule["number"] for rule in left["faults"]] == [second["number"]]


@pytest.mark.parametrize(
    "body", [{}, {"kind": "no"}, {"kind": "drop", "rate": 2}, {"kind": "drop", "odd": 1}]
)
async def test_a_fault_that_means_nothing_is_refused(caller: Caller, body: Json) -> None:
    answer = await caller.send("POST", "/simulator/faults", json=body)
    assert answer.status == 400
    assert answer.json["details"]


async def test_every_kind_of_fault_is_explained_in_the_docs(caller: Caller) -> None:
    from app.simulator.faults import FaultKind
    from app.simulator.pages import FAULT_WORDS

    page = (await caller.send("GET", "/simulator/docs")).text
    assert set(FAULT_WORDS) == set(FaultKind)
    assert all(f"<code>{kind}</code>" in page for kind in FaultKind)
