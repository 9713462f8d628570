"""What goes in and comes out over HTTP, as models: the API's description is generated from them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from app.booking.events import Booking, Cancelled, StatusChanged
from app.booking.reasons import Reason
from app.booking.record import State
from app.booking.status import Status


class ApiModel(BaseModel):
    """camelCase on the wire; unknown fields are ignored, types are as in JSON."""

    model_config = ConfigDict(frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)


Instant = Annotated[datetime, Field(description="ISO 8601 in UTC")]


# Asked ----------------------------------------------------------------------------------------------------


class Batch(ApiModel):
    """Up to 100 bookings at once."""

    bookings: Annotated[tuple[dict[str, Any], ...], Field(strict=False, min_length=1, max_length=100)]


class Act(ApiModel):
    """What an operator does with a held booking, or a failed event; a repair needs data."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"action": {"const": "repair"}}, "required": ["action"]},
            "then": {"properties": {"data": {"type": "object"}}, "required": ["data"]},
        }
    )

    action: Literal["retry", "repair", "discard"]
    why: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
        Field(json_schema_extra={"pattern": r"\S"}),
    ]
    event: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    data: dict[str, Any] | None = None


NewBooking = Booking
CancelRequest = Cancelled
NewStatus = StatusChanged


# Answered -------------------------------------------------------------------------------------------------


class Customer(ApiModel):
    """The job's customer; the id is ServiceTitan's."""

    id: int
    name: str
    phone: str
    email: str


class Address(ApiModel):
    """Where the visit is."""

    street: str
    city: str
    state: str
    zip: str


class Location(ApiModel):
    """The job's location; the id is ServiceTitan's."""

    id: int
    address: Address


class Technician(ApiModel):
    """Somebody who comes; the id is ServiceTitan's."""

    id: int
    name: str


class Job(ApiModel):
    """A job in ServiceTitan, as everybody outside sees it. `estimatedDuration` in minutes.

    `appointmentStart` and `appointmentEnd` are where the visit stands, also when the office moved it;
    `scheduledDate` and `timeSlot` are what was asked for last.
    """

    id: int
    job_number: str
    booking_id: str
    status: Status
    priority: str
    description: str
    business_unit: str
    customer: Customer
    location: Location
    scheduled_date: str
    time_slot: str | None
    appointment_start: Instant
    appointment_end: Instant
    estimated_duration: int
    technicians: tuple[Technician, ...] = ()
    created_at: Instant
    updated_at: Instant


class ProblemSeen(ApiModel):
    """Why the last event that failed for good did."""

    reason: Reason
    detail: str
    attempts: int
    http_status: int | None
    at: Instant


class EventSeen(ApiModel):
    """An event in a lane."""

    event: str
    type: str
    time: Instant


class LaneSeen(ApiModel):
    """The booking's queue: the event worked on now, attempts made, when it goes on, what stands behind."""

    head: EventSeen | None
    attempt: int
    due: Instant | None
    behind: tuple[EventSeen, ...]


class TimelineEntry(ApiModel):
    """What came or was asked, what it came to, and what was decided."""

    at: Instant
    event: str
    asked: str
    outcome: str
    http_status: int | None
    duration_ms: int | None
    decision: str
    trace_id: str | None


class BookingSeen(ApiModel):
    """Everything known of a booking. `wants` is the status the booking system asked for last."""

    booking_id: str
    state: State
    wants: Status
    booking: dict[str, Any]
    job: Job | None
    problem: ProblemSeen | None
    lane: LaneSeen
    timeline: tuple[TimelineEntry, ...]
    as_of: Instant


class Queued(ApiModel):
    """Taken, and not worked yet. Look again at the address in `Location`."""

    booking_id: str
    status: Literal["queued"]
    event: str


class BatchEntry(ApiModel):
    """What became of one booking of a batch: as `POST /jobs` would have answered."""

    index: int
    status: int
    data: Job | Queued | None = None
    error: str | None = None
    message: str | None = None
    details: tuple[dict[str, Any], ...] | None = None


class BatchAnswer(ApiModel):
    """What became of a batch."""

    results: tuple[BatchEntry, ...]
    accepted: int
    rejected: int


class JobPage(ApiModel):
    """Jobs by the start of their visit, oldest first; `next` is the cursor of the next page."""

    jobs: tuple[Job, ...]
    next: str | None
    limit: int
    total_count: int
    as_of: Instant


class Acted(ApiModel):
    """The action is on its way to the worker that owns the booking."""

    booking_id: str
    action: Literal["retry", "repair", "discard"]
    event: str
    status: Literal["queued"]


class WebhookTaken(ApiModel):
    """Kafka has the webhook; `jobId` is None when it is about no job."""

    job_id: int | None
    verified_by: str


class Part(ApiModel):
    """How one thing is that this service stands on."""

    status: str
    detail: str


class UpstreamSeen(Part):
    """How ServiceTitan is."""

    breaker: str
    checked_at: Instant | None


class KafkaSeen(Part):
    """How Kafka and what is read from it are, in records.

    `lag` waits in this worker's partitions. It finished `finishedPerSecond` in the last minute, and at this
    pace is through in `secondsToCatchUp`: null while nothing gets done.
    """

    lag: int
    finished_per_second: float
    seconds_to_catch_up: int | None
    view_as_of: Instant | None
    view_behind: int


class Health(ApiModel):
    """How the service is; `uptime` in milliseconds, `workers` by the last assignment."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    mode: Literal["simulation", "sandbox", "live"]
    uptime: int
    jobs_created: int
    last_job_created: Instant | None
    upstream: UpstreamSeen
    kafka: KafkaSeen
    workers: int


class AuthTest(ApiModel):
    """A token was asked for; of a live one only the first characters are shown. `expiresIn` in seconds."""

    success: Literal[True]
    token: str
    expires_in: int
    authenticated: Literal[True]


class Alive(ApiModel):
    """Whether the process should go on, or is ready for requests."""

    status: Literal["ok"]
