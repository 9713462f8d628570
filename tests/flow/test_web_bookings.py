"""The API of real workers, on real Kafka and the simulator: the same answers from whichever is asked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from app.local.kafka import SHORT_LIVED, LocalKafka, free_port
from tests.support.flow import CREATE_JOB, booking, flow_on, simulated
from tests.support.web import PREFIX, check_answer
from tests.support.worker_process import worker_here, worker_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.flow import Flow

PATIENCE = 60
SECRET = "a secret of webhooks"


@dataclass(frozen=True, slots=True)
class Asked:
    """One worker's API."""

    session: aiohttp.ClientSession
    port: int

    async def __call__(
        self, method: str, path: str, *, data: bytes | None = None, json: object = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, body and headers of the answer, which is one that the API's description has."""
        url = f"http://127.0.0.1:{self.port}{'' if path.startswith(PREFIX) else PREFIX}{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, data=data, json=json, headers=named) as response:
            body = await response.json()
            check_answer(method, response.url.raw_path, response.status, body)
            return response.status, body, response.headers

    async def until(self, path: str, status: int = 200) -> dict[str, Any]:
        """The data of this answer, once it has that status; empty when it is an error."""
        async with asyncio.timeout(PATIENCE):
            while (answer := await self("GET", path))[0] != status:
                await asyncio.sleep(0.05)
        data: dict[str, Any] = answer[1].get("data", {})
        return data


@asynccontextmanager
async def asked(port: int) -> AsyncIterator[Asked]:
    async with aiohttp.ClientSession() as session:
        api = Asked(session, port)
        await api.until("/bookings/none", 404)
        yield api


@pytest.fixture
async def api(flow: Flow) -> AsyncIterator[Asked]:
    async with asked(flow.settings.web_port) as api:
        yield api


async def test_of_two_bookings_with_one_key_at_one_moment_one_is_made(flow: Flow, api: Asked) -> None:
    ids = ("b-1", "b-2")
    asks = (
        api("POST", "/jobs", json=booking(bookingId=one), Prefer="wait=30", Idempotency_Key="k")
        for one in ids
    )
    answers = await asyncio.gather(*asks)
    assert sorted(answer[0] for answer in answers) == [201, 409]
    assert sum(len(flow.jobs(one)) for one in ids) == 1


async def test_a_visit_is_booked_looked_up_changed_and_cancelled(flow: Flow, api: Asked) -> None:
    found, body, _ = await api("POST", "/jobs", json=booking(bookingId="b-1"), Prefer="wait=30")
    assert found == 201
    job = body["data"]
    (row,) = flow.jobs("b-1")
    assert (job["id"], job["bookingId"], job["status"]) == (row.id, "b-1", "scheduled")
    assert (await api("GET", f"/jobs/{job['id']}"))[1]["data"] == job
    again = await api("POST", "/jobs", json=booking(bookingId="b-1"))
    assert (again[0], again[1]["data"]["id"]) == (200, row.id)
    assert (await api("POST", "/jobs", json=booking(bookingId="b-1", doorCount=3)))[0] == 409

    body = {"status": "in_progress"}
    found, changed, _ = await api("PATCH", f"/jobs/{row.id}/status", json=body, Prefer="wait=30")
    assert (found, changed["data"]["status"]) == (200, "in_progress")
    found, gone, _ = await api("DELETE", f"/jobs/{row.id}", json={"reason": "moved"}, Prefer="wait=30")
    assert (found, gone["data"]["status"]) == (200, "cancelled")
    assert (await api("PATCH", f"/jobs/{row.id}/status", json={"status": "completed"}))[0] == 409
    assert len(flow.jobs("b-1")) == 1
    assert flow.of(flow.topics.dead_letter.name) == []


async def test_a_booking_without_an_id_sent_twice_is_one_job(flow: Flow, api: Asked) -> None:
    first, second = await asyncio.gather(
        *(api("POST", "/jobs", json=booking(), Idempotency_Key="k", Prefer="wait=30") for _ in range(2))
    )
    assert {first[0], second[0]} <= {200, 201}
    assert first[1]["data"]["id"] == second[1]["data"]["id"]
    assert len(flow.jobs(first[1]["data"]["bookingId"])) == 1


async def test_what_is_refused_for_good_is_told_and_can_be_repaired(flow: Flow, api: Asked) -> None:
    found, body, _ = await api("POST", "/jobs", json=booking(bookingId="b-1", zip="00000"), Prefer="wait=30")
    assert (found, body["error"]) == (422, "area-not-supported")
    act = {"action": "repair", "why": "a slip of the pen", "data": booking()}
    found, body, headers = await api("POST", "/bookings/b-1/actions", json=act)
    assert (found, body["data"]["status"]) == (202, "queued")
    await api.until(headers["Location"])
    seen = await api.until("/bookings/b-1")
    async with asyncio.timeout(PATIENCE):
        while seen["job"] is None:
            seen = await api.until("/bookings/b-1")
    assert any(line["asked"] == "repair by local: a slip of the pen" for line in seen["timeline"])
    assert len(flow.jobs("b-1")) == 1


async def test_a_job_that_takes_longer_is_waited_for_at_its_address(flow: Flow, api: Asked) -> None:
    flow.fault("error_before", CREATE_JOB, count=1)
    found, _, headers = await api("POST", "/jobs", json=booking(bookingId="b/1"), Prefer="wait=0")
    assert found == 202
    found, body, _ = await api("GET", f"{headers['Location']}&wait=30")
    assert (found, body["data"]["job"]["bookingId"]) == (200, "b/1")


async def test_a_batch_makes_its_jobs(api: Asked) -> None:
    good = [booking(bookingId=f"b-{number}") for number in range(20)]
    bookings = [*good, booking(bookingId="bad", phone="1"), booking(bookingId="b-0")]
    found, body, _ = await api("POST", "/jobs/batch", json={"bookings": bookings}, Prefer="wait=30")
    statuses = [one["status"] for one in body["data"]["results"]]
    assert (found, statuses) == (207, [201] * 20 + [400, 400])
    day = "startDate=2027-03-02&endDate=2027-03-02"
    ids: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page, _ = await api("GET", f"/jobs?{day}&limit=7{cursor and f'&cursor={cursor}'}")
        ids += [job["id"] for job in page["data"]["jobs"]]
        cursor = page["data"]["next"]
    assert sorted(ids) == sorted({one["data"]["id"] for one in body["data"]["results"][:20]})


async def test_an_event_of_the_booking_systems_own_is_waited_for(flow: Flow, api: Asked) -> None:
    event = await flow.send("created", "b-1")
    found, body, _ = await api("GET", f"/bookings/b-1?event={event}&wait=30")
    assert (found, body["data"]["state"]) == (200, "active")


async def test_health_knows_of_the_jobs(flow: Flow, api: Asked) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    async with asyncio.timeout(PATIENCE):
        while (answer := await api("GET", "/health"))[1]["data"]["jobsCreated"] != 1:
            await asyncio.sleep(0.1)
    assert answer[0] == 200
    assert answer[1]["data"]["workers"] == 1
    assert (await api("GET", "/auth/test"))[1]["data"]["authenticated"] is True


async def test_a_webhook_updates_the_job_and_causes_no_call(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, WEBHOOK_SECRETS=SECRET) as flow,
        worker_here(flow.settings),
        asked(flow.settings.web_port) as api,
    ):
        await flow.send("created", "b-1")
        view = await flow.view("b-1", state="active")
        effects = flow.effects("b-1")
        report = {"jobId": view["job"]["id"], "status": "completed", "occurredAt": "2036-01-01T00:00:00Z"}
        body = orjson.dumps(report)
        sign = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X_ServiceTitan_Signature": sign, "Content_Type": "application/json"}
        for _ in range(2):
            assert (await api("POST", "/webhook", data=body, **headers))[0] == 200
        headers["X_ServiceTitan_Signature"] = sign[::-1]
        assert (await api("POST", "/webhook", data=body, **headers))[0] == 401
        await flow.view("b-1", state="ended", status="completed")
        assert flow.effects("b-1") == effects
        assert flow.types("b-1") == ["job.created", "job.updated"]


async def test_any_worker_gives_the_same_answers(kafka: str, unique_prefix: str, tmp_path: Path) -> None:
    """Two workers share the bookings; each is asked for what the other works."""
    other = free_port()
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator) as flow,
        worker_here(flow.settings),
        worker_process(
            {**flow.environ, "WEB_PORT": str(other), "DATA_DIR": str(tmp_path / "other")}, tmp_path / "log"
        ),
        asked(flow.settings.web_port) as here,
        asked(other) as there,
    ):
        names = [f"b-{number}" for number in range(8)]
        booked = await asyncio.gather(
            *(
                (here, there)[place % 2]("POST", "/jobs", json=booking(bookingId=name), Prefer="wait=30")
                for place, name in enumerate(names)
            )
        )
        assert [one[0] for one in booked] == [201] * len(names)
        for answer in booked:
            job = answer[1]["data"]
            for api in (here, there):
                assert await api.until(f"/jobs/{job['id']}") == job
        for api in (here, there):
            _, health, _ = await api("GET", "/health")
            assert health["data"]["workers"] == 2
        assert all(len(flow.jobs(name)) == 1 for name in names)


async def test_health_is_unhealthy_as_long_as_kafka_is_away(unique_prefix: str, tmp_path: Path) -> None:
    with LocalKafka(java_options=SHORT_LIVED) as own:
        async with (
            simulated() as simulator,
            flow_on(own.bootstrap_servers, unique_prefix, tmp_path, simulator) as flow,
            worker_here(flow.settings),
            asked(flow.settings.web_port) as api,
        ):
            assert (await api.until("/health"))["kafka"]["status"] == "up"
            await asyncio.to_thread(own.kill)
            gone = await api.until("/health", 503)
            assert (gone["status"], gone["kafka"]["status"]) == ("unhealthy", "down")
            await asyncio.to_thread(own.restart)
            async with asyncio.timeout(PATIENCE):
                while (await api.until("/health"))["status"] != "healthy":
                    await asyncio.sleep(0.05)
