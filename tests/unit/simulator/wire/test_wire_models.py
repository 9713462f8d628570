import inspect
from types import ModuleType

import pytest
from pydantic import ValidationError

from app.simulator.wire import crm, envelope, jpm, office, webhook
from app.simulator.wire.base import Wire

MODULES = (crm, envelope, jpm, office, webhook)


def models(module: ModuleType) -> list[type[Wire]]:
    return [item for _, item in inspect.getmembers(module, inspect.isclass) if issubclass(item, Wire)]


def test_a_request_sends_only_what_was_set() -> None:
    assert jpm.PatchJob(summary=None).request() == b'{"summary":null}'
    assert jpm.RescheduleAppointment().request() == b"{}"


def test_an_answer_shows_every_field_with_nulls() -> None:
    shown = jpm.Note(text="x").model_dump(mode="json")
    assert shown == {
        "text": "x",
        "isPinned": False,
        "createdById": None,
        "createdOn": None,
        "modifiedOn": None,
    }


def test_unknown_fields_are_ignored_as_the_vendor_adds_some() -> None:
    body = b'{"id":1,"name":"a","new":{"x":1}}'
    assert jpm.JobReason.read(body) == jpm.JobReason(id=1, name="a")


def test_a_job_with_nulls_where_the_specification_says_never_is_read() -> None:
    job = jpm.Job.read(
        b'{"id":1,"jobNumber":"1","customerId":2,"locationId":3,"jobStatus":"Hold","customerPo":null,'
        b'"externalData":null,"createdOn":"0001-01-01T00:00:00Z","modifiedOn":"2024-01-01T00:00:00.1234567Z"}'
    )
    assert job.external_data is None
    assert job.modified_on.microsecond == 123456


def test_a_job_in_an_unknown_status_is_no_job() -> None:
    with pytest.raises(ValidationError):
        jpm.Job.read(
            b'{"id":1,"jobNumber":"1","customerId":2,"locationId":3,"jobStatus":"Paused",'
            b'"createdOn":"2024-01-01T00:00:00Z","modifiedOn":"2024-01-01T00:00:00Z"}'
        )


def test_a_job_type_has_the_field_class() -> None:
    assert jpm.JobType.read(b'{"id":1,"name":"a","class":"b"}').class_ == "b"
    assert b'"class":"b"' in jpm.JobType.read(b'{"id":1,"name":"a","class":"b"}').answer()


def test_the_token_keeps_its_snake_case() -> None:
    token = envelope.TokenAnswer.read(b'{"access_token":"t","expires_in":900,"token_type":"Bearer"}')
    assert token.access_token == "t"
    assert b'"expires_in":900' in token.answer()


def test_a_v1_webhook_tells_its_event() -> None:
    body = webhook.WebhookV1.read(
        b'{"id":1,"jobStatus":"InProgress","modifiedOn":"2024-01-01T00:00:00.1",'
        b'"__eventInfo":{"eventId":"e","webhookType":"TechnicianDispatched"}}'
    )
    assert body.event_info is not None
    assert body.event_info.webhook_type == "TechnicianDispatched"


@pytest.mark.parametrize("model", [model for module in MODULES for model in models(module)])
def test_outside_names_are_never_snake_case(model: type[Wire]) -> None:
    if model is envelope.TokenAnswer:
        return
    names = [field.serialization_alias or field.alias or name for name, field in model.model_fields.items()]
    assert not [name for name in names if "_" in name.removeprefix("__")]
