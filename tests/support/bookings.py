"""Booking events, signals and facts for tests: each builder gives a valid thing, changed by what is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from app.booking.asks import JobSeen
from app.booking.events import Booking, BookingEvent, RawEvent, read, validate
from app.booking.identity import Identity
from app.booking.inputs import Answered, Facts, Intent, Policy, Signal
from app.booking.outcomes import Accepted
from app.business_file import load_business

if TYPE_CHECKING:
    from app.booking.asks import Ask
    from app.booking.inputs import Action, CustomerFailed, CustomerResolved, Observed
    from app.booking.outcomes import Busy, Failed, Refused, Unsure

T = TypeVar("T")

NOW = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
ID = "booking-1"
EVENTS = "booking-events"
SIGNALS = "booking-signals"
SOURCE = "/booking-system"
ME = "worker-1"

BOOKED: dict[str, Any] = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "phone": "(602) 555-0123",
    "email": "ada@example.com",
    "address": "12 Main Street",
    "city": "Phoenix",
    "state": "AZ",
    "zip": "85004",
    "problemType": "broken_spring",
    "scheduledDate": "2026-03-05T00:00:00Z",
    "timeSlot": "9:00 AM - 11:00 AM",
}
BUSINESS = load_business()
POLICY = Policy(business=BUSINESS)
RESCHEDULED: dict[str, Any] = {"scheduledDate": "2026-03-06T00:00:00Z", "timeSlot": "1:00 PM - 3:00 PM"}


def later(seconds: float) -> datetime:
    """NOW and some seconds."""
    return NOW + timedelta(seconds=seconds)


def raw(
    type_: str = "booking.created",
    data: object = None,
    *,
    offset: int = 0,
    id_: str | None = None,
    subject: str = ID,
    topic: str = EVENTS,
    key: bytes | None = b"",
    headers: tuple[tuple[str, bytes], ...] = (),
    **attributes: object,
) -> RawEvent:
    """A structured CloudEvent as it stands on a topic. Its id is `e` and the offset unless given."""
    document = {
        "specversion": "1.0",
        "id": f"e{offset}" if id_ is None else id_,
        "source": SOURCE,
        "type": type_,
        "subject": subject,
        "time": NOW.isoformat(),
        "data": BOOKED if data is None else data,
        **attributes,
    }
    return RawEvent(
        topic=topic,
        partition=0,
        offset=offset,
        key=subject.encode() if key == b"" else key,
        value=orjson.dumps(document),
        headers=headers,
    )


def event(type_: str = "booking.created", data: object = None, **where: Any) -> BookingEvent:  # noqa: ANN401 - as `raw` takes them
    """A readable booking event; the data may be invalid."""
    found = read(raw(type_, data, **where), BUSINESS.problem_types)
    assert isinstance(found, BookingEvent), found
    return found


def created(offset: int = 0, *, id_: str | None = None, **changes: object) -> BookingEvent:
    return event("booking.created", BOOKED | changes, offset=offset, id_=id_)


def rescheduled(offset: int = 1, *, id_: str | None = None, **changes: object) -> BookingEvent:
    return event("booking.rescheduled", RESCHEDULED | changes, offset=offset, id_=id_)


def status_changed(status: str, offset: int = 1, *, id_: str | None = None, **more: object) -> BookingEvent:
    return event("booking.status_changed", {"status": status, **more}, offset=offset, id_=id_)


def cancelled(offset: int = 1, *, id_: str | None = None, **data: object) -> BookingEvent:
    return event("booking.cancelled", data, offset=offset, id_=id_)


def booking(**changes: object) -> Booking:
    """The data of a creation."""
    data = validate("booking.created", BOOKED | changes, ID, BUSINESS.problem_types)
    assert isinstance(data, Booking), data
    return data


def signal(
    says: Action | Observed | CustomerResolved | CustomerFailed, offset: int = 0, *, id_: str | None = None
) -> Signal:
    """A signal as it stands on `booking-signals`."""
    event_id = f"s{offset}" if id_ is None else id_
    return Signal(
        booking_id=ID,
        event_id=event_id,
        digest=Identity(source="/signals", id=event_id).digest(),
        says=says,
        trace_id=None,
        raw=RawEvent(topic=SIGNALS, partition=0, offset=offset, key=ID.encode(), value=b"{}"),
    )


def facts(
    now: datetime = NOW,
    *,
    me: str = ME,
    settle_left: float = 0.0,
    intent: Intent | None = None,
    policy: Policy | None = None,
) -> Facts:
    return Facts(now=now, me=me, settle_left=settle_left, intent=intent, policy=policy or POLICY)


def accepted(value: T, at: datetime = NOW) -> Accepted[T]:
    return Accepted(value=value, at=at)


def job_seen(job_id: int = 1001, status: str = "Scheduled", **changes: Any) -> JobSeen:  # noqa: ANN401 - any field
    """A job as ServiceTitan shows it."""
    shown: dict[str, Any] = {
        "job_id": job_id,
        "job_number": f"JOB-{job_id:06}",
        "customer_id": 7,
        "location_id": 8,
        "appointment_id": 9,
        "status": status,
        "created_on": NOW,
        "modified_on": NOW,
    }
    return JobSeen(**(shown | changes))


def answered(
    ask: Ask,
    outcome: Accepted[JobSeen]
    | Accepted[tuple[JobSeen, ...]]
    | Accepted[None]
    | Busy
    | Failed
    | Unsure
    | Refused,
    duration_ms: int = 120,
) -> Answered:
    return Answered(ask=ask, outcome=outcome, duration_ms=duration_ms)
