"""POST /webhook: what is taken, what is published, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from tests.support.web import Sent, Served, serving
from tests.unit.web.test_health import LIVE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

BODY = orjson.dumps(
    {"eventId": "e-1", "jobId": 1001, "status": "completed", "occurredAt": "2006-03-02T08:00:00Z"}
)
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def signed(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, WEBHOOK_SECRETS="old-secret-of-ours,new-secret-of-ours") as served:
        yield served


def signature(body: bytes = BODY, secret: bytes = b"new-secret-of-ours") -> dict[str, str]:
    return {"X-ServiceTitan-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest()}


async def post(served: Served, headers: Mapping[str, str] = JSON, *, body: bytes = BODY) -> tuple[int, Any]:
    found, answer, _ = await served.ask("POST", "/webhook", data=body, headers={**JSON, **headers})
    return found, answer


async def test_it_is_published_as_it_came(signed: Served) -> None:
    found, answer = await post(signed, {**signature(), "User-Agent": "ST/2", "Authorization": "Bearer x"})
    assert (found, answer["data"]) == (200, {"jobId": 1001, "verifiedBy": "key 2"})
    (sent,) = signed.sent
    assert (sent.topic, sent.key, sent.value) == ("webhooks", b"1001", BODY)
    assert sent.headers["x-verified-by"] == b"key 2"
    assert sent.headers["user-agent"] == b"ST/2"
    assert "authorization" not in sent.headers


async def test_the_same_again_is_taken_again(signed: Served) -> None:
    for _ in range(2):
        assert (await post(signed, signature()))[0] == 200
    assert len(signed.sent) == 2


async def test_a_sender_cannot_say_that_it_was_verified(signed: Served) -> None:
    await post(signed, {**signature(), "X-Verified-By": "key 9"})
    assert signed.sent[0].headers["x-verified-by"] == b"key 2"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-ServiceTitan-Signature": "nonsense"},
        signature(secret=b"another"),
        signature(body=BODY + b" "),
        {"webhook-signature": "v1,AAAA", "webhook-id": "m", "webhook-timestamp": "1"},
    ],
)
async def test_what_is_not_signed_by_us_is_refused(signed: Served, headers: dict[str, str]) -> None:
    found, answer = await post(signed, headers)
    assert (found, answer["error"]) == (401, "Unauthorized")
    assert signed.sent == []


async def test_what_is_refused_leaves_the_names_of_its_headers_and_no_value(signed: Served) -> None:
    """By them one sees under which header a sender signs."""
    with capture_logs() as lines:
        assert (await post(signed, {"ST-Signature": "deadbeef", "X-Token": "hush"}))[0] == 401
    (line,) = (line for line in lines if line["event"] == "webhook refused")
    assert {"st-signature", "x-token", "content-type"} <= set(line["headers"])
    assert not re.search("deadbeef|hush", str(lines))


async def test_a_standard_webhook_is_taken_while_it_is_fresh(signed: Served) -> None:
    for age, found in ((0, 200), (600, 401)):
        at = signed.now - timedelta(seconds=age)
        headers = {
            "webhook-id": "m",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(b"old-secret-of-ours").sign("m", at, BODY.decode()),
        }
        assert (await post(signed, headers))[0] == found


async def test_a_forged_one_is_not_even_read(signed: Served) -> None:
    assert (await post(signed, body=b"no json"))[0] == 401
    found, answer = await post(signed, signature(b"no json"), body=b"no json")
    assert (found, answer["error"]) == (400, "Validation Error")


async def test_without_secrets_unsigned_ones_are_taken_in_simulation_only(
    served: Served, tmp_path: Path
) -> None:
    found, answer = await post(served)
    assert (found, answer["data"]["verifiedBy"]) == (200, "unsigned")
    (tmp_path / "live").mkdir()
    async with serving(tmp_path / "live", **LIVE) as live:
        found, answer = await post(live)
        assert (found, answer["error"]) == (503, "Service Unavailable")
        assert live.sent == []


async def test_what_is_about_no_job_is_taken_all_the_same(served: Served) -> None:
    found, answer = await post(
        served, body=orjson.dumps({"specversion": "1.0", "type": "tn.dis.zone-updated", "data": {}})
    )
    assert (found, answer["data"]["jobId"]) == (200, None)
    assert [sent.key for sent in served.sent] == [b""], "the page says what became of it"


async def test_it_is_answered_only_once_kafka_has_it(served: Served) -> None:
    acknowledged = asyncio.Event()

    async def on_publish(_: Sent) -> None:
        await acknowledged.wait()

    served.on_publish = on_publish
    answer = asyncio.create_task(post(served))
    done, _ = await asyncio.wait([answer], timeout=0.2)
    assert done == set()
    acknowledged.set()
    assert (await answer)[0] == 200


async def test_a_flood_faster_than_kafka_takes_them_is_503(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Sent) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("app.web.submission.PUBLISH_SECONDS", 0.2)
    served.on_publish = never
    found = await asyncio.gather(*(post(served) for _ in range(50)))
    assert {status for status, _ in found} == {503}
    served.on_publish = None
    assert (await post(served))[0] == 200


async def test_it_works_while_the_view_is_behind(served: Served) -> None:
    served.view.set_progress(caught_up=False)
    assert (await post(served))[0] == 200


@pytest.mark.parametrize(("kind", "found"), [("text/plain", 415), ("application/cloudevents+json", 200)])
async def test_it_must_be_said_to_be_json(served: Served, kind: str, found: int) -> None:
    assert (await post(served, {"Content-Type": kind}))[0] == found
