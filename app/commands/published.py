"""The published schemas: JSON Schema 2020-12 of every event, and the descriptions of the topics and the API.

Generated from the models that read and write them, so that they cannot say anything else; frozen in the
folder `schemas`, so that a change of the contract is seen as a change of a file. A test holds both together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints
from uuid import UUID

import orjson
from pydantic import BaseModel, TypeAdapter

from app.booking.customer_lane import CustomerRequest, Known
from app.booking.customers import customer_order
from app.booking.events import DATA_TYPES, Booking, Envelope
from app.booking.inputs import Action, Observed
from app.booking.outcomes import Refused
from app.booking.reasons import Reason
from app.booking.record import Announce, State
from app.booking.status import Status
from app.business_file import load_business
from app.commands.asyncapi import Event, document
from app.settings import load
from app.stream import codec
from app.stream.topology import topics
from app.web.models import Job, ProblemSeen
from app.web.openapi import frozen, name_problems

_NOW = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)
_ID = str(UUID(int=0x5E41A5E7_0000_4000_8000_000000000001))
_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_BOOKING_ID = "BK-1001"
_DATE = "2026-12-01T00:00:00Z"
_SLOT = "9:00 AM - 11:00 AM"
_BOOKED: dict[str, Any] = {
    "firstName": "Ana",
    "lastName": "Lopez",
    "phone": "(602) 555-0123",
    "email": "ana.lopez@example.com",
    "address": "12 W Camelback Rd",
    "city": "Phoenix",
    "state": "AZ",
    "zip": "85016",
    "problemType": "broken_spring",
    "scheduledDate": _DATE,
    "timeSlot": _SLOT,
    "doorCount": 2,
    "doorAge": 12,
    "isRenter": False,
    "specialInstructions": "Gate code 4417, the dog is friendly.",
}
_CHANGES: Mapping[str, dict[str, Any]] = {
    "booking.created": _BOOKED,
    "booking.rescheduled": {"scheduledDate": "2026-12-03T00:00:00Z", "timeSlot": "1:00 PM - 3:00 PM"},
    "booking.status_changed": {"status": "dispatched", "technicianIds": [501]},
    "booking.cancelled": {"reason": "Customer request"},
}
_JOB: dict[str, Any] = {
    "id": 1004,
    "jobNumber": "JOB-001004",
    "bookingId": _BOOKING_ID,
    "status": "scheduled",
    "priority": "high",
    "description": "Garage door spring repair/replacement (2 doors)\nGate code 4417, the dog is friendly.",
    "businessUnit": "Phoenix_Central",
    "customer": {
        "id": 1001,
        "name": "Ana Lopez",
        "phone": "(602) 555-0123",
        "email": "ana.lopez@example.com",
    },
    "location": {
        "id": 1003,
        "address": {"street": "12 W Camelback Rd", "city": "Phoenix", "state": "AZ", "zip": "85016"},
    },
    "scheduledDate": _DATE,
    "timeSlot": _SLOT,
    "appointmentStart": "2026-12-01T16:00:00.000Z",
    "appointmentEnd": "2026-12-01T18:00:00.000Z",
    "estimatedDuration": 120,
    "technicians": [{"id": 507, "name": "Rosa Diaz"}],
    "createdAt": "2026-11-24T16:30:00.000Z",
    "updatedAt": "2026-11-24T16:30:00.000Z",
}
_PROBLEM: dict[str, Any] = {
    "reason": "area-not-supported",
    "detail": "Area not supported: zip: The ZIP code is outside the service area.",
    "attempts": 1,
    "httpStatus": 400,
    "at": "2026-11-24T16:30:00.000Z",
}


class BookingView(BaseModel):
    """A booking's whole current view: the compacted topic is a read model."""

    bookingId: str  # noqa: N815 - as on the wire
    state: State
    job: Job | None
    problem: ProblemSeen | None
    causedBy: str  # noqa: N815 - as on the wire
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One type of event: the topic it is on, what its key is, its data, and a whole event as an example."""

    type: str
    topic: str
    key: str
    data: TypeAdapter[Any]
    example: dict[str, Any]


def events() -> Iterator[Published]:
    """Every type of event on every topic, in the order of the contract."""
    for kind, model in DATA_TYPES.items():
        yield Published(
            type=kind,
            topic="booking-events",
            key="the booking id",
            data=TypeAdapter(model),
            example=_event(kind, _CHANGES[kind], source="/booking-system"),
        )
    for kind, signal in codec.SIGNAL_DATA.items():
        yield Published(
            type=kind,
            topic="booking-signals",
            key=_SIGNAL_KEYS.get(kind, "the booking id"),
            data=TypeAdapter(signal),
            example=orjson.loads(_signals()[kind]),
        )
    yield Published(
        type="customer.requested",
        topic="customer-requests",
        key="the phone in E.164, else its digits",
        data=TypeAdapter(CustomerRequest),
        example=orjson.loads(codec.encode_customer_request(_request(), now=_NOW)),
    )
    yield Published(
        type=codec.FORGOTTEN,
        topic="customer-requests",
        key="the phone in E.164, else its digits",
        data=TypeAdapter(codec.CustomerForgotten),
        example=orjson.loads(
            codec.encode_forgotten(
                codec.CustomerForgotten(booking_id=_BOOKING_ID, phone="+16025550123", digest="x" * 16),
                now=_NOW,
            )
        ),
    )
    for kind in get_args(get_type_hints(Announce)["type"]):
        yield Published(
            type=kind,
            topic="servicetitan-jobs",
            key="the booking id",
            data=TypeAdapter(BookingView),
            example=_event(kind, _view(kind), source=codec.SOURCE),
        )


def schema(event: Published) -> dict[str, Any]:
    """The JSON Schema of one type of event, in structured mode."""
    data = event.data.json_schema(by_alias=True, mode="validation", ref_template="#/$defs/{model}")
    name_problems(data, load_business().problems)
    definitions = data.pop("$defs", {})
    needs_data = "required" in data
    if not needs_data:
        data = {"anyOf": [data, {"type": "null"}]}
    envelope = Envelope.model_json_schema()
    attributes = {
        **envelope["properties"],
        "specversion": {"const": "1.0"},
        "type": {"const": event.type},
        "datacontenttype": {"type": "string"},
        "traceparent": {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
        "data": data,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:servicetitan-stream:event:{event.type}",
        "title": event.type,
        "description": f"A CloudEvent 1.0 on the topic {event.topic}. The record's key is {event.key}.",
        "type": "object",
        "properties": attributes,
        "required": [*envelope["required"], *(["data"] if needs_data else [])],
        **({"$defs": definitions} if definitions else {}),
        "examples": [event.example],
    }


def files() -> dict[str, bytes]:
    """Every file of the folder `schemas`, by its path there."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    found = {f"events/{event.type}.json": orjson.dumps(schema(event), option=options) for event in events()}
    described = orjson.dumps(document(topics(load({})), asyncapi_events()), option=options)
    return {**found, "asyncapi.json": described, "openapi.json": frozen()}


def asyncapi_events() -> Iterator[Event]:
    """Every type of event as the description of the topics wants it."""
    for event in events():
        yield Event(
            type=event.type, topic=event.topic, key=event.key, schema=schema(event), example=event.example
        )


def _event(kind: str, data: Mapping[str, Any], *, source: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": _ID,
        "source": source,
        "type": kind,
        "subject": _BOOKING_ID,
        "time": "2026-11-24T16:30:00Z",
        "datacontenttype": "application/json",
        "traceparent": _TRACEPARENT,
        "data": data,
    }


def _view(kind: str) -> dict[str, Any]:
    """The view that goes with a type of announcement."""
    view = {"bookingId": _BOOKING_ID, "state": "active", "job": _JOB, "problem": None}
    match kind:
        case "job.cancelled":
            view |= {"state": "ended", "job": {**_JOB, "status": "cancelled"}}
        case "booking.held":
            view |= {"state": "held", "job": None, "problem": _PROBLEM}
        case "booking.closed":
            view |= {"state": "closed", "job": None}
        case "event.dead_lettered":
            view |= {"problem": {**_PROBLEM, "reason": "refused", "detail": "Conflict", "httpStatus": 409}}
        case _:
            pass
    return {**view, "causedBy": "8a5b1a52-7a36-4b51-9b3f-3f1d8e8f0c11", "sequence": 4}


_SIGNAL_KEYS = {
    "action.note": "the reason",
    "session.ended": "the session's digest",
    "request.made": "the event's id",
}


def _signals() -> dict[str, bytes]:
    """An example of each signal, as this service writes it."""
    request = _request()
    seen = Observed(job_id=1004, status=Status.COMPLETED, at=_NOW, seen_by="webhook")
    refused = Refused(reason=Reason.AREA_NOT_SUPPORTED, detail="Area not supported", http_status=400)
    acts = {
        "action.retry": Action(kind="retry", by="ops", why="The scope was granted", event=_ID, plan="p-1"),
        "action.repair": Action(kind="repair", by="ops", why="Called the customer", event=_ID, data=_BOOKED),
        "action.discard": Action(kind="discard", by="ops", why="Booked twice"),
    }
    return {
        **{kind: codec.encode_action(_BOOKING_ID, act, event_id=_ID, now=_NOW) for kind, act in acts.items()},
        "action.note": codec.encode_note(
            Reason.NOT_PERMITTED, text="Asked the tenant for the scope", by="ops", event_id=_ID, now=_NOW
        ),
        "request.made": codec.encode_request_made(_ID, body="9b1c" * 16, now=_NOW),
        "session.ended": codec.encode_session_ended(
            "5f1a" * 16, until=_NOW + timedelta(hours=12), event_id=_ID, now=_NOW
        ),
        "job.observed": codec.encode_observed(_BOOKING_ID, seen, now=_NOW),
        "customer.resolved": codec.encode_answer(
            request, Known(customer_id=1001, location_id=1003), now=_NOW
        ),
        "customer.failed": codec.encode_answer(request, refused, now=_NOW),
    }


def _request() -> CustomerRequest:
    order = customer_order(Booking.model_validate(_BOOKED))
    return CustomerRequest(booking_id=_BOOKING_ID, turn=1, order=order)
