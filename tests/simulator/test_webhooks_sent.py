"""Webhooks as a receiver gets them: signed, in order, again, twice, late, shuffled."""

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from app.simulator import webhooks
from tests.support.simulated import Caller, Json

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="


class Receiver:
    """Takes webhooks, and answers what it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 202)

    async def wait_for(self, count: int) -> list[Json]:
        async with asyncio.timeout(30):
            while len(self.got) < count:
                await asyncio.sleep(0.02)
        return [orjson.loads(body) for _, body in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


async def subscribe(caller: Caller, receiver: Receiver, **settings: Json) -> None:
    await caller.control("POST", "webhooks", {"url": receiver.url, **settings})


async def test_what_happens_is_told_in_order(caller: Caller, receiver: Receiver) -> None:
    await subscribe(caller, receiver)
    job = await caller.add_job(booking="BK-1")
    for action in ("dispatch", "work", "complete"):
        await caller.control("POST", f"jobs/{job['id']}/play", {"action": action})
    bodies = await receiver.wait_for(6)
    assert [body["type"] for body in bodies] == [
        "tn.jpm.job-scheduled",
        "tn.dis.technician-dispatched",
        *["tn.jpm.job-appointment-updated"] * 3,
        "tn.jpm.job-completed",
    ]
    ids = {body["data"].get("job", body["data"].get("appointment"))["id"] for body in bodies}
    assert job["id"] in ids
    assert len({body["userassignedid"] for body in bodies}) == len(bodies)
    told = (await caller.control("GET", "webhooks"))["webhooks"]
    assert all(item["answers"] == [202] for item in told)


async def test_signatures_of_both_schemes_are_good(caller: Caller, receiver: Receiver) -> None:
    await subscribe(caller, receiver, secret=SECRET, scheme="both", form="plain")
    await caller.add_job()
    await receiver.wait_for(1)
    headers, body = receiver.got[0]
    key = webhooks.secret_key(SECRET)
    assert headers["x-servicetitan-signature"] == hmac.digest(key, body, hashlib.sha256).hex()
    made = Webhook(SECRET).sign(headers["webhook-id"], _time(headers["webhook-timestamp"]), body.decode())
    assert headers["webhook-signature"] == made
    assert "secret" not in str((await caller.control("GET", "webhooks"))["settings"])


async def test_each_may_come_twice(caller: Caller, receiver: Receiver) -> None:
    await subscribe(caller, receiver, form="v1", twice=1)
    await caller.add_job()
    await caller.add_job()
    bodies = await receiver.wait_for(4)
    assert set(Counter(body["id"] for body in bodies).values()) == {2}
    assert all(body["__eventInfo"]["webhookType"] == "JobBooked" for body in bodies)


async def test_some_come_late_or_shuffled(caller: Caller, receiver: Receiver) -> None:
    await subscribe(caller, receiver, form="plain", shuffle=40)
    customer = await caller.add_customer()
    jobs = [await caller.add_job(customer) for _ in range(20)]
    shuffled = [body["jobId"] for body in await receiver.wait_for(20)]
    wanted = [job["id"] for job in jobs]
    assert sorted(shuffled) == wanted
    assert shuffled != wanted
    receiver.got.clear()
    await subscribe(caller, receiver, form="plain", late=0.5, lateSeconds=1)
    for job in jobs:
        await caller.call("PATCH", f"jpm/jobs/{job['id']}", {"summary": "x"})
    late = [body["jobId"] for body in await receiver.wait_for(20)]
    assert sorted(late) == wanted
    assert late != wanted


async def test_what_is_not_taken_is_sent_again(
    caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "RETRY_SECONDS", (0.01, 0.01, 0.01, 0.01))
    receiver.answers = [500, 503]
    await subscribe(caller, receiver, form="plain")
    await caller.add_job()
    await receiver.wait_for(3)
    async with asyncio.timeout(30):
        while [item["answers"] for item in (await caller.control("GET", "webhooks"))["webhooks"]] != [
            [500, 503, 202]
        ]:
            await asyncio.sleep(0.02)
    assert len({body for _, body in receiver.got}) == 1


async def test_a_receiver_that_is_away_harms_nothing(caller: Caller, receiver: Receiver) -> None:
    await caller.control("POST", "webhooks", {"url": "http://127.0.0.1:9/hook", "form": "plain"})
    await caller.add_job()
    async with asyncio.timeout(30):
        while [item["answers"] for item in (await caller.control("GET", "webhooks"))["webhooks"]] != [[0]]:
            await asyncio.sleep(0.02)
    assert (await caller.call("GET", "jpm/jobs")).status == 200
    assert not receiver.got


def _time(text: str) -> Json:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(text), UTC)
