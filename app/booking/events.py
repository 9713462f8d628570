"""Booking events: from the bytes on the topic to a value the engine can judge (contract section 2)."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeAlias

import orjson
import phonenumbers
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.networks import validate_email

from app.booking.identity import Identity
from app.booking.reasons import Reason
from app.booking.status import Status
from app.booking.text import SEEN, free_text, one_line, plain_dashes, read_json
from app.booking.visits import SLOT_PATTERN, window

LARGEST_EVENT = 64 * 1024
"""Bytes of an event's value."""
LARGEST_RECORD = LARGEST_EVENT + 16 * 1024
"""Bytes of all of it, as `size_of` counts them: a row keeps several such, and has to fit its topic."""
HEADER_BYTES = 64
"""What each header counts besides its name and value: a row and the memory have to hold it too."""
_REMEMBERED_BYTES = 8 * 1024
STORED: dict[str, object] = {}
"""The context of validation that says: this is a row of our own, read again."""
LONGEST_DETAIL = 4 * 1024

Headers: TypeAlias = tuple[tuple[str, bytes], ...]


def with_values(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """A record's headers; one without a value, which Kafka allows and any producer may send, is empty."""
    return tuple((name, value or b"") for name, value in headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """A record as it came, with where it stood. Kept to the byte: a dead letter is sent from it."""

    # JSON has no bytes: rows keep them as base64.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def _digits(phone: str) -> str:
    dropped = re.sub(r"[\s().+/-]", "", phone)
    if _A_NUMBER.fullmatch(phone):
        raise ValueError("must be written as text: this is a number with a fraction")
    if not (dropped.isascii() and dropped.isdigit() and 10 <= len(dropped) <= 15):
        raise ValueError("must have 10 to 15 digits once punctuation is dropped")
    return phone


_A_NUMBER = re.compile(r"[0-9]{10,15}\.0")
"""What a spreadsheet or a float makes of a phone number: its zero is no digit of it."""


def _zip(text: str) -> str:
    code = plain_dashes(text).replace(" - ", "-")
    if not re.fullmatch(r"[0-9]{5}(-[0-9]{4})?", code):
        raise ValueError("must be five digits, or nine as in 12345-6789")
    return code


def _dashes(text: object) -> object:
    return plain_dashes(text) if isinstance(text, str) else text


def _email(text: str, info: ValidationInfo) -> str:
    """A stored one was checked when it came; doing it again costs more than all the rest of reading a row."""
    return text if info.context is STORED else validate_email(text)[1]


def _known_problem(word: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("problem_types")
    if known is not None and word not in known:
        raise ValueError(must_be_one_of(known))
    return word


_SMALL = re.compile(r"\dt\d|z$")
"""RFC 3339 allows a small t and z as well."""


def must_be_one_of(problem_types: Iterable[str]) -> str:
    """What is wrong with a problem that is none of the business's."""
    return f"must be one of {', '.join(sorted(problem_types))}"


def _instant(text: str) -> str:
    text = text.upper() if _SMALL.search(text) else text
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    written = re.match(r"20\d\d-\d\d-\d\dT", text)
    if when is None or when.tzinfo is None or written is None:
        raise ValueError("must be an ISO 8601 date and time with an offset, such as 2026-03-02T09:00:00Z")
    return text


def _in_utc(when: datetime) -> datetime:
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time that UTC has") from None


def _whole(value: object) -> object:
    """JSON knows no integers: 5.0 is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _slot(text: str) -> str:
    if window(text) is None:
        raise ValueError("must be two times of one day, such as 9:00 AM - 11:00 AM")
    return text


def _or_none(text: object) -> object:
    """A text that says nothing is none."""
    return None if text == "" else text


def _may_be_null(schema: dict[str, Any]) -> None:
    """Null is the default everywhere a field is not required."""
    for name, part in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or "anyOf" in part:
            continue
        around = {word: part[word] for word in ("default", "title", "description") if word in part}
        inner = {word: value for word, value in part.items() if word not in around}
        schema["properties"][name] = {"anyOf": [inner, {"type": "null"}], **around}


# What is checked on the trimmed text, or by a validator, is told to the published schemas beside it.
_NOT_BLANK = Field(json_schema_extra={"pattern": SEEN})
_ONE_LINE = BeforeValidator(one_line)
Line = Annotated[str, StringConstraints(min_length=1, max_length=200), _ONE_LINE, _NOT_BLANK]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), _ONE_LINE, _NOT_BLANK]
Zip = Annotated[
    str,
    AfterValidator(_zip),
    _ONE_LINE,
    Field(json_schema_extra={"pattern": r"^[0-9]{5}(-[0-9]{4})?$"}),
]
UsState = Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{2}$"), _ONE_LINE]
Phone = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_digits),
    BeforeValidator(_dashes),
    _ONE_LINE,
    Field(json_schema_extra={"pattern": r"^[\s().+/-]*([0-9][\s().+/-]*){10,15}$"}),
]
Email = Annotated[str, AfterValidator(_email), _ONE_LINE, Field(json_schema_extra={"format": "email"})]
ProblemType = Annotated[
    str, StringConstraints(min_length=1, max_length=100), AfterValidator(_known_problem), _ONE_LINE
]
Instant = Annotated[
    str,
    AfterValidator(_instant),
    _ONE_LINE,
    Field(json_schema_extra={"format": "date-time", "pattern": r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T"}),
]
TimeSlot = Annotated[
    Annotated[
        str,
        AfterValidator(_slot),
        Field(json_schema_extra={"pattern": SLOT_PATTERN, "examples": ["9:00 AM - 11:00 AM"]}),
    ]
    | None,
    BeforeValidator(_or_none),
    _ONE_LINE,
]
Text = Annotated[str, AfterValidator(free_text)]
"""Of any length: what is over 1,000 characters is shortened, not refused."""
DoorCount = Annotated[int, Field(ge=1, le=10), BeforeValidator(_whole)]
TechnicianId = Annotated[int, Field(gt=0, lt=2**63), BeforeValidator(_whole)]
BookingId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class EventData(BaseModel):
    """The `data` of a booking event: camelCase on the wire, unknown fields ignored, types as in JSON."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_extra=_may_be_null,
    )


class Booking(EventData):
    """`booking.created`: who wants a visit, where, for what, and when."""

    first_name: Name
    last_name: Name
    phone: Phone
    email: Email
    address: Line
    city: Line
    state: UsState
    zip: Zip
    problem_type: ProblemType
    scheduled_date: Instant
    time_slot: TimeSlot | None = None
    door_count: DoorCount = 1
    door_age: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    is_renter: bool = False
    special_instructions: Text | None = None
    booking_id: BookingId | None = None

    @field_validator("booking_id")
    @classmethod
    def _is_the_subject(cls, value: str | None, info: ValidationInfo) -> str | None:
        subject = (info.context or {}).get("subject")
        if value is not None and subject is not None and value != subject:
            raise ValueError(f"must equal the event's subject ({subject})")
        return value

    def same_as(self, other: "Booking") -> bool:
        """Whether both say the same, however the id was written."""
        return self.model_copy(update={"booking_id": None}) == other.model_copy(update={"booking_id": None})


class Rescheduled(EventData):
    """`booking.rescheduled`: the visit's new time."""

    scheduled_date: Instant
    time_slot: TimeSlot | None = None


class StatusChanged(EventData):
    """`booking.status_changed`: what the job should become."""

    status: Annotated[Status, Field(strict=False), _ONE_LINE]
    technician_ids: Annotated[tuple[TechnicianId, ...], Field(strict=False)] = ()
    reason: Text | None = None


CUSTOMER_REQUEST = "Customer request"
"""Why a job is cancelled when nobody said (contract section 2)."""


class Cancelled(EventData):
    """`booking.cancelled`: the visit is not wanted any more."""

    reason: Text = CUSTOMER_REQUEST


Change: TypeAlias = Rescheduled | StatusChanged | Cancelled
Data: TypeAlias = Booking | Change

CREATION = "booking.created"
DATA_TYPES: dict[str, type[Booking] | type[Rescheduled] | type[StatusChanged] | type[Cancelled]] = {
    CREATION: Booking,
    "booking.rescheduled": Rescheduled,
    "booking.status_changed": StatusChanged,
    "booking.cancelled": Cancelled,
}


class Envelope(BaseModel):
    """The CloudEvents 1.0 attributes this service reads; others are ignored."""

    model_config = ConfigDict(frozen=True)

    specversion: Annotated[str, StringConstraints(pattern=r"^1\.0$")]
    id: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    source: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    type: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    subject: BookingId
    time: Annotated[AwareDatetime, AfterValidator(_in_utc)]
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """What is wrong with one field; `value` is what was sent."""

    field: str
    message: str
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """Data that breaks the contract, with every field that does."""

    errors: tuple[FieldError, ...]

    def __str__(self) -> str:
        """One line naming every field; values are left out, since they may be personal."""
        return "; ".join(f"{error.field}: {error.message}" for error in self.errors)[:LONGEST_DETAIL]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingEvent:
    """An event that can be judged; when `data` is Invalid or None (unknown type) it is turned away."""

    booking_id: str
    identity: Identity
    type: str
    time: datetime
    data: Data | Invalid | None
    trace_id: str | None
    raw: RawEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A record that belongs to no booking: it goes to the dead letter topic alone."""

    reason: Reason
    detail: str
    raw: RawEvent


def read(raw: RawEvent, problem_types: frozenset[str] | None = None) -> BookingEvent | Unusable:
    """What a record says. Checks size, key, CloudEvents attributes, type and data; never raises.

    `problem_types` are the business's; without them any is taken.
    Which partition it should stand in is for the caller to check: that takes the topic's partition count.
    """
    large = too_large(raw)
    if large is not None:
        return large
    reading = _read_again if size_of(raw) <= _REMEMBERED_BYTES else _read
    return reading(raw, problem_types)


def size_of(raw: RawEvent) -> int:
    """The bytes of a record: value, key and headers.

    Each header counts a little more than it says, and its name as it stands in a row, which is JSON.
    """
    around = sum(len(orjson.dumps(name)) + len(text) + HEADER_BYTES for name, text in raw.headers)
    return len(raw.value or b"") + len(raw.key or b"") + around


def too_large(raw: RawEvent, most: int = LARGEST_RECORD) -> Unusable | None:
    """The record as one that is not taken for its size, None when it is not too large.

    Its value is at most `LARGEST_EVENT`, all of it at most `most`.
    """
    value, size = len(raw.value or b""), size_of(raw)
    if value > LARGEST_EVENT:
        detail = f"{value} bytes; at most {LARGEST_EVENT} are taken"
    elif size > most:
        detail = f"{size} bytes with its key and headers; at most {most} are taken"
    else:
        return None
    return Unusable(reason=Reason.TOO_LARGE, detail=detail, raw=raw)


def _read(raw: RawEvent, problem_types: frozenset[str] | None) -> BookingEvent | Unusable:
    opened = open_event(raw.value, raw.headers)
    if isinstance(opened, str):
        return Unusable(reason=Reason.UNREADABLE, detail=opened, raw=raw)
    envelope, data = opened
    if raw.key is None:
        return Unusable(reason=Reason.WRONG_KEY, detail="the record has no key", raw=raw)
    if raw.key != envelope.subject.encode():
        return Unusable(reason=Reason.WRONG_KEY, detail="the key is not the event's subject", raw=raw)
    return BookingEvent(
        booking_id=envelope.subject,
        identity=Identity(source=envelope.source, id=envelope.id),
        type=envelope.type,
        time=envelope.time,
        data=validate(envelope.type, data, envelope.subject, problem_types),
        trace_id=trace_id(raw.headers, envelope.traceparent),
        raw=raw,
    )


# The answer to an event's call is judged by what it says, once more. At most 4 MB of events stand here.
_read_again = lru_cache(maxsize=512)(_read)


def validate(
    event_type: str, data: object, subject: str, problem_types: frozenset[str] | None = None
) -> Data | Invalid | None:
    """The event's data as a value, Invalid with every field error, or None for an unknown type.

    `problem_types` are the business's; without them any is taken.
    Absent and null are the default where a field is not required, and no data at all are no fields.
    """
    model = DATA_TYPES.get(event_type)
    if model is None:
        return None
    if isinstance(data, Unread):
        return Invalid(errors=(data.wrong,))
    data = {} if data is None else data
    if isinstance(data, dict):
        data = {name: value for name, value in data.items() if value is not None}
    try:
        # Through JSON: strict models take a JSON array for a tuple there, and nothing looser.
        return model.model_validate_json(
            orjson.dumps(data), context={"subject": subject, "problem_types": problem_types}
        )
    except (ValidationError, TypeError) as wrong:
        return Invalid(errors=_field_errors(wrong))


def written_in(raw: RawEvent) -> dict[str, Any]:
    """The fields of a creation as they were written, valid or not; those that nobody knows are left out."""
    opened = open_event(raw.value, raw.headers)
    data = None if isinstance(opened, str) else opened[1]
    known = {to_camel(name) for name in Booking.model_fields if name != "booking_id"}
    return {name: value for name, value in data.items() if name in known} if isinstance(data, dict) else {}


def _field_errors(wrong: ValidationError | TypeError) -> tuple[FieldError, ...]:
    if isinstance(wrong, TypeError):
        return (FieldError(field="data", message="must be a JSON object"),)
    return tuple(
        FieldError(
            field=".".join(str(part) for part in error["loc"]) or "data",
            message=error["msg"].removeprefix("Value error, "),
            value=error["input"] if error["type"] != "missing" else None,
        )
        for error in wrong.errors(include_url=False, include_context=False)
    )


_FORMAT = re.compile(r"application/cloudevents([^\s;]*)", re.IGNORECASE)


def open_event(value: bytes | None, headers: Headers) -> tuple[Envelope, object] | str:
    """A CloudEvent's attributes and data, in either mode, or what makes it unreadable.

    The mode is told by the content type, as CloudEvents' Kafka binding has it. Without one, an event whose
    headers have no `ce_specversion` is taken for a structured one as well.
    """
    named = {name.lower(): content for name, content in headers}
    content_type = named.get("content-type", b"").decode("ascii", "replace").strip()
    structured = _FORMAT.match(content_type)
    if structured is not None and structured[1].lower() not in {"", "+json"}:
        return f"not a CloudEvent in JSON, one to a record: the content type is {content_type[:100]}"
    attributes = {name[3:]: content for name, content in named.items() if name.startswith("ce_")}
    binary = structured is None and "specversion" in attributes
    if value is None and not binary:
        return "the value is null"
    try:
        # In binary mode the value is the data alone, which may be left out.
        body: object = None if binary and not value else read_json(value or b"")
        if binary:
            document: object = {name: content.decode() for name, content in attributes.items()}
            data = body
        else:
            document = body
            data = _data_of(body) if isinstance(body, dict) else None
        if not isinstance(document, dict):
            return "not a CloudEvent: the JSON is no object"
        return Envelope.model_validate(document), data
    except orjson.JSONDecodeError as wrong:
        return f"not JSON: {wrong}"
    except UnicodeDecodeError:
        return "not a CloudEvent: a ce_ header is not UTF-8"
    except ValidationError as wrong:
        return f"not a CloudEvent: {'; '.join(f'{e.field}: {e.message}' for e in _field_errors(wrong))}"


@dataclass(frozen=True, slots=True)
class Unread:
    """Data that cannot be read, with what is wrong."""

    wrong: FieldError


def _data_of(document: Mapping[str, Any]) -> object:
    """The data of an event in structured mode; `data_base64` stands where `data` would (CloudEvents JSON)."""
    encoded = document.get("data_base64")
    if encoded is None:
        return document.get("data")
    message = "must not stand beside data" if document.get("data") is not None else "must be JSON in base64"
    unread = Unread(FieldError(field="data_base64", message=message))
    if document.get("data") is not None or not isinstance(encoded, str):
        return unread
    try:
        value = base64.b64decode(encoded, validate=True)
        return read_json(value) if value else None
    except ValueError:
        return unread


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id(headers: Headers, traceparent: str | None = None) -> str | None:
    """The W3C trace id that an event carries as header or extension, if it is well formed."""
    for name, content in headers:
        if name.lower() in {"traceparent", "ce_traceparent"}:
            traceparent = content.decode("ascii", "replace")
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else None


def phone_key(phone: str) -> str:
    """One phone number however it was typed: E.164 when it is a valid one, else its digits.

    Digits that are a valid number alone are that number, so that a key is its own key.
    """
    digits = re.sub(r"\D", "", phone)
    return _in_e164(phone) or _in_e164(digits) or digits


def _in_e164(phone: str) -> str | None:
    try:
        number = phonenumbers.parse(phone, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
