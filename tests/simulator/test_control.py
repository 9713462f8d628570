"""The control API: what happened, life by command and on a schedule, a fresh start."""

import asyncio

import pytest

from tests.support.simulated import Caller, Json


async def test_effects_tell_in_order_what_became_true(caller: Caller) -> None:
    job = await caller.add_job(booking="BK-1")
    await caller.call("PUT", f"jpm/jobs/{job['id']}/cancel", {"reasonId": 401, "memo": "x"})
    effects = (await caller.control("GET", "effects"))["effects"]
    assert [row["number"] for row in effects] == list(range(1, len(effects) + 1))
    assert [(row["kind"], row["origin"], row["booking"]) for row in effects if row["job"] == job["id"]] == [
        ("job.created", "POST /jpm/v2/tenant/{tenant}/jobs", "BK-1"),
        ("job.canceled", "PUT /jpm/v2/tenant/{tenant}/jobs/{id}/cancel", "BK-1"),
    ]


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("kind=job.created", ["job.created", "job.created"]),
        ("booking=BK-2", ["job.created"]),
        ("after=5", ["job.created"]),
        ("limit=1", ["customer.created"]),
    ],
)
async def test_effects_are_filtered(caller: Caller, query: str, kinds: list[str]) -> None:
    customer = await caller.add_customer()
    for booking in ("BK-1", "BK-2"):
        await caller.add_job(customer, booking)
    told = await caller.control("GET", f"effects?{query}")
    assert [row["kind"] for row in told["effects"]] == kinds


async def test_a_bad_filter_of_effects_is_refused(caller: Caller) -> None:
    assert (await caller.send("GET", "/simulator/effects?after=x")).status == 400


async def test_calls_are_told_with_their_effects(caller: Caller) -> None:
    await caller.add_job(booking="BK-1")
    told = await caller.control("GET", "calls?limit=1")
    assert told["total"] == 3
    call = told["calls"][0]
    assert (call["method"], call["status"], call["effects"], call["booking"]) == (
        "POST",
        200,
        ["job.created"],
        "BK-1",
    )


async def test_a_technician_is_played_by_command(caller: Caller) -> None:
    job = await caller.add_job()
    seen = []
    for action in ("assign", "dispatch", "work", "complete"):
        told = await caller.control("POST", f"jobs/{job['id']}/play", {"action": action})
        seen.append((told["jobStatus"], told["appointments"][0]["status"]))
    assert seen == [
        ("Scheduled", "Scheduled"),
        ("InProgress", "Dispatched"),
        ("InProgress", "Working"),
        ("Completed", "Done"),
    ]
    read = await caller.get(f"jpm/jobs/{job['id']}")
    assert read["completedOn"] is not None
    history = (await caller.get(f"jpm/jobs/{job['id']}/history"))["history"]
    assert [entry["eventType"] for entry in history] == [
        "Job Booked",
        "Technician Assigned",
        "Technician Dispatched",
        "Technician Arrived",
        "Technician Done",
        "Job Completed",
    ]


@pytest.mark.parametrize(
    ("job", "action", "status"), [("1", "work", 404), (None, "sleep", 400), (None, "resume", 409)]
)
async def test_what_cannot_be_played_is_refused(
    caller: Caller, job: str | None, action: str, status: int
) -> None:
    number = job or (await caller.add_job())["id"]
    answer = await caller.send("POST", f"/simulator/jobs/{number}/play", json={"action": action})
    assert answer.status == status


async def statuses(caller: Caller) -> set[str]:
    rows: list[Json] = (await caller.get("jpm/jobs"))["data"]
    return {row["jobStatus"] for row in rows}


async def test_life_goes_on_by_itself(caller: Caller) -> None:
    customer = await caller.add_customer()
    for _ in range(5):
        await caller.add_job(customer)
    await caller.control("POST", "life", {"seconds": 0.05})
    async with asyncio.timeout(30):
        while not await statuses(caller) <= {"Completed", "Canceled"}:
            await asyncio.sleep(0.05)
    origins = {row["origin"] for row in (await caller.control("GET", "effects"))["effects"]}
    assert "play complete" in origins


async def test_a_reset_begins_again_from_the_seed(caller: Caller) -> None:
    first = await caller.add_job(booking="BK-1")
    await caller.control("POST", "faults", {"kind": "drop"})
    assert (await caller.control("POST", "reset"))["seed"] == 1
    stats = await caller.control("GET", "stats")
    assert (stats["jobs"], stats["calls"], stats["effects"]) == (0, 0, 0)
    assert (await caller.call("GET", "jpm/jobs")).status == 401
    await caller.sign_in()
    assert (await caller.add_job(booking="BK-1"))["id"] == first["id"]
