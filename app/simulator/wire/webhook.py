"""Webhook bodies: V1, from captures, where times have no zone but are UTC, and the plain form."""

from typing import Any

from pydantic import Field

from app.simulator.wire.base import Wire
from app.simulator.wire.dates import Instant


class EventInfo(Wire):
    """What a V1 body says of itself; `event_id` is a UTC time."""

    event_id: str
    webhook_id: int | None = None
    webhook_type: str | None = None


class WebhookV1(Wire):
    """The part of a V1 body, which is the job itself, that says what became of the job."""

    id: int
    job_number: str | None = None
    job_status: str
    modified_on: Instant | None = None
    event_id: str | None = None
    event_info: EventInfo | None = Field(default=None, alias="__eventInfo")
    first_appointment: dict[str, Any] | None = None


class WebhookPlain(Wire):
    """`{eventId, jobId, status, occurredAt}` with the five statuses of the booking system."""

    event_id: str
    job_id: int
    status: str
    occurred_at: Instant
