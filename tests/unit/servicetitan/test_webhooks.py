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
    report = JobReport(job_id=1001, status=status, at=AT, event="plain", occurrence="e-1")
    assert said(body) == report
    assert said({**body, "jobId": "1001"}) == report


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


def test_a_plain_form_without_a_time_is_of_when_it_came() -> None:
    report = said({"jobId": 1, "status": "completed"})
    assert isinstance(report, JobReport)
    assert (report.job_id, report.at, report.timeless) == (1, RECEIVED, True)


def test_the_v1_form_is_the_job_itself_in_utc_without_saying_so() -> None:
    report = said(V1)
    assert isinstance(report, JobReport)
    assert (report.job_id, report.status, report.at) == (1001, Status.DISPATCHED, AT)
    assert (report.event, report.tenant) == ("TechnicianDispatched", 1)


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


JOB = {"id": 1001, "jobNumber": "1001", "jobStatus": "Completed", "modifiedOn": TOLD}
VISIT = {
    "id": 5,
    "jobId": 1001,
    "status": "Working",
    "start": "2026-03-01T16:00:00Z",
    "end": "2026-03-01T18:00:00Z",
    "arrivalWindowStart": None,
    "arrivalWindowEnd": None,
    "modifiedOn": TOLD,
    "unused": False,
}


def event(kind: str, **data: object) -> dict[str, Any]:
    """A CloudEvent as the vendor's documents have it."""
    return {
        "specversion": "1.0",
        "id": "delivery-1",
        "type": kind,
        "time": "2026-03-01T08:30:05Z",
        "source": "https://webhooks.servicetitan.io",
        "userassignedid": "occurrence-1",
        "datacontenttype": "application/json",
        "data": {"tenantId": 9, "tenantName": "A1", **data},
    }


@pytest.mark.parametrize(
    ("kind", "word", "status"),
    [
        ("tn.jpm.job-scheduled", "Scheduled", Status.SCHEDULED),
        ("tn.jpm.job-updated", "Canceled", Status.CANCELLED),
        ("tn.jpm.job-updated", "Hold", Status.SCHEDULED),
        ("tn.jpm.job-updated", "Whatever", None),
        ("tn.jpm.job-completed", "Completed", Status.COMPLETED),
    ],
)
def test_an_event_of_a_job_tells_its_status_as_of_its_modification(
    kind: str, word: str, status: Status | None
) -> None:
    report = said(event(kind, job=JOB | {"jobStatus": word}))
    assert report == JobReport(
        job_id=1001, status=status, at=AT, event=kind, occurrence="occurrence-1", tenant=9
    )


def test_a_job_under_way_is_unclear_since_dispatching_begins_it() -> None:
    report = said(event("tn.jpm.job-updated", job=JOB | {"jobStatus": "InProgress"}))
    assert isinstance(report, JobReport)
    assert (report.status, report.unclear) == (Status.IN_PROGRESS, True)


def test_a_dispatching_is_as_old_as_its_event() -> None:
    report = said(event("tn.dis.technician-dispatched", job=JOB, appointment={"id": 5}))
    assert isinstance(report, JobReport)
    assert (report.status, report.at, report.appointment_id) == (
        Status.DISPATCHED,
        datetime(2026, 3, 1, 8, 30, 5, tzinfo=UTC),
        5,
    )


def test_a_move_names_the_visit_and_not_where_to() -> None:
    report = said(event("tn.jpm.job-rescheduled", job=JOB, appointmentId=5, appointmentNumber="1001-1"))
    assert isinstance(report, JobReport)
    assert (report.moved, report.appointment_id, report.visit) == (True, 5, None)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.IN_PROGRESS),
        ({"status": "Scheduled"}, Status.SCHEDULED),
        ({"status": "Dispatched"}, Status.DISPATCHED),
        ({"status": "Done"}, None),
        ({"status": "Canceled"}, None),
        ({"status": 7}, None),
        ({"status": "Scheduled", "unused": True}, None),
    ],
)
def test_a_visit_tells_its_status_and_its_times(changes: dict[str, Any], status: Status | None) -> None:
    report = said(event("tn.jpm.job-appointment-updated", appointment=VISIT | changes))
    assert isinstance(report, JobReport)
    assert (report.job_id, report.status, report.at, report.appointment_id) == (1001, status, AT, 5)
    assert report.visit is not None
    assert report.visit.start == datetime(2026, 3, 1, 16, tzinfo=UTC)


def test_a_visit_whose_times_cannot_be_read_tells_its_status_alone() -> None:
    report = said(event("tn.jpm.job-appointment-updated", appointment=VISIT | {"end": "soon"}))
    assert isinstance(report, JobReport)
    assert (report.status, report.visit) == (Status.IN_PROGRESS, None)


@pytest.mark.parametrize("told", ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_to_come_counts_as_when_it_came(told: str) -> None:
    for body in (
        event("tn.jpm.job-completed", job=JOB | {"modifiedOn": told}),
        {"eventId": "e", "jobId": 1001, "status": "completed", "occurredAt": told},
        {**V1, "modifiedOn": told},
    ):
        report = said(body)
        assert isinstance(report, JobReport)
        assert report.at == RECEIVED


def test_what_has_no_name_of_its_own_is_known_by_all_that_it_says() -> None:
    nameless = event("tn.jpm.job-completed", job=JOB)
    del nameless["userassignedid"], nameless["id"]
    first, again, other = said(nameless), said(nameless), said({**nameless, "time": TOLD})
    assert isinstance(first, JobReport)
    assert isinstance(other, JobReport)
    assert first == again
    assert first.occurrence != other.occurrence


@pytest.mark.parametrize(
    "kind", ["tn.dis.zone-updated", "tn.crm.booking-updated", "tn.crm.lead-created", "job.completed"]
)
def test_what_is_about_no_job_is_left_alone(kind: str) -> None:
    assert said(event(kind)) == NotAboutAJob(kind)


@pytest.mark.parametrize(
    "body",
    [
        event("tn.jpm.job-updated"),
        event("tn.jpm.job-updated", job=7),
        event("tn.jpm.job-updated", job={"id": 0}),
        event("tn.jpm.job-appointment-updated"),
        event("tn.jpm.job-appointment-updated", appointment={"id": 5}),
        {**event("tn.jpm.job-updated"), "data": []},
        {**event("tn.jpm.job-updated"), "type": None},
        {"eventType": "job.completed", "data": {"id": 1001, "jobStatus": "Completed"}},
    ],
)
def test_an_event_that_is_not_as_documented_is_told(body: dict[str, Any]) -> None:
    assert isinstance(said(body), Unreadable)


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
    "specversion",
    "appointment",
    "job",
    "time",
    "start",
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
    st.sampled_from([TOLD, "tn.jpm.job-updated", "tn.jpm.job-appointment-updated", *Status]),
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
