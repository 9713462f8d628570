"""What webhooks say, in every form that was told of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.status import Status
from app.servicetitan.webhooks import JobReport, NotAboutAJob, Unreadable, read_webhook

RECEIVED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AT = datetime(2026, 3, 1, 8, 30, 1, tzinfo=UTC)
TOLD = "2026-03-01T08:30:01Z"

V1: dict[str, Any] = {
    "id": 1001,
    "jobNumber": "1001",
    "status": "InProgress",
    "jobStatus": "InProgress",
    "start": "2026-03-01T16:00:00",
    "modifiedOn": "2026-03-01T08:30:01",
    "lastAppointment": {"id": 5, "status": "Dispatched"},
    "eventId": "2026-03-01T08:30:02.1234567",
    "webhookId": 7,
    "__eventInfo": {"webhookType": "TechnicianDispatched"},
    "__tenantInfo": {"id": 1, "name": "A1"},
}


def said(body: object) -> JobReport | NotAboutAJob | Unreadable:
    return read_webhook(orjson.dumps(body), RECEIVED)


@pytest.mark.parametrize("status", Status)
def test_the_plain_form(status: Status) -> None:
    body = {"eventId": "e-1", "jobId": 1001, "status": status.value, "occurredAt": TOLD}
    assert said(body) == JobReport(job_id=1001, status=status, at=AT)
    assert said({**body, "jobId": "1001"}) == JobReport(job_id=1001, status=status, at=AT)


@pytest.mark.parametrize(
    "body",
    [
        {"jobId": 1001, "status": "Completed"},
        {"jobId": 1001, "status": 5},
        {"jobId": "x", "status": "completed"},
        {"jobId": 0, "status": "completed"},
        {"jobId": True, "status": "completed"},
        {"jobId": 2**63, "status": "completed"},
        {"jobId": 1.5, "status": "completed"},
        {"jobId": 1001, "status": "completed", "occurredAt": "soon"},
    ],
)
def test_a_plain_form_that_is_wrong_is_told(body: dict[str, Any]) -> None:
    assert isinstance(said(body), Unreadable)


@pytest.mark.parametrize(
    "body",
    [
        {"jobId": 1, "status": "dispatched"},
        {"eventType": "job.updated", "data": {"id": 1, "jobStatus": "Dispatched"}},
        {"id": 1, "jobNumber": "1", "jobStatus": "Dispatched"},
    ],
)
def test_a_status_without_a_time_is_not_believed_but_asked_for(body: dict[str, Any]) -> None:
    """Sent again it would take the job back: nothing in it tells that it is old."""
    report = said(body)
    assert isinstance(report, JobReport)
    assert (report.job_id, report.status, report.at) == (1, None, RECEIVED)


def test_the_v1_form_is_the_job_itself_in_utc_without_saying_so() -> None:
    report = said(V1)
    assert report == JobReport(job_id=1001, status=Status.DISPATCHED, at=AT, event="TechnicianDispatched")


@pytest.mark.parametrize(
    ("job", "visit", "status"),
    [
        ("Scheduled", "Scheduled", Status.SCHEDULED),
        ("Hold", "Hold", Status.SCHEDULED),
        ("InProgress", "Working", Status.IN_PROGRESS),
        ("InProgress", "Done", Status.IN_PROGRESS),
        ("In Progress", "Dispatched", Status.DISPATCHED),
        ("Dispatched", "Dispatched", Status.DISPATCHED),
        ("Completed", "Done", Status.COMPLETED),
        ("Canceled", "Canceled", Status.CANCELLED),
        ("Whatever", "Done", None),
    ],
)
def test_a_job_under_way_is_told_apart_by_its_visit(job: str, visit: str, status: Status | None) -> None:
    report = said({**V1, "jobStatus": job, "status": job, "lastAppointment": {"status": visit}})
    assert isinstance(report, JobReport)
    assert report.status is status


@pytest.mark.parametrize(
    "body",
    [
        {"eventType": "job.completed", "data": {"id": 1001, "jobStatus": "Completed"}, "timestamp": TOLD},
        {"eventType": "job.updated", "data": {"id": 1001, "status": "Completed", "modifiedOn": TOLD}},
        {"type": "tn.jpm.job-completed", "data": {"id": "1001", "jobStatus": "Completed"}, "time": TOLD},
        {"event": "x", "data": {"id": 1001, "jobNumber": "1", "jobStatus": "Completed", "modifiedOn": TOLD}},
        {"event": "x", "data": {"jobId": 1001, "jobStatus": "Completed", "modifiedOn": TOLD}},
    ],
)
def test_the_v2_forms(body: dict[str, Any]) -> None:
    report = said(body)
    assert isinstance(report, JobReport)
    assert (report.job_id, report.status, report.at) == (1001, Status.COMPLETED, AT)


@pytest.mark.parametrize(
    ("visits", "status"),
    [
        (["Dispatched"], Status.DISPATCHED),
        (["Dispatched", "Scheduled"], Status.DISPATCHED),
        (["Working"], Status.IN_PROGRESS),
        (["Done", "Dispatched"], Status.IN_PROGRESS),
        (["Dispatched", "Working"], Status.IN_PROGRESS),
        (["Scheduled"], Status.IN_PROGRESS),
        ([], Status.IN_PROGRESS),
        ([{"no": "status"}, 7, None], Status.IN_PROGRESS),
    ],
)
def test_a_v2_job_under_way_is_told_apart_by_all_its_visits(visits: list[Any], status: Status) -> None:
    shown = [{"status": visit} if isinstance(visit, str) else visit for visit in visits]
    data = {"id": 1001, "jobStatus": "InProgress", "modifiedOn": TOLD, "appointments": shown}
    assert said({"eventType": "job.updated", "data": data}) == JobReport(
        job_id=1001, status=status, at=AT, event="job.updated"
    )


def test_a_visit_names_its_job_and_says_nothing_of_its_status() -> None:
    body = {"eventType": "appointment.rescheduled", "data": {"id": 5, "jobId": 1001, "status": "Scheduled"}}
    report = said(body)
    assert isinstance(report, JobReport)
    assert (report.job_id, report.status) == (1001, None)


@pytest.mark.parametrize(
    "body",
    [
        {"eventType": "customer.created", "data": {"id": 5, "name": "Ada"}},
        {"eventType": "appointment.created", "data": {"id": 5}},
        {"eventType": "job.created", "data": {"id": "x"}},
        {"type": "ping"},
    ],
)
def test_what_is_about_no_job_is_left_alone(body: dict[str, Any]) -> None:
    assert isinstance(said(body), NotAboutAJob)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"null", b"{}", b'{"data": {}}', b"\xff", b'{"id": 1}']
)
def test_what_is_no_webhook_is_told(body: bytes) -> None:
    assert isinstance(read_webhook(body, RECEIVED), Unreadable)


KEYS = [
    "id",
    "jobId",
    "status",
    "jobStatus",
    "data",
    "type",
    "eventType",
    "modifiedOn",
    "__eventInfo",
    "jobNumber",
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([TOLD, *Status]),
)


@given(
    st.recursive(
        VALUES,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
        ),
    )
)
def test_anything_is_read_without_a_fall(body: object) -> None:
    try:
        sent = orjson.dumps(body)
    except TypeError:
        return
    report = read_webhook(sent, RECEIVED)
    if isinstance(report, JobReport):
        assert 0 < report.job_id < 2**63
        assert report.at.tzinfo is UTC
