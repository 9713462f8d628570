"""What a webhook says of a job: ServiceTitan's V2 and V1 bodies, and a plain one for senders of one's own.

No public source shows ServiceTitan's own envelopes, only third parties' accounts of them: everything that was
told of is read, and nothing else is relied on. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson

from app.booking.status import FROM_UPSTREAM, Status
from app.servicetitan.wire import parse_instant

_LARGEST_ID = 2**63 - 1
_EVENT_NAMES = ("eventType", "event", "type", "webhookType")
_TIMES_OF_A_JOB = ("modifiedOn", "modified_on", "completedOn")
_TIMES_OF_AN_ENVELOPE = ("occurredAt", "time", "timestamp", "eventTime", "eventId")
_STATUSES: Mapping[str, Status] = {
    **{word.casefold(): status for word, status in FROM_UPSTREAM.items()},
    **{status.value.replace("_", ""): status for status in Status},
    "done": Status.COMPLETED,
    "working": Status.IN_PROGRESS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """A job was in this status at that time of ServiceTitan's; without a status it only changed somehow.

    A status without a time of its own is none: the same body may be sent again when it is long untrue.
    """

    job_id: int
    status: Status | None
    at: datetime
    event: str = ""


@dataclass(frozen=True, slots=True)
class NotAboutAJob:
    """A webhook that is well formed and about something else: a customer, say."""

    event: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No webhook of any kind that is known; the text says why."""

    detail: str


Read: TypeAlias = JobReport | NotAboutAJob | Unreadable


def read_webhook(body: bytes, received: datetime) -> Read:
    """What the body says; `received` stands for the time where it tells none. Never raises."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        return Unreadable(f"not JSON: {wrong}")
    if not isinstance(document, dict):
        return Unreadable("the JSON is no object")
    if "jobId" in document and "status" in document:
        return _plain(document, received)
    data = document.get("data")
    if isinstance(data, dict):
        return _enveloped(document, data, received)
    if "jobNumber" in document or "__eventInfo" in document:
        return _v1(document, received)
    event = _event_of(document)
    return NotAboutAJob(event) if event else Unreadable("neither a job nor an event in it")


def _plain(document: Mapping[str, Any], received: datetime) -> Read:
    """`{eventId, jobId, status, occurredAt}` with one of the five statuses."""
    job_id = _job_id(document["jobId"])
    word = document["status"]
    if job_id is None:
        return Unreadable("jobId is no job's id")
    if not isinstance(word, str) or word not in set(Status):
        return Unreadable(f"status must be one of {', '.join(Status)}")
    at = _first_time(document, ("occurredAt",))
    if at is None and "occurredAt" in document:
        return Unreadable("occurredAt is no time")
    return _report(job_id, Status(word), at, received, document)


def _enveloped(document: Mapping[str, Any], data: Mapping[str, Any], received: datetime) -> Read:
    """V2: an event's name and `data`, which is the job, or something that names its job."""
    event = _event_of(document)
    of_a_job = "jobNumber" in data or "jobStatus" in data or "job" in _words(event)
    job_id = _job_id(data.get("jobId"))
    if job_id is None and of_a_job and "appointment" not in _words(event):
        job_id = _job_id(data.get("id"))
    if job_id is None:
        return NotAboutAJob(event) if event else Unreadable("data names no job")
    at = _first_time(data, _TIMES_OF_A_JOB) or _first_time(document, _TIMES_OF_AN_ENVELOPE)
    return _report(job_id, _status(data, of_a_job=of_a_job), at, received, document)


def _v1(document: Mapping[str, Any], received: datetime) -> Read:
    """V1: the job itself, deep."""
    job_id = _job_id(document.get("id"))
    if job_id is None:
        return Unreadable("id is no job's id")
    at = _first_time(document, _TIMES_OF_A_JOB) or _first_time(document, _TIMES_OF_AN_ENVELOPE)
    return _report(job_id, _status(document, of_a_job=True), at, received, document)


def _report(
    job_id: int, status: Status | None, at: datetime | None, received: datetime, document: Mapping[str, Any]
) -> JobReport:
    event = _event_of(document)
    if at is None:
        return JobReport(job_id=job_id, status=None, at=received, event=event)
    return JobReport(job_id=job_id, status=status, at=at, event=event)


def _status(job: Mapping[str, Any], *, of_a_job: bool) -> Status | None:
    """The job's status; a job under way is told apart by its visits, since dispatching starts it."""
    found = _word(job.get("jobStatus"))
    if found is None and of_a_job:
        found = _word(job.get("status"))
    if found is Status.IN_PROGRESS and _only_dispatched(job):
        return Status.DISPATCHED
    return found


def _only_dispatched(job: Mapping[str, Any]) -> bool:
    """Whether somebody is on the way, and nobody has been there."""
    all_visits = job.get("appointments")
    visits = all_visits if isinstance(all_visits, list) else [job.get("lastAppointment")]
    words = {_word(visit.get("status")) for visit in visits if isinstance(visit, dict)}
    return Status.DISPATCHED in words and words.isdisjoint({Status.IN_PROGRESS, Status.COMPLETED})


def _word(value: object) -> Status | None:
    if not isinstance(value, str):
        return None
    return _STATUSES.get(value.replace("_", "").replace(" ", "").casefold())


def _job_id(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= _LARGEST_ID else None


def _event_of(document: Mapping[str, Any]) -> str:
    info = document.get("__eventInfo")
    places = (document, info) if isinstance(info, dict) else (document,)
    names = (place.get(name) for place in places for name in _EVENT_NAMES)
    return next((name[:200] for name in names if isinstance(name, str)), "")


def _words(event: str) -> set[str]:
    """`tn.jpm.job-completed` gives tn, jpm, job, completed."""
    return set(event.casefold().replace("-", ".").replace("_", ".").split("."))


def _first_time(document: Mapping[str, Any], names: tuple[str, ...]) -> datetime | None:
    """The first of these that is a time; without a zone it is UTC, as V1's are."""
    for name in names:
        try:
            return parse_instant(document.get(name))
        except (ValueError, OverflowError):
            continue
    return None
