"""What each answer means, and how a refusal's words become a reason."""

import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.booking.outcomes import Accepted, Busy, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.servicetitan.answers import LONGEST_STOP, MOST_DETAIL, judge, wait_of
from app.servicetitan.endpoints import (
    CANCEL_JOB,
    CREATE_CUSTOMER,
    CREATE_JOB,
    LIST_JOBS,
    RESCHEDULE_APPOINTMENT,
    Endpoint,
)
from app.servicetitan.http import Answer, NoAnswer, NotSent

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
READ, WRITE = LIST_JOBS, RESCHEDULE_APPOINTMENT


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=body)


def problem(
    status: int, title: str, errors: dict[str, list[str]] | None = None, http: int | None = None
) -> Answer:
    body = {"type": "about:blank", "title": title, "status": status, "traceId": "t", "errors": errors or {}}
    return answer(http or status, orjson.dumps(body | {"data": {}}))


@pytest.mark.parametrize("endpoint", [READ, WRITE])
def test_what_was_never_sent_is_failed(endpoint: Endpoint[Any]) -> None:
    assert judge(endpoint, NotSent("no connection"), NOW) == Failed(detail="no connection")


def test_a_read_without_an_answer_is_failed_and_a_write_unsure() -> None:
    assert isinstance(judge(READ, NoAnswer("lost"), NOW), Failed)
    assert isinstance(judge(WRITE, NoAnswer("lost"), NOW), Unsure)


@pytest.mark.parametrize("status", [301, 302, 500, 503])
def test_what_may_have_been_done_is_unsure_for_a_write_and_failed_for_a_read(status: int) -> None:
    write, read = judge(WRITE, answer(status), NOW), judge(READ, answer(status), NOW)
    assert isinstance(write, Unsure)
    assert isinstance(read, Failed)
    assert write.http_status == read.http_status == status


@pytest.mark.parametrize("status", [408, 502, 504, 520, 524])
def test_what_a_gateway_gave_up_may_still_be_running_so_a_write_has_no_answer(status: int) -> None:
    write, read = judge(WRITE, answer(status), NOW), judge(READ, answer(status), NOW)
    assert isinstance(write, Unsure)
    assert (write.http_status, f"HTTP {status}" in write.detail) == (None, True)
    assert isinstance(read, Failed)
    assert read.http_status == status


@pytest.mark.parametrize("endpoint", [READ, WRITE])
def test_429_is_busy(endpoint: Endpoint[Any]) -> None:
    assert isinstance(judge(endpoint, problem(429, "Rate limit is exceeded."), NOW), Busy)


@pytest.mark.parametrize("endpoint", [READ, WRITE, CREATE_JOB])
def test_403_is_not_permitted(endpoint: Endpoint[Any]) -> None:
    outcome = judge(endpoint, problem(403, "Phone scope missing"), NOW)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NOT_PERMITTED


def test_an_accepted_call_tells_the_upstreams_own_time() -> None:
    outcome = judge(CANCEL_JOB, answer(200, Date="Tue, 24 Nov 2026 11:00:00 GMT"), NOW)
    assert outcome == Accepted(value=b"", at=datetime(2026, 11, 24, 11, tzinfo=UTC))


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_date_that_can_be_read_it_is_now(date: str) -> None:
    outcome = judge(CANCEL_JOB, answer(200, Date=date), NOW)
    assert isinstance(outcome, Accepted)
    assert outcome.at == NOW


@pytest.mark.parametrize(
    ("endpoint", "status", "title", "errors", "reason"),
    [
        (CREATE_CUSTOMER, 409, "Conflict", {}, Reason.CUSTOMER_CONFLICT),
        (CREATE_JOB, 409, "Customer conflict", {}, Reason.CUSTOMER_CONFLICT),
        (CREATE_JOB, 400, "A customer like this already exists", {}, Reason.CUSTOMER_CONFLICT),
        (CREATE_CUSTOMER, 400, "Area not supported", {}, Reason.AREA_NOT_SUPPORTED),
        (CREATE_JOB, 400, "Validation", {"address.zip": ["not served"]}, Reason.AREA_NOT_SUPPORTED),
        (CREATE_CUSTOMER, 400, "Invalid phone number", {}, Reason.PHONE_REFUSED),
        (CREATE_CUSTOMER, 400, "Validation", {"contacts[0].phone": ["bad"]}, Reason.PHONE_REFUSED),
        (CREATE_CUSTOMER, 400, "Bad value 4805551234", {}, Reason.REFUSED),
        (CREATE_JOB, 404, "Customer not found", {}, Reason.REFUSED),
        (CREATE_JOB, 409, "Conflict", {}, Reason.REFUSED),
        (CANCEL_JOB, 409, "Customer conflict, phone, zip", {}, Reason.REFUSED),
        (CREATE_JOB, 422, "", {}, Reason.REFUSED),
    ],
)
def test_a_refusals_words_say_its_reason(
    endpoint: Endpoint[Any], status: int, title: str, errors: dict[str, list[str]], reason: Reason
) -> None:
    outcome = judge(endpoint, problem(status, title, errors), NOW)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.http_status) == (reason, status)


def test_the_gateways_own_form_gives_its_words_too() -> None:
    body = orjson.dumps({"statusCode": 404, "message": "Unable to match incoming request to an operation."})
    outcome = judge(READ, answer(404, body), NOW)
    assert isinstance(outcome, Refused)
    assert outcome.detail == "Unable to match incoming request to an operation."


def test_the_detail_has_title_and_errors_and_no_personal_data() -> None:
    said = problem(
        400, "Not valid", {"contacts": ["jane.roe@example.com is taken", "(480) 555-1234 is no phone"]}
    )
    outcome = judge(CREATE_CUSTOMER, said, NOW)
    assert isinstance(outcome, Refused)
    assert outcome.detail == "Not valid; contacts: [e-mail] is taken, [phone] is no phone"


def test_the_detail_is_never_longer_than_a_header_may_be() -> None:
    outcome = judge(CREATE_JOB, problem(400, "x" * 100_000), NOW)
    assert isinstance(outcome, Refused)
    assert len(outcome.detail) == MOST_DETAIL


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"text"', b'{"title": 5, "errors": 7}', b"\xff"])
def test_an_error_body_of_any_shape_is_judged_by_its_status(body: bytes) -> None:
    assert isinstance(judge(WRITE, answer(404, body), NOW), Refused)
    assert isinstance(judge(WRITE, answer(503, body), NOW), Unsure)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (409, Refused), (429, Busy), (500, Unsure), (503, Unsure)]
)
def test_a_200_that_carries_an_error_object_is_that_error(status: int, kind: type) -> None:
    assert isinstance(judge(WRITE, problem(status, "Oh no", http=200), NOW), kind)


def test_a_200_with_a_status_of_its_own_is_no_error() -> None:
    assert isinstance(judge(WRITE, answer(200, b'{"id": 1, "status": "Scheduled"}'), NOW), Accepted)


@pytest.mark.parametrize(
    ("title", "header", "seconds"),
    [
        ("Rate limit is exceeded. Try again in 12 seconds.", None, 12.0),
        ("Rate limit is exceeded. Try again in 1 second.", "30", 1.0),
        ("Too many", "30", 30.0),
        ("Too many", "Tue, 24 Nov 2026 12:00:20 GMT", 20.0),
        ("Too many", "Tue, 24 Nov 2026 11:00:00 GMT", None),
        ("Too many", "0", None),
        ("Rate limit is exceeded. Try again in 0 seconds.", None, None),
        ("Rate limit is exceeded. Try again in 0.4 seconds.", None, 0.4),
        ("Too many", "99999999", 300.0),
        ("Too many", "soon", None),
        ("Too many", None, None),
    ],
)
def test_the_wait_of_a_429(title: str, header: str | None, seconds: float | None) -> None:
    said = problem(429, title)
    if header is not None:
        said = Answer(status=429, headers={"Retry-After": header}, body=said.body)
    assert wait_of(said, NOW) == seconds


HOSTILE_DATES = (
    "Fri, 31 Dec 9999 23:59:59 -2300",
    "1 Jan 99999999999",
    "\N{SUPERSCRIPT TWO}",
    "",
)


@pytest.mark.parametrize("date", HOSTILE_DATES)
def test_a_date_that_cannot_be_used_is_none(date: str) -> None:
    outcome = judge(READ, answer(200, b"{}", Date=date), NOW)
    assert isinstance(outcome, Accepted)
    assert outcome.at == NOW


def test_a_date_of_the_far_future_is_no_clock() -> None:
    """It would make every later report of the job old news."""
    outcome = judge(READ, answer(200, b"{}", Date="Fri, 31 Dec 9999 23:59:59 GMT"), NOW)
    assert isinstance(outcome, Accepted)
    assert outcome.at == NOW


@pytest.mark.parametrize(
    "told", ["\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT THREE}", "-1", "9" * 5000, *HOSTILE_DATES]
)
def test_a_wait_that_cannot_be_used_is_none_or_the_longest(told: str) -> None:
    assert wait_of(answer(429, Retry_After=told), NOW) in {None, LONGEST_STOP}


@pytest.mark.parametrize(
    "body",
    [
        {"title": [["x"]] * 10, "status": 2**63},
        {"title": {"a": 1}, "errors": {"a": [{"b": [1]}], "b": None, "c": 1.5}},
        {"title": "t" * 500_000, "errors": {str(n): ["e" * 1000] * 100 for n in range(100)}},
    ],
)
def test_a_strange_error_body_is_a_refusal_of_a_bounded_text(body: dict[str, object]) -> None:
    outcome = judge(WRITE, answer(400, orjson.dumps(body)), NOW)
    assert isinstance(outcome, Refused)
    assert len(outcome.detail) <= MOST_DETAIL


@pytest.mark.parametrize(
    "title", ["a" * 1_000_000 + "@", "a@" * 500_000, "1 " * 500_000, "(" * 1_000_000, "a.@b" * 250_000]
)
def test_a_long_title_is_cut_before_it_is_looked_at(title: str) -> None:
    """A second is a hundred times what it takes; looked at whole, it took minutes."""
    began = time.process_time()
    judge(WRITE, answer(400, orjson.dumps({"title": title, "errors": {"x": [title]}})), NOW)
    assert time.process_time() - began < 1.0


def test_an_address_of_any_length_is_masked_whole() -> None:
    outcome = judge(WRITE, problem(400, f"no: <{'jane' * 100}@mail.example.com> at +1 (602) 555-0143"), NOW)
    assert isinstance(outcome, Refused)
    assert outcome.detail == "no: <[e-mail]> at [phone]"
