"""What a webhook says of a job. Pure.

ServiceTitan's V2 are the CloudEvents of the vendor's own documents; its V1 is the job itself, as captures
have it; the plain form is for senders of one's own.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson

from app.booking.inputs import CLOCKS_DIFFER, VisitSeen
from app.booking.status import FROM_UPSTREAM, Status
from app.servicetitan.wire import LARGEST_ID, parse_instant

_LONGEST_NAME = 200
_STATUSES: Mapping[str, Status] = {
    **{word.casefold(): status for word, status in FROM_UPSTREAM.items()},
    **{status.value.replace("_", ""): status for status in Status},
    "done": Status.COMPLETED,
    "working": Status.IN_PROGRESS,
}
# A visit that is done or cancelled says nothing of its job, of which it may be one of several.
_OF_A_VISIT: Mapping[str, Status] = {
    "Scheduled": Status.SCHEDULED,
    "Hold": Status.SCHEDULED,
    "Dispatched": Status.DISPATCHED,
    "Working": Status.IN_PROGRESS,
}
_OF_A_JOB = frozenset(
    {"tn.jpm.job-scheduled", "tn.jpm.job-updated", "tn.jpm.job-completed", "tn.jpm.job-rescheduled"}
)
_VISIT_UPDATED = "tn.jpm.job-appointment-updated"
_DISPATCHED = "tn.dis.technician-dispatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What is told of a job, as of that time of ServiceTitan's; None is not told.

    `appointment_id` names the visit that it is about. `moved` says that the visit has other times, which are
    not told; `unclear` that the job is under way or about to be, which only its visit shows; `timeless` that
    no time is told, so that the same body may be sent again when it is long untrue. `occurrence` is the same
    in every delivery; `tenant` is where it happened.
    """

    job_id: int
    status: Status | None
    at: datetime
    event: str = ""
    occurrence: str = ""
    tenant: int | None = None
    appointment_id: int | None = None
    visit: VisitSeen | None = None
    moved: bool = False
    unclear: bool = False
    timeless: bool = False

    def is_of_another(self, tenant: int | None) -> bool:
        """Whether it happened at another tenant than this, whose jobs may have the same ids."""
        return tenant is not None and self.tenant not in {None, tenant}


@dataclass(frozen=True, slots=True)
class NotAboutAJob:
    """A webhook that is well formed and about something else: a zone, say."""

    event: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No webhook of any kind that is known; the text says why."""

    detail: str


Read: TypeAlias = JobReport | NotAboutAJob | Unreadable


def read_webhook(body: bytes, received: datetime) -> Read:
    """What the body says. `received` stands for the time where the body tells none; never raises."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        return Unreadable(f"not JSON: {wrong}")
    if not isinstance(document, dict):
        return Unreadable("the JSON is no object")
    said = _Said(document, received, hashlib.sha256(body).hexdigest())
    if "jobId" in document and "status" in document:
        return _plain(said)
    if "specversion" in document:
        return _cloud_event(said)
    if "jobNumber" in document or "__eventInfo" in document:
        return _v1(said)
    return Unreadable("neither a CloudEvent nor a job")


@dataclass(frozen=True, slots=True)
class _Said:
    """A webhook's document, when it came, and what it is known by where it has no name of its own."""

    document: Mapping[str, Any]
    received: datetime
    digest: str

    def time(self, place: Mapping[str, Any], *names: str) -> datetime | None:
        """The first of these that is a time; without a zone it is UTC, as V1's are. Never after it came."""
        for name in names:
            try:
                told = parse_instant(place.get(name))
            except (ValueError, OverflowError):
                continue
            return self.received if told - self.received > CLOCKS_DIFFER else told
        return None

    def occurrence(self, *names: str) -> str:
        """What names the occurrence, else the digest of all that is said."""
        named = (self.document.get(name) for name in names)
        return next((name[:_LONGEST_NAME] for name in named if isinstance(name, str) and name), self.digest)


def _plain(said: _Said) -> Read:
    """`{eventId, jobId, status, occurredAt}` with one of the five statuses."""
    document = said.document
    job_id = _id(document["jobId"])
    word = document["status"]
    if job_id is None:
        return Unreadable("jobId is no job's id")
    if not isinstance(word, str) or word not in set(Status):
        return Unreadable(f"status must be one of {', '.join(Status)}")
    at = said.time(document, "occurredAt")
    if at is None and "occurredAt" in document:
        return Unreadable("occurredAt is no time")
    return JobReport(
        job_id=job_id,
        status=Status(word),
        at=at or said.received,
        timeless=at is None,
        event="plain",
        occurrence=said.occurrence("eventId"),
    )


def _cloud_event(said: _Said) -> Read:
    """V2. Its types are closed; of others nothing is known but that they are about something else."""
    event, data = _text(said.document.get("type")), said.document.get("data")
    if not event:
        return Unreadable("type is missing")
    if event not in _OF_A_JOB | {_VISIT_UPDATED, _DISPATCHED}:
        return NotAboutAJob(event)
    if not isinstance(data, dict):
        return Unreadable("data is no object")
    if event == _VISIT_UPDATED:
        return _visit_updated(said, event, data)
    job = data.get("job")
    job_id = _id(job.get("id")) if isinstance(job, dict) else None
    if job_id is None or not isinstance(job, dict):
        return Unreadable("data.job.id is no job's id")
    happened = said.time(said.document, "time") or said.received
    occurrence, tenant = said.occurrence("userassignedid", "id"), _id(data.get("tenantId"))
    if event == _DISPATCHED:
        visit = data.get("appointment")
        return JobReport(
            job_id=job_id,
            status=Status.DISPATCHED,
            at=happened,
            event=event,
            occurrence=occurrence,
            tenant=tenant,
            appointment_id=_id(visit.get("id")) if isinstance(visit, dict) else None,
        )
    status = _word(job.get("jobStatus"))
    return JobReport(
        job_id=job_id,
        status=status,
        at=said.time(job, "modifiedOn") or happened,
        event=event,
        occurrence=occurrence,
        tenant=tenant,
        appointment_id=_id(data.get("appointmentId")),
        moved=event == "tn.jpm.job-rescheduled",
        # Dispatching begins a job: which of the two it is, only its visit shows.
        unclear=status is Status.IN_PROGRESS,
    )


def _visit_updated(said: _Said, event: str, data: Mapping[str, Any]) -> Read:
    visit = data.get("appointment")
    if not isinstance(visit, dict):
        return Unreadable("data.appointment is no object")
    job_id, appointment_id = _id(visit.get("jobId")), _id(visit.get("id"))
    if job_id is None or appointment_id is None:
        return Unreadable("data.appointment names no job")
    word = _text(visit.get("status"))
    return JobReport(
        job_id=job_id,
        status=None if visit.get("unused") is True else _OF_A_VISIT.get(word),
        at=said.time(visit, "modifiedOn") or said.time(said.document, "time") or said.received,
        event=event,
        occurrence=said.occurrence("userassignedid", "id"),
        tenant=_id(data.get("tenantId")),
        appointment_id=appointment_id,
        visit=_visit(appointment_id, visit),
    )


def _visit(appointment_id: int, visit: Mapping[str, Any]) -> VisitSeen | None:
    start, end = _instant(visit.get("start")), _instant(visit.get("end"))
    if start is None or end is None:
        return None
    return VisitSeen(
        appointment_id=appointment_id,
        start=start,
        end=end,
        window_start=_instant(visit.get("arrivalWindowStart")),
        window_end=_instant(visit.get("arrivalWindowEnd")),
    )


def _v1(said: _Said) -> Read:
    """V1: the job itself, deep. Its `eventId` is a time, which two occurrences may share."""
    document = said.document
    job_id = _id(document.get("id"))
    if job_id is None:
        return Unreadable("id is no job's id")
    info, tenant = document.get("__eventInfo"), document.get("__tenantInfo")
    at = said.time(document, "modifiedOn", "completedOn") or said.time(document, "eventId")
    return JobReport(
        job_id=job_id,
        status=_status(document),
        at=at or said.received,
        timeless=at is None,
        event=_text(info.get("webhookType")) if isinstance(info, dict) else "",
        occurrence=said.digest,
        tenant=_id(tenant.get("id")) if isinstance(tenant, dict) else None,
    )


def _status(job: Mapping[str, Any]) -> Status | None:
    """The job's status; a job under way is told apart by its visits, since dispatching starts it."""
    found = _word(job.get("jobStatus")) or _word(job.get("status"))
    if found is Status.IN_PROGRESS and _only_dispatched(job):
        return Status.DISPATCHED
    return found


def _only_dispatched(job: Mapping[str, Any]) -> bool:
    """Whether somebody is on the way, and nobody has been there."""
    visit = job.get("lastAppointment")
    return isinstance(visit, dict) and _word(visit.get("status")) is Status.DISPATCHED


def _word(value: object) -> Status | None:
    return _STATUSES.get(_text(value).replace("_", "").replace(" ", "").casefold())


def _text(value: object) -> str:
    return value[:_LONGEST_NAME] if isinstance(value, str) else ""


def _instant(value: object) -> datetime | None:
    try:
        return parse_instant(value)
    except (ValueError, OverflowError):
        return None


def _id(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= LARGEST_ID else None
