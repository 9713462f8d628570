"""What is read of ServiceTitan's answers, whatever else stands in them."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from app.servicetitan import wire

TIMES = {"createdOn": "2024-01-01T00:00:00Z", "modifiedOn": "2024-01-01T00:00:00.1234567Z"}
JOB = {"id": 7, "jobNumber": "7", "customerId": 2, "locationId": 3, "jobStatus": "Hold", **TIMES}


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def test_a_job_with_unknown_words_keys_and_nulls_is_read() -> None:
    strange = JOB | {
        "jobStatus": "Paused",
        "priority": "Whenever",
        "isAutoDispatched": {"new": True},
        "externalData": None,
        "customerPo": None,
        "firstAppointmentId": None,
    }
    job = wire.Job.read(body(strange))
    assert (job.id, job.job_status, job.external_data, job.first_appointment_id) == (7, "Paused", (), None)
    assert job.modified_on == datetime(2024, 1, 1, microsecond=123456, tzinfo=UTC)


@pytest.mark.parametrize("wrong", [2**63, 2**64, 0, -5, None, "x", True, 1.5])
def test_what_is_no_id_does_not_make_the_rest_unreadable(wrong: object) -> None:
    assert wire.Job.read(body(JOB | {"customerId": wrong})).customer_id is None


@pytest.mark.parametrize("wrong", [2**63, 0, -5, None, True])
def test_a_job_without_an_id_of_its_own_is_no_job(wrong: object) -> None:
    with pytest.raises(ValidationError):
        wire.Job.read(body(JOB | {"id": wrong}))


def test_of_a_created_job_only_the_id_is_needed() -> None:
    answer = {"id": 9, "jobStatus": 3, "createdOn": "soon", "externalData": [1, {"key": 2}]}
    made = wire.Job.read(body(answer))
    assert made == wire.Job(id=9)


def test_a_row_that_cannot_be_read_is_left_out_and_kept_as_it_came() -> None:
    broken = {"id": "none", "externalData": [{"key": "bookingId", "value": "BK-1"}]}
    page = wire.page_of(wire.Job)(body({"page": 1, "hasMore": None, "data": [JOB, broken, "row", None]}))
    assert [row.id for row in page.data] == [7]
    assert page.left_out == (broken, "row", None)
    assert not page.has_more
    assert [wire.carries(row, "bookingId", "BK-1") for row in page.left_out] == [True, False, False]


@pytest.mark.parametrize("wrong", [b"{}", b'{"data": null}', b"[]", b"<html>", b'{"data": {}}'])
def test_what_is_no_page_is_not_taken_for_an_empty_one(wrong: bytes) -> None:
    with pytest.raises(ValidationError):
        wire.page_of(wire.Job)(wrong)


@pytest.mark.parametrize(
    "summary", [rb"\ud83d cut", rb"\udc00", b"caf\xe9", b"\xff\\ud83d", "\N{WRENCH}".encode()]
)
def test_a_text_that_is_broken_in_one_row_hides_no_other(summary: bytes) -> None:
    broken = b'{"id": 8, "summary": "' + summary + b'"}'
    page = wire.page_of(wire.Job)(b'\xef\xbb\xbf{"hasMore": false, "data": [%b, %b]}' % (broken, body(JOB)))
    assert ([row.id for row in page.data], page.left_out) == ([8, 7], ())


def test_external_data_is_found_by_its_key() -> None:
    pairs = [{"key": "a", "value": "1"}, {"key": "bookingId", "value": "BK-1"}, {"key": "c", "value": None}]
    job = wire.Job.read(body(JOB | {"externalData": pairs}))
    assert wire.ours(job.external_data, "bookingId") == "BK-1"
    assert wire.ours(job.external_data, "c") is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-21T12:11:54.2435119Z", datetime(2024, 3, 21, 12, 11, 54, 243511, UTC)),
        ("2024-03-21T12:11:54", datetime(2024, 3, 21, 12, 11, 54, tzinfo=UTC)),
        ("2024-03-21", datetime(2024, 3, 21, tzinfo=UTC)),
        ("2024-03-21T12:00:00+02:00", datetime(2024, 3, 21, 10, tzinfo=UTC)),
    ],
)
def test_instants_are_read_as_utc(text: str, moment: datetime) -> None:
    assert wire.parse_instant(text) == moment


@pytest.mark.parametrize("wrong", ["soon", 5, None, "0001-01-01T00:00:00+14:00"])
def test_what_is_no_instant_is_said_to_be_none(wrong: object) -> None:
    with pytest.raises(ValueError, match="date"):
        wire.parse_instant(wrong)


def test_instants_are_written_in_utc_without_idle_digits() -> None:
    zone = timezone(timedelta(hours=2))
    assert wire.print_instant(datetime(2024, 3, 21, 12, tzinfo=zone)) == "2024-03-21T10:00:00Z"
    assert wire.print_instant(datetime(2024, 3, 21, 1, 2, 3, 220000, UTC)) == "2024-03-21T01:02:03.22Z"


def jwt(claims: object) -> str:
    """A token as ServiceTitan's are; a reader does not look at head and signature."""
    return f"e30.{urlsafe_b64encode(body(claims)).rstrip(b'=').decode()}.c2lnbmVk"


@pytest.mark.parametrize(
    ("token", "told", "scopes"),
    [
        ("opaque", {"scope": "a:r a:w"}, {"a:r", "a:w"}),
        (jwt({"scope": ["b:r", "b:w"]}), {}, {"b:r", "b:w"}),
        (jwt({"scope": ["b:r"]}), {"scope": None}, {"b:r"}),
        (jwt({"scope": "b:r b:w"}), {"scope": ""}, {"b:r", "b:w"}),
        (jwt({"scope": ["b:r"]}), {"scope": ["a:r", 5]}, {"a:r"}),
        (jwt({"scope": 5}), {}, set()),
        (jwt(["scope"]), {"scope": {"a": "r"}}, set()),
        ("opaque", {}, set()),
        ("a.b.c", {}, set()),
        ("a.!!!.c", {}, set()),
        (f"a.{urlsafe_b64encode(b'[' * 900).decode()}.c", {}, set()),
    ],
)
def test_scopes_are_told_by_the_answer_or_by_the_token_itself(
    token: str, told: dict[str, object], scopes: set[str]
) -> None:
    answer = wire.TokenAnswer.read(body({"access_token": token, "expires_in": 900, **told}))
    assert answer.scopes == scopes
