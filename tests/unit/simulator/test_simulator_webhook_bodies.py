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
from app.simulator.webhook_bodies import EVENTS, WebhookForm, plain_status, told_of
from app.simulator.webhooks import WebhookSettings, signatures
from app.simulator.wire.webhook import WebhookPlain, WebhookV1
from tests.support.simulated import add_customer, add_job, make_world

BODY = b'{"a":1}'


@pytest.fixture
def dispatched() -> tuple[World, JobRow]:
    world = make_world()
    job = add_job(world, add_customer(world), "BK-1")
    play(world, job, Act.DISPATCH)
    return world, job


def one_body(world: World, form: WebhookForm) -> bytes:
    (told,) = told_of(world, world.effects[-1], form)
    return told.body()


def test_v2_is_a_cloudevent_whose_occurrence_is_the_same_in_each_delivery(
    dispatched: tuple[World, JobRow],
) -> None:
    world, job = dispatched
    sent, visit = told_of(world, world.effects[-1], "v2")
    first, second = orjson.loads(sent.body()), orjson.loads(sent.body())
    assert first.pop("id") != second.pop("id")
    assert first == second
    assert (first["specversion"], first["type"]) == ("1.0", "tn.dis.technician-dispatched")
    assert first["data"]["job"]["id"] == job.id
    assert first["data"]["job"]["jobStatus"] == "InProgress"
    assert first["data"]["job"].keys().isdisjoint({"summary", "customFields", "externalData"})
    assert "status" not in first["data"]["appointment"]
    moved = orjson.loads(visit.body())
    assert (moved["type"], moved["data"]["appointment"]["status"]) == (visit.event_type, "Dispatched")
    assert moved["userassignedid"] != first["userassignedid"]


@pytest.mark.parametrize(
    ("act", "types"),
    [
        (Act.RESCHEDULE, ["tn.jpm.job-rescheduled", "tn.jpm.job-appointment-updated"]),
        (Act.WORK, ["tn.jpm.job-appointment-updated"]),
        (Act.CANCEL, ["tn.jpm.job-updated"]),
    ],
)
def test_v2_tells_an_act_by_the_vendors_types(
    dispatched: tuple[World, JobRow], act: Act, types: list[str]
) -> None:
    world, job = dispatched
    seen = len(world.effects)
    assert play(world, job, act) is None
    told = [told for effect in world.effects[seen:] for told in told_of(world, effect, "v2")]
    assert [each.event_type for each in told] == types
    assert [orjson.loads(each.body())["type"] for each in told] == types


def test_v2_has_over_a_whole_life_what_the_vendor_documents_and_nothing_else_around_it() -> None:
    world = make_world()
    for acts in ((Act.RESCHEDULE, Act.DISPATCH, Act.WORK, Act.COMPLETE), (Act.HOLD, Act.RESUME, Act.CANCEL)):
        job = add_job(world, add_customer(world), booking=f"b-{len(acts)}")
        for act in acts:
            assert play(world, job, act) is None
    told = [orjson.loads(each.body()) for effect in world.effects for each in told_of(world, effect, "v2")]
    assert {event["type"] for event in told} == DATA.keys()
    for event in told:
        assert event.keys() == ENVELOPE
        assert (event["specversion"], event["source"]) == ("1.0", "https://webhooks.servicetitan.io")
        assert DATA[event["type"]] | {"tenantId", "tenantName"} <= event["data"].keys()
        if "job" in event["data"]:
            assert {"id", "jobStatus", "modifiedOn"} <= event["data"]["job"].keys()
    assert len({event["userassignedid"] for event in told}) == len(told)


ENVELOPE = {"specversion", "id", "type", "time", "source", "userassignedid", "datacontenttype", "data"}
DATA = {
    "tn.jpm.job-scheduled": {"job"},
    "tn.jpm.job-updated": {"job"},
    "tn.jpm.job-completed": {"job"},
    "tn.jpm.job-rescheduled": {"job", "appointmentId", "appointmentNumber"},
    "tn.jpm.job-appointment-updated": {"appointment"},
    "tn.dis.technician-dispatched": {"job", "appointment"},
}


def test_v1_is_the_job_deep_and_its_times_have_no_zone(dispatched: tuple[World, JobRow]) -> None:
    world, job = dispatched
    body = one_body(world, "v1")
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
        body = one_body(world, "plain")
        words.append(WebhookPlain.read(body).status)
    assert words == ["dispatched", "in_progress", "completed"]
    other = add_job(world, add_customer(world))
    assert plain_status(world, other) == "scheduled"
    play(world, other, Act.CANCEL)
    assert plain_status(world, other) == "cancelled"


def test_effects_that_the_vendor_does_not_tell_are_not_told() -> None:
    world = make_world()
    add_job(world, add_customer(world))
    forms: tuple[WebhookForm, ...] = ("v2", "v1", "plain")
    for form in forms:
        told = {effect.kind for effect in world.effects if told_of(world, effect, form)}
        assert told == {"job.created"}
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
