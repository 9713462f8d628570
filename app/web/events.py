"""The events that HTTP makes: CloudEvents with ids that a repeated request makes again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid4, uuid5

import orjson

from app.booking.events import Headers, trace_id
from app.booking.identity import Identity
from app.booking.inputs import Action
from app.stream.codec import CLOUD_EVENT_HEADERS, SOURCE, cloud_event, encode_action

HTTP_SOURCE = f"{SOURCE}/http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A record to send, and by which identity its end is found in the view."""

    key: bytes
    value: bytes
    event_id: str
    digest: str
    headers: Headers = CLOUD_EVENT_HEADERS


def event_id(idempotency_key: str | None, path: str) -> str:
    """The same for a repeated request with an `Idempotency-Key`, else random."""
    return (
        str(uuid4()) if idempotency_key is None else str(uuid5(NAMESPACE_URL, f"{path}\n{idempotency_key}"))
    )


def new_booking_id(idempotency_key: str | None, path: str) -> str:
    """An id for a booking that came without one; `path` is that of its request, with its place in a batch."""
    if idempotency_key is None:
        return f"web-{uuid4().hex}"
    return f"web-{uuid5(NAMESPACE_URL, f'booking/{path}/{idempotency_key}').hex}"


def body_digest(body: bytes) -> str:
    """What a body says, whatever its blanks and the order of its fields."""
    try:
        return value_digest(orjson.loads(body))
    except orjson.JSONDecodeError:
        return hashlib.sha256(body).hexdigest()


def value_digest(value: object) -> str:
    """The same of what was read of a body."""
    try:
        plain = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # What could be read may be nested deeper than what can be written.
        plain = repr(value).encode(errors="backslashreplace")
    return hashlib.sha256(plain).hexdigest()


def booking_event(
    event_type: str,
    booking_id: str,
    data: Mapping[str, object],
    *,
    made_id: str,
    now: datetime,
    traceparent: str | None,
) -> Made:
    """A booking event for `booking-events`."""
    value = cloud_event(
        event_id=made_id,
        event_type=event_type,
        subject=booking_id,
        time=now,
        data=data,
        trace_id=trace_id((), traceparent),
        source=HTTP_SOURCE,
    )
    return Made(
        key=booking_id.encode(),
        value=value,
        event_id=made_id,
        digest=Identity(source=HTTP_SOURCE, id=made_id).digest(),
    )


def action_signal(
    booking_id: str, action: Action, *, made_id: str, now: datetime, traceparent: str | None
) -> Made:
    """An operator's act for `booking-signals`."""
    trace = trace_id((), traceparent)
    return Made(
        key=booking_id.encode(),
        value=encode_action(booking_id, action, event_id=made_id, now=now, trace_id=trace),
        event_id=made_id,
        digest=Identity(source=SOURCE, id=made_id).digest(),
    )
