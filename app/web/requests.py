"""Reading requests: JSON bodies, headers that ask for something, parameters of the query."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, BaseModel, ValidationError

from app.booking.events import FieldError
from app.view.rows import Walk
from app.view.walking import LONGEST_WALK
from app.web.envelope import Problem
from app.web.guard import BODY
from app.web.operations import KEY_PATTERN

LONGEST_WAIT = 30.0
_KEY = re.compile(KEY_PATTERN)
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 20
M = TypeVar("M", bound=BaseModel)


def json_body(request: web.Request, *, required: bool = True) -> object:
    """The body as JSON. Raises Problem: 415 when it is said to be something else, 400 when it is none."""
    body = request[BODY]
    if not body and not required:
        return {}
    kind = request.content_type
    if "Content-Type" not in request.headers or not (kind == "application/json" or kind.endswith("+json")):
        raise Problem(415, "the body must be sent as application/json")
    return parsed(body)


def parsed(body: bytes) -> object:
    """The bytes as JSON; raises Problem 400 when they are none."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Problem(400, f"the body is not JSON: {wrong}") from None
    return document


def as_model(model: type[M], document: object, *, parts_later: bool = False) -> M:
    """The document as this model; raises Problem 400 with every field that is wrong.

    With `parts_later` what is in it is judged by itself later, so that it may be anything here.
    """
    try:
        if parts_later:
            return model.model_validate(document)
        return model.model_validate_json(orjson.dumps(document))
    except orjson.JSONEncodeError:
        # What can be read may be nested deeper than what can be written.
        raise Problem(400, "the body is nested too deep") from None
    except ValidationError as wrong:
        raise invalid(field_errors(wrong)) from None


def field_errors(wrong: ValidationError) -> tuple[FieldError, ...]:
    """Every field that is wrong."""
    return tuple(
        FieldError(
            field=".".join(str(part) for part in error["loc"]) or "body",
            message=error["msg"].removeprefix("Value error, "),
            value=None if error["type"] == "missing" else error["input"],
        )
        for error in wrong.errors(include_url=False, include_context=False)
    )


def invalid(errors: tuple[FieldError, ...]) -> Problem:
    """400 with these fields."""
    fields = ", ".join(dict.fromkeys(error.field for error in errors))
    return Problem(400, f"wrong: {fields}"[:500], details=errors)


# Headers --------------------------------------------------------------------------------------------------


def idempotency_key(request: web.Request) -> str | None:
    """The `Idempotency-Key`, quoted as in its draft or bare."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if _KEY.fullmatch(key.strip()) is None:
        message = "must be 1 to 200 printable ASCII characters, quoted or without quotes"
        raise invalid((FieldError(field="Idempotency-Key", message=message),))
    return key.strip().strip('"')


@dataclass(frozen=True, slots=True)
class Preference:
    """How long to wait (seconds), and what of `Prefer` was followed (RFC 7240)."""

    wait: float
    applied: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Says what was followed."""
        return {} if self.applied is None else {"Preference-Applied": self.applied}


def preference(request: web.Request, default: float) -> Preference:
    """What `Prefer` says of waiting; what cannot be understood is ignored, as RFC 7240 asks."""
    waits: float | None = None
    for header in request.headers.getall("Prefer", []):
        for part in header.split(","):
            name, _, value = part.partition(";")[0].strip().partition("=")
            if name.strip().lower() == "respond-async":
                return Preference(0.0, "respond-async")
            seconds = value.strip().strip('"')
            if name.strip().lower() == "wait" and re.fullmatch(r"[0-9]{1,9}", seconds) and waits is None:
                waits = min(float(seconds), LONGEST_WAIT)
    return Preference(default) if waits is None else Preference(waits, f"wait={waits:.0f}")


# Texts -----------------------------------------------------------------------------------------------------


def moment(text: str) -> datetime | None:
    """The time in UTC that a text tells; None for what is none, or none in UTC."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def whole(text: str) -> int | None:
    """The whole number that a text tells in digits; None for what is none, or longer than any of ours."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else None


def _in_utc(when: datetime) -> datetime:
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time that UTC has") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with an offset, in UTC."""

# Parameters -----------------------------------------------------------------------------------------------


def number(request: web.Request, name: str, *, low: float, high: float, default: float) -> float:
    """A number of the query; raises Problem 400 when it is none, or out of its bounds."""
    text = request.query.get(name)
    if text is None:
        return default
    found = float(text) if _NUMBER.fullmatch(text) else None
    if found is None or not low <= found <= high:
        message = f"must be a number from {low:g} to {high:g}"
        raise invalid((FieldError(field=name, message=message, value=text),))
    return found


def whole_number(request: web.Request, name: str, *, low: int, high: int, default: int) -> int:
    """The same for a whole number."""
    text = request.query.get(name)
    if text is not None and not re.fullmatch(r"[0-9]{1,9}", text):
        message = f"must be a whole number from {low} to {high}"
        raise invalid((FieldError(field=name, message=message, value=text),))
    return int(number(request, name, low=low, high=high, default=default))


def date_range(request: web.Request, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """`startDate` and `endDate`, both inclusive; a day is the whole day in the business's zone."""
    errors: list[FieldError] = []
    found: list[tuple[datetime, datetime]] = []
    for name in ("startDate", "endDate"):
        text = request.query.get(name)
        ends = None if text is None else _ends(text, zone)
        if ends is None:
            message = "is needed" if text is None else "must be a date, or a date and time with an offset"
            errors.append(FieldError(field=name, message=message, value=text))
        else:
            found.append(ends)
    if errors:
        raise invalid(tuple(errors))
    start, end = found[0][0], found[1][1]
    if end < start:
        message = "must not be before startDate"
        raise invalid((FieldError(field="endDate", message=message, value=request.query["endDate"]),))
    return start, end


def _ends(text: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The first and the last moment that a text means."""
    # An unescaped + of an offset arrives as a blank.
    text = re.sub(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})$", r"\1+\2", text)
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            day = date.fromisoformat(text)
            first = datetime.combine(day, time.min, zone).astimezone(UTC)
            last = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
            return first, last - timedelta(milliseconds=1)
        if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", text):
            return None
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment, moment


# Cursors --------------------------------------------------------------------------------------------------


_NUMBER_BYTES, _PLACE_BYTES = 8, 5


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a walk stands, and when it began (epoch milliseconds)."""

    walk: Walk
    began: int

    def __str__(self) -> str:
        """A text that means nothing to its holder."""
        numbers = (self.began, self.walk.start, self.walk.job_id)
        plain = b"".join(number.to_bytes(_NUMBER_BYTES, signed=True) for number in numbers)
        plain += b"".join(place.to_bytes(_PLACE_BYTES) for place in self.walk.places)
        return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def read_cursor(request: web.Request, *, partitions: int, now: datetime) -> Cursor | None:
    """Where the walk goes on; raises Problem 400 for a text that no answer gave, or that is too old."""
    text = request.query.get("cursor")
    if text is None:
        return None
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        plain = b""
    if len(plain) != 3 * _NUMBER_BYTES + partitions * _PLACE_BYTES:
        raise invalid((FieldError(field="cursor", message="must be `next` of an answer", value=text),))
    numbers, places = plain[: 3 * _NUMBER_BYTES], plain[3 * _NUMBER_BYTES :]
    began, start, job_id = (int.from_bytes(part, signed=True) for part in _parts(numbers, _NUMBER_BYTES))
    if began < (now - LONGEST_WALK).timestamp() * 1000:
        message = f"the walk began over {LONGEST_WALK.seconds // 3600} hour ago: begin again without a cursor"
        raise invalid((FieldError(field="cursor", message=message, value=text),))
    there = tuple(int.from_bytes(part) for part in _parts(places, _PLACE_BYTES))
    return Cursor(Walk(places=there, start=start, job_id=job_id), began)


def _parts(plain: bytes, size: int) -> Iterator[bytes]:
    return (plain[at : at + size] for at in range(0, len(plain), size))
