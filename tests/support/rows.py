"""Rows as a lane's owner writes them, for tests of what reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.booking.events import Booking, RawEvent
from app.booking.identity import NOTHING_SEEN, Identity, Progress, mark
from app.booking.reasons import Reason
from app.booking.record import FailedEvent, Head, Job, Lane, Phase, Record, State, Trouble
from app.booking.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOURCE = "/booking-system"
BOOKING: dict[str, Any] = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "phone": "(602) 555-0123",
    "email": "ada@example.com",
    "address": "1 Main Street",
    "city": "Phoenix",
    "state": "AZ",
    "zip": "85001",
    "problemType": "broken_spring",
    "scheduledDate": "2026-03-04T16:00:00Z",
}
"""The data of a good creation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A record as a consumer hands it over."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_772_442_000_000
    headers: tuple[tuple[str, bytes | None], ...] = field(default=())


def a_booking(**changes: object) -> Booking:
    return Booking.model_validate({**BOOKING, **changes})


def a_job(number: int = 1001, **changes: object) -> Job:
    fields: dict[str, Any] = {
        "id": number,
        "number": f"JOB-{number:06d}",
        "customer_id": 7,
        "location_id": 8,
        "appointment_id": 9,
        "business_unit": "Phoenix_Central",
        "status": Status.SCHEDULED,
        "status_at": NOW,
        "scheduled_date": "2026-03-04T16:00:00Z",
        "time_slot": None,
        "start": NOW + timedelta(days=2),
        "end": NOW + timedelta(days=2, hours=2),
        "minutes": 120,
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }
    return Job(**fields)


def digest(event_id: str, source: str = SOURCE) -> str:
    return Identity(source=source, id=event_id).digest()


def a_head(event_id: str = "e-1", **changes: object) -> Head:
    raw = RawEvent(topic="booking-events", partition=0, offset=1, key=b"b-1", value=b"{}")
    fields: dict[str, Any] = {
        "raw": raw,
        "event_id": event_id,
        "digest": digest(event_id),
        "type": "booking.rescheduled",
        "time": NOW,
        "taken_at": NOW,
        **changes,
    }
    return Head(**fields)


def a_record(booking_id: str = "b-1", **changes: object) -> Record:
    fields: dict[str, Any] = {
        "booking_id": booking_id,
        "generation": 1,
        "sequence": 1,
        "booking": a_booking(),
        "changed_at": NOW,
        "seen": mark(NOTHING_SEEN, digest("e-1"), Progress.WORKED),
        "caused_by": "e-1",
        **changes,
    }
    return Record(**fields)


def with_job(
    booking_id: str, number: int, *, job: Mapping[str, object] | None = None, **changes: object
) -> Record:
    """A booking that has its job."""
    return a_record(booking_id, **{"state": State.ACTIVE, "job": a_job(number, **(job or {})), **changes})


def trouble(reason: Reason = Reason.REFUSED, **changes: object) -> Trouble:
    fields: dict[str, Any] = {
        "reason": reason,
        "detail": "said no",
        "attempts": 1,
        "http_status": 400,
        "at": NOW,
    }
    return Trouble(**{**fields, **changes})


def held(booking_id: str, reason: Reason = Reason.AREA_NOT_SUPPORTED, **changes: object) -> Record:
    """A booking whose creation failed for good."""
    return a_record(
        booking_id,
        state=State.HELD,
        problem=trouble(reason),
        lane=Lane(phase=Phase.HELD, head=a_head(type="booking.created")),
        seen=mark(NOTHING_SEEN, digest("e-1"), reason),
        **changes,
    )


def a_failed(event_id: str = "e-9", reason: Reason = Reason.ILLEGAL_TRANSITION) -> FailedEvent:
    return FailedEvent(
        slot="f0",
        event_id=event_id,
        digest=digest(event_id),
        type="booking.rescheduled",
        trouble=trouble(reason),
    )
