import base64
import hashlib
import hmac
from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.simulator.life import Act, play
from app.simulator.state.records import JobRow
from app.simulator.state.world import World
from app.simulator.webhook_bodies import EVENTS, body_of, plain_status
from app.simulator.webhooks import WebhookSettings, signatures
from app.simulator.wire.webhook import WebhookPlain, WebhookV1, WebhookV2
from tests.support.simulated import add_customer, add_job, make_world

BODY = b'{"a":1}'


@pytest.fixture
def dispatched() -> tuple[World, JobRow]:
    world = make_world()
    job = add_job(world, add_customer(world), "BK-1")
    play(world, job, Act.DISPATCH)
    return world, job


def test_v2_is_an_envelope_around_the_job(dispatched: tuple[World, JobRow]) -> None:
    world, job = dispatched
    body = body_of(world, world.effects[-1], "v2")
    assert body is not None
    told = WebhookV2.read(body)
    assert told.event_type == "job.updated"
    assert told.data["id"] == job.id
    assert told.data["jobStatus"] == "InProgress"
    assert told.data["appointments"][0]["status"] == "Dispatched"
    assert told.data["externalData"] == [{"key": "bookingId", "value": "BK-1"}]


def test_v1_is_the_job_deep_and_its_times_have_no_zone(dispatched: tuple[World, JobRow]) -> None:
    world, job = dispatched
    body = body_of(world, world.effects[-1], "v1")
    assert body is not None
    told = orjson.loads(body)
    assert told["jobStatus"] == "InProgress"
    assert told["firstAppointment"]["status"] == "Dispatched"
    assert told["jobAssignments"][0]["status"] == "Dispatched"
    assert told["__eventInfo"]["webhookType"] == "TechnicianDispatched"
    assert not told["modifiedOn"].endswith("Z")
    read = WebhookV1.read(body)
    assert read.modified_on == job.modified_on


def test_plain_has_the_five_words(dispatched: tuple[World, JobRow]) -> None:
    world, job = dispatched
    words = []
    for act in (None, Act.WORK, Act.COMPLETE):
        if act:
            play(world, job, act)
        body = body_of(world, world.effects[-1], "plain")
        assert body is not None
        words.append(WebhookPlain.read(body).status)
    assert words == ["dispatched", "in_progress", "completed"]
    other = add_job(world, add_customer(world))
    assert plain_status(world, other) == "scheduled"
    play(world, other, Act.CANCEL)
    assert plain_status(world, other) == "cancelled"


def test_effects_that_the_vendor_does_not_tell_are_not_told() -> None:
    world = make_world()
    add_job(world, add_customer(world))
    told = {effect.kind for effect in world.effects if body_of(world, effect, "v2")}
    assert told == {"customer.created", "job.created"}
    assert body_of(world, world.effects[0], "v1") is None
    assert body_of(world, world.effects[0], "plain") is None
    assert "job.noted" not in EVENTS


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_the_body_is_signed_by_hmac(encoding: str) -> None:
    settings = WebhookSettings.model_validate({"secret": "s" * 32, "encoding": encoding})
    headers = signatures(settings, "id", BODY, datetime.now(UTC))
    digest = hmac.new(b"s" * 32, BODY, hashlib.sha256).digest()
    wanted = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    assert headers == {"x-servicetitan-signature": wanted}


def test_the_other_scheme_is_that_of_the_standard() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    settings = WebhookSettings(secret=secret, scheme="both")
    headers = signatures(settings, "sim-1", BODY, datetime.now(UTC))
    assert "x-servicetitan-signature" in headers
    Webhook(secret).verify(BODY.decode(), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify('{"a":2}', headers)


def test_without_a_secret_nothing_is_signed() -> None:
    assert signatures(WebhookSettings(), "id", BODY, datetime.now(UTC)) == {}


def test_a_secret_is_never_shown() -> None:
    assert "hush" not in repr(WebhookSettings(secret="hush"))
