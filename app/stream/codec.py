"""Records on the topics, to and from values: headers, keys and CloudEvents as the contract has them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeAlias, get_args
from uuid import NAMESPACE_URL, uuid5

import orjson
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from app.batches import Broken
from app.booking.customer_lane import CustomerRequest, Known, decode_request, encode_request
from app.booking.events import (
    HEADER_BYTES,
    LARGEST_EVENT,
    LARGEST_RECORD,
    LONGEST_DETAIL,
    Envelope,
    Headers,
    RawEvent,
    Unusable,
    open_event,
    too_large,
)
from app.booking.events import trace_id as read_trace_id
from app.booking.identity import Identity
from app.booking.inputs import (
    Action,
    CustomerFailed,
    CustomerResolved,
    Intent,
    Observed,
    Signal,
    TechnicianSeen,
    VisitSeen,
)
from app.booking.outcomes import Busy, Failed, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import Announce, Record, SendDeadLetter, SendTimer, Trouble
from app.booking.report import instant, view
from app.booking.status import Status
from app.stream.message import Message

SOURCE = "/servicetitan-stream"
Says: TypeAlias = Action | Observed | CustomerResolved | CustomerFailed
TimerKind: TypeAlias = Literal["timer", "overdue", "expire", "restate", "recheck"]
_CONTENT_TYPE = ("content-type", b"application/cloudevents+json; charset=utf-8")
_OURS = frozenset(
    f"x-{name}"
    for name in (
        *("attempt", "due", "turn", "kind", "reason", "detail", "first-failed", "http-status", "trace-id"),
        *("original-topic", "original-partition", "original-offset", "length", "sha256"),
    )
)
"""Names of headers that only this service writes: what a producer says under them is not carried on."""
_LARGEST_LETTER = 2 * 1024 * 1024 - 16 * 1024
"""What the dead letter topic takes, less what is added to an event."""
_TRACE = re.compile(r"[0-9a-f]{32}")
_FIRST_PART = 1024 * 1024
_LARGEST_TIMER = LARGEST_RECORD + 1024
"""An event with the retry headers."""


def raw_event(message: Message) -> RawEvent:
    """A record as the engine keeps it."""
    return RawEvent(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=message.headers,
    )


# Timers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimerSeen:
    """A timer as it came back: for which booking, set at which turn."""

    booking_id: str
    turn: int
    kind: TimerKind


def carried(headers: Headers) -> Headers:
    """An event's own headers, as they came, without those that only this service writes."""
    return tuple(header for header in headers if header[0].lower() not in _OURS)


def timer_headers(own: Headers, timer: SendTimer) -> Headers:
    """The event's own headers, with the retry headers behind them."""
    return (
        *carried(own),
        ("x-attempt", str(timer.attempt).encode()),
        ("x-due", instant(timer.due).encode()),
        ("x-turn", str(timer.turn).encode()),
    )


def scan_headers(turn: int, kind: TimerKind) -> Headers:
    """The headers of a timer that the scan sends, which carries no event."""
    return (("x-turn", str(turn).encode()), ("x-kind", kind.encode()))


def read_timer(message: Message) -> TimerSeen | Unusable:
    """The timer in a record of a retry topic."""
    raw = raw_event(message)
    if large := too_large(raw, _LARGEST_TIMER):
        return large
    headers = dict(message.headers)
    kind = headers.get("x-kind", b"timer").decode("ascii", "replace")
    try:
        booking_id = (message.key or b"").decode()
        turn = int(headers["x-turn"])
    except (KeyError, ValueError):
        booking_id, turn = "", -1
    if not booking_id or kind not in get_args(TimerKind):
        return _unusable(message, "a timer without booking id and turn")
    return TimerSeen(booking_id, turn, kind)  # type: ignore[arg-type]  # one of them, as just checked


# Dead letters ---------------------------------------------------------------------------------------------


def dead_letter(
    letter: SendDeadLetter, broken: Broken | None = None
) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers of a dead letter: the event's own, with the failure headers behind them.

    What the topic does not take whole stands there cut: the first part of the value, with the length and
    SHA-256 of all of it, and as many of the headers as there is room for.
    """
    raw = letter.raw
    own, added = carried(raw.headers), _failure_headers(letter)
    if broken is None and _size(raw.key, raw.value, (*own, *added)) <= _LARGEST_LETTER:
        return raw.key, raw.value, (*own, *added)
    whole = raw.value or b""
    of = broken or Broken("", len(whole), sha256(whole).hexdigest())
    added += (("x-length", b"%d" % of.length), ("x-sha256", of.sha256.encode()))
    key = None if raw.key is None else raw.key[:LARGEST_EVENT]
    value = None if raw.value is None else whole[:_FIRST_PART]
    return key, value, (*_first(own), *added)


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, list(headers))
    return size


def _first(headers: Headers) -> Headers:
    """As many of them as an event may have."""
    room = LARGEST_EVENT
    found: list[tuple[str, bytes]] = []
    for name, text in headers:
        room -= len(name.encode()) + len(text) + HEADER_BYTES
        if room < 0:
            break
        found.append((name, text))
    return tuple(found)


def _failure_headers(letter: SendDeadLetter) -> Headers:
    raw, trouble = letter.raw, letter.trouble
    failure = {
        "x-attempt": str(trouble.attempts),
        "x-reason": trouble.reason.value,
        "x-detail": trouble.detail,
        "x-first-failed": instant(letter.first_failed),
        "x-original-topic": raw.topic,
        "x-original-partition": str(raw.partition),
        "x-original-offset": str(raw.offset),
        "x-http-status": "" if trouble.http_status is None else str(trouble.http_status),
        "x-trace-id": letter.trace_id or "",
    }
    return tuple((name, _text(text)) for name, text in failure.items() if text)


def _text(text: str) -> bytes:
    """At most 4 KB of it, in whole characters."""
    return text.encode(errors="replace")[:LONGEST_DETAIL].decode(errors="ignore").encode()


def letter_for(unusable: Unusable, now: datetime) -> SendDeadLetter:
    """The dead letter of a record that belongs to no booking."""
    trouble = Trouble(
        reason=unusable.reason, detail=unusable.detail[:LONGEST_DETAIL], attempts=0, http_status=None, at=now
    )
    trace = read_trace_id(unusable.raw.headers)
    return SendDeadLetter(raw=unusable.raw, trouble=trouble, first_failed=now, trace_id=trace)


# Announcements --------------------------------------------------------------------------------------------


def announcement(record: Record, owed: Announce) -> bytes:
    """A CloudEvent for `servicetitan-jobs`, with the booking's whole current view."""
    return cloud_event(
        event_id=owed.id,
        event_type=owed.type,
        subject=record.booking_id,
        time=record.changed_at,
        data={**view(record), "causedBy": owed.caused_by},
        trace_id=owed.trace_id,
    )


def cloud_event(
    *,
    event_id: str,
    event_type: str,
    subject: str,
    time: datetime,
    data: object,
    trace_id: str | None = None,
    source: str = SOURCE,
) -> bytes:
    """A CloudEvent in structured mode. A trace goes on under a span named after the event's id."""
    document: dict[str, object] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": event_type,
        "subject": subject,
        "time": instant(time),
        "datacontenttype": "application/json",
        "data": data,
    }
    if trace_id:
        document["traceparent"] = traceparent(trace_id, event_id)
    return orjson.dumps(document)


def traceparent(trace_id: str, cause: str) -> str:
    """A W3C traceparent that continues this trace; the span id is derived from what caused it."""
    return f"00-{trace_id}-{uuid5(NAMESPACE_URL, cause).hex[:16]}-01"


CLOUD_EVENT_HEADERS: Headers = (_CONTENT_TYPE,)

# Signals --------------------------------------------------------------------------------------------------


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _checked(fits: Callable[[Any], bool], must: str) -> AfterValidator:
    """Bounds that keep a row from growing, and numbers from being none that JSON and the view know."""

    def check(value: object) -> object:
        if not fits(value):
            raise ValueError(must)
        return value

    return AfterValidator(check)


def _at_most(length: int) -> AfterValidator:
    return _checked(lambda text: len(text) <= length, f"must have at most {length} characters")


_NUMBER = _checked(lambda number: 0 <= number < 2**63, "must be a whole number below 2^63")
# Rows reckon with it: a time near the ends of the calendar has none before, or behind it.
_OF_OUR_TIMES = _checked(lambda when: 1970 < when.year < 3000, "must be between 1971 and 2999")
_STATUS = _checked(lambda status: 100 <= status <= 599, "must be a status of HTTP")


class _ActionData(_Data):
    by: str = Field(min_length=1, max_length=200)
    why: str = Field(min_length=1, max_length=1000)
    event: Annotated[str, _at_most(500)] | None = None
    plan: Annotated[str, _at_most(200)] | None = None
    data: dict[str, Any] | None = None


class _VisitData(_Data):
    appointmentId: Annotated[int, _NUMBER]  # noqa: N815 - as on the wire
    start: Annotated[AwareDatetime, _OF_OUR_TIMES]
    end: Annotated[AwareDatetime, _OF_OUR_TIMES]
    windowStart: Annotated[AwareDatetime, _OF_OUR_TIMES] | None = None  # noqa: N815 - as on the wire
    windowEnd: Annotated[AwareDatetime, _OF_OUR_TIMES] | None = None  # noqa: N815 - as on the wire


class _TechnicianData(_Data):
    id: Annotated[int, _NUMBER]
    name: Annotated[str, _at_most(200)]
    assigned: bool


class _ObservedData(_Data):
    jobId: Annotated[int, _NUMBER]  # noqa: N815 - as on the wire
    at: Annotated[AwareDatetime, _OF_OUR_TIMES]
    seenBy: Annotated[str, _at_most(100)]  # noqa: N815 - as on the wire
    status: Status | None = None
    appointmentId: Annotated[int, _NUMBER] | None = None  # noqa: N815 - as on the wire
    visit: _VisitData | None = None
    technicians: Annotated[tuple[_TechnicianData, ...], Field(max_length=100)] = ()


class _AnswerData(_Data):
    turn: Annotated[int, _NUMBER]
    digest: Annotated[str, _at_most(200)]


class _ResolvedData(_AnswerData):
    customerId: Annotated[int, _NUMBER]  # noqa: N815 - as on the wire
    locationId: Annotated[int, _NUMBER]  # noqa: N815 - as on the wire
    name: Annotated[str, _at_most(500)] = ""


class _FailedData(_AnswerData):
    outcome: Literal["busy", "failed", "unsure", "refused"]
    detail: str
    httpStatus: Annotated[int, _STATUS] | None = None  # noqa: N815 - as on the wire
    reason: Reason | None = None


class _NoteData(_Data):
    reason: Reason
    text: str
    by: str


class _SessionData(_Data):
    until: AwareDatetime


class _RequestData(_Data):
    body: Annotated[str, _at_most(200)]


SIGNAL_DATA: Mapping[str, type[BaseModel]] = {
    "action.retry": _ActionData,
    "action.repair": _ActionData,
    "action.discard": _ActionData,
    "action.note": _NoteData,
    "session.ended": _SessionData,
    "request.made": _RequestData,
    "job.observed": _ObservedData,
    "customer.resolved": _ResolvedData,
    "customer.failed": _FailedData,
}
"""Every type of signal, and what its data says."""


_FOR_VIEWS = frozenset({"action.note", "session.ended", "request.made"})


@dataclass(frozen=True, slots=True)
class NoteSignal:
    """What one worker tells the views of all: a note, a session, a request's key. No lane's business."""


def read_signal(message: Message) -> Signal | NoteSignal | Unusable:
    """The signal in a record of `booking-signals`."""
    raw = raw_event(message)
    if large := too_large(raw):
        return large
    if message.value is None:
        return _unusable(message, "no value")
    opened = open_event(message.value, message.headers)
    if isinstance(opened, str):
        return _unusable(message, opened)
    envelope, data = opened
    if envelope.type in _FOR_VIEWS:
        return NoteSignal()
    if message.key != envelope.subject.encode():
        return Unusable(reason=Reason.WRONG_KEY, detail="the key is not the signal's subject", raw=raw)
    try:
        says = _says(envelope.type, data)
    except ValidationError as wrong:
        return Unusable(reason=Reason.INVALID, detail=_fields(wrong), raw=raw)
    if says is None:
        detail = f"unknown type of signal {envelope.type}"
        return Unusable(reason=Reason.UNKNOWN_TYPE, detail=detail, raw=raw)
    return _signal(envelope, says, raw)


def _signal(
    envelope: Envelope, says: Action | Observed | CustomerResolved | CustomerFailed, raw: RawEvent
) -> Signal:
    return Signal(
        booking_id=envelope.subject,
        event_id=envelope.id,
        digest=Identity(source=envelope.source, id=envelope.id).digest(),
        says=says,
        trace_id=read_trace_id(raw.headers, envelope.traceparent),
        raw=raw,
    )


def _says(signal_type: str, data: object) -> Says | None:
    match signal_type:
        case "action.retry" | "action.repair" | "action.discard":
            act = _ActionData.model_validate(data)
            kind = signal_type.removeprefix("action.")
            return Action(kind=kind, **act.model_dump())  # type: ignore[arg-type]  # one of the three
        case "job.observed":
            return _observed(_ObservedData.model_validate(data))
        case "customer.resolved":
            found = _ResolvedData.model_validate(data)
            return CustomerResolved(
                turn=found.turn,
                digest=found.digest,
                customer_id=found.customerId,
                location_id=found.locationId,
                name=found.name,
            )
        case "customer.failed":
            return _failed(_FailedData.model_validate(data))
        case _:
            return None


def _visit(said: _VisitData) -> VisitSeen:
    return VisitSeen(
        appointment_id=said.appointmentId,
        start=said.start,
        end=said.end,
        window_start=said.windowStart,
        window_end=said.windowEnd,
    )


def _observed(said: _ObservedData) -> Observed:
    return Observed(
        job_id=said.jobId,
        at=said.at,
        seen_by=said.seenBy,
        status=said.status,
        appointment_id=said.appointmentId,
        visit=None if said.visit is None else _visit(said.visit),
        technicians=tuple(
            TechnicianSeen(id=one.id, name=one.name, assigned=one.assigned) for one in said.technicians
        ),
    )


def _failed(said: _FailedData) -> CustomerFailed:
    detail, status = said.detail, said.httpStatus
    outcome: Busy | Failed | Unsure | Refused
    match said.outcome:
        case "busy":
            outcome = Busy(detail=detail, http_status=status)
        case "failed":
            outcome = Failed(detail=detail, http_status=status)
        case "unsure":
            outcome = Unsure(detail=detail, http_status=status)
        case "refused":
            outcome = Refused(reason=said.reason or Reason.REFUSED, detail=detail, http_status=status)
    return CustomerFailed(turn=said.turn, digest=said.digest, outcome=outcome)


def encode_action(
    booking_id: str, action: Action, *, event_id: str, now: datetime, trace_id: str | None = None
) -> bytes:
    """An operator's act as a signal; the page, the CLI and HTTP all produce this."""
    fields = {"by": action.by, "why": action.why, "event": action.event, "plan": action.plan}
    data: dict[str, object] = {name: value for name, value in fields.items() if value is not None}
    if action.data is not None:
        data["data"] = action.data
    return cloud_event(
        event_id=event_id,
        event_type=f"action.{action.kind}",
        subject=booking_id,
        time=now,
        data=data,
        trace_id=trace_id,
    )


def encode_note(
    reason: Reason,
    *,
    text: str,
    by: str,
    event_id: str,
    now: datetime,
    subject: str | None = None,
    more: Mapping[str, object] | None = None,
) -> bytes:
    """A note on a group of dead letters; its key is the reason, and so is its subject unless it is a booking.

    `more` is what the view reads beside the text, such as the plan that the note is about.
    """
    data = {"reason": reason.value, "text": text, "by": by, **(more or {})}
    return cloud_event(
        event_id=event_id, event_type="action.note", subject=subject or reason.value, time=now, data=data
    )


def encode_session_ended(session: str, *, until: datetime, event_id: str, now: datetime) -> bytes:
    """A session of the page that was signed out, by the digest of its cookie, good until then."""
    data = {"until": instant(until)}
    return cloud_event(event_id=event_id, event_type="session.ended", subject=session, time=now, data=data)


def encode_request_made(request_id: str, *, body: str, now: datetime) -> bytes:
    """A request with an `Idempotency-Key`, by the id of the event that it makes: with which body it came."""
    name = f"{request_id}/{body}"
    return cloud_event(
        event_id=str(uuid5(NAMESPACE_URL, name)),
        event_type="request.made",
        subject=request_id,
        time=now,
        data={"body": body},
    )


def encode_observed(booking_id: str, seen: Observed, *, now: datetime) -> bytes:
    """What was seen in ServiceTitan as a signal; the same occurrence, or sight, again has the same id."""
    # Not to the millisecond only: two sights are compared, and one of them may not have come this way.
    data = {
        "jobId": seen.job_id,
        "at": seen.at.isoformat(),
        "seenBy": seen.seen_by,
        "status": seen.status,
        "appointmentId": seen.appointment_id,
        "visit": seen.visit and _visit_data(seen.visit),
        "technicians": [
            {"id": one.id, "name": one.name, "assigned": one.assigned} for one in seen.technicians
        ],
    }
    told = {name: value for name, value in data.items() if value not in (None, [])}
    name = f"{booking_id}/{seen.occurrence or orjson.dumps(told).decode()}"
    return cloud_event(
        event_id=str(uuid5(NAMESPACE_URL, name)),
        event_type="job.observed",
        subject=booking_id,
        time=now,
        data=told,
    )


def _visit_data(visit: VisitSeen) -> dict[str, object]:
    window = (visit.window_start, visit.window_end)
    opens, closes = (None if moment is None else moment.isoformat() for moment in window)
    return {
        "appointmentId": visit.appointment_id,
        "start": visit.start.isoformat(),
        "end": visit.end.isoformat(),
        "windowStart": opens,
        "windowEnd": closes,
    }


def encode_answer(
    request: CustomerRequest, answer: Known | Busy | Failed | Unsure | Refused, *, now: datetime
) -> bytes:
    """The answer to a customer request as a signal, with what ties it to the request."""
    data: dict[str, object] = {"turn": request.turn, "digest": request.digest}
    if isinstance(answer, Known):
        kind = "customer.resolved"
        data |= {"customerId": answer.customer_id, "locationId": answer.location_id, "name": answer.name}
    else:
        kind = "customer.failed"
        data |= _unhappy_data(answer)
    name = f"{request.booking_id}/{request.turn}/{request.digest}/{kind}/{instant(now)}"
    return cloud_event(
        event_id=str(uuid5(NAMESPACE_URL, name)),
        event_type=kind,
        subject=request.booking_id,
        time=now,
        data=data,
        trace_id=request.trace_id,
    )


def _unhappy_data(answer: Busy | Failed | Unsure | Refused) -> Mapping[str, object]:
    said: dict[str, object] = {
        "outcome": type(answer).__name__.lower(),
        "detail": answer.detail,
        "httpStatus": answer.http_status,
    }
    if isinstance(answer, Refused):
        said["reason"] = answer.reason.value
    return said


FORGOTTEN = "customer.forgotten"

# Customer requests ----------------------------------------------------------------------------------------


def encode_customer_request(request: CustomerRequest, *, now: datetime) -> bytes:
    """A customer request; the same turn's request again has the same id."""
    name = f"{request.booking_id}/{request.turn}/{request.digest}"
    return cloud_event(
        event_id=str(uuid5(NAMESPACE_URL, name)),
        event_type="customer.requested",
        subject=request.booking_id,
        time=now,
        data=encode_request(request),
        trace_id=request.trace_id,
    )


class CustomerForgotten(_Data):
    """A booking leaves: the answer for its customer may leave as well."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    booking_id: str = Field(min_length=1, max_length=100)
    phone: str
    digest: str


def encode_forgotten(forgotten: CustomerForgotten, *, now: datetime) -> bytes:
    """What is told to a phone's lane when a booking that used the digest leaves."""
    return cloud_event(
        event_id=str(uuid5(NAMESPACE_URL, f"{forgotten.booking_id}/{forgotten.digest}/forgotten")),
        event_type=FORGOTTEN,
        subject=forgotten.booking_id,
        time=now,
        data=forgotten.model_dump(by_alias=True),
    )


def read_customer_request(message: Message) -> CustomerRequest | CustomerForgotten | Unusable:
    """What a record of `customer-requests` asks for; its key must be its phone."""
    raw = raw_event(message)
    if large := too_large(raw):
        return large
    if message.value is None:
        return _unusable(message, "no value")
    opened = open_event(message.value, message.headers)
    if isinstance(opened, str):
        return _unusable(message, opened)
    try:
        if opened[0].type == FORGOTTEN:
            forgotten = CustomerForgotten.model_validate(opened[1])
            if message.key != forgotten.phone.encode():
                return Unusable(reason=Reason.WRONG_KEY, detail="the key is not the phone", raw=raw)
            return forgotten
        request = decode_request(opened[1])
    except ValidationError as wrong:
        return Unusable(reason=Reason.INVALID, detail=_fields(wrong), raw=raw)
    except TypeError as wrong:
        return Unusable(reason=Reason.INVALID, detail=str(wrong), raw=raw)
    if len(request.booking_id) > 100 or not 0 <= request.turn < 2**63:
        return Unusable(reason=Reason.INVALID, detail="no such booking id or turn", raw=raw)
    if request.trace_id is not None and not _TRACE.fullmatch(request.trace_id):
        return Unusable(reason=Reason.INVALID, detail="traceId is none of W3C's", raw=raw)
    if message.key != request.order.phone.encode():
        return Unusable(reason=Reason.WRONG_KEY, detail="the key is not the phone", raw=raw)
    return request


def _fields(wrong: ValidationError) -> str:
    """Every field that is wrong; without what was sent, which may be personal."""
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong.errors())


def _unusable(message: Message, detail: str) -> Unusable:
    return Unusable(reason=Reason.UNREADABLE, detail=detail, raw=raw_event(message))


# Intents --------------------------------------------------------------------------------------------------

_INTENT = TypeAdapter(Intent)


def encode_intent(intent: Intent) -> bytes:
    """A row of the table `intents`."""
    return _INTENT.dump_json(intent)


def decode_intent(row: bytes | None) -> Intent | None:
    """The intent that was stored, None when there is none."""
    return None if row is None else _INTENT.validate_json(row)
