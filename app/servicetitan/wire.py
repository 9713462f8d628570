"""What this service reads of ServiceTitan's answers, and how it writes instants.

Only the fields that are used are read. A key, a null or a word of a list that is not known never makes an
answer unreadable: the vendor adds some without notice, and nulls stand where the documents say never. A row
of a list that really cannot be read is left out, and the page says how many were. Pure.
"""

from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from app.booking.text import read_json

PAGE_SIZE = 500
"""Rows asked for at once: the vendor names 5,000 as the most, two users 500."""
LARGEST_ID = 2**63 - 1


def parse_instant(value: object) -> datetime:
    """The UTC datetime of ISO text or of a datetime.

    Digits past microseconds are cut; a date alone is its midnight; text without a zone is UTC, as in V1
    webhooks. Raises ValueError for anything else.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("no date in ISO 8601") from None
    if not isinstance(value, datetime):
        raise ValueError("a date must be ISO 8601 text")  # noqa: TRY004 - pydantic reports ValueError only
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the date is out of range") from None


def print_instant(moment: datetime) -> str:
    """`2024-03-21T12:11:54.22Z`: UTC, fractional digits only as far as they are not zero."""
    moment = moment.astimezone(UTC)
    text = moment.isoformat()[:19]
    digits = f"{moment.microsecond:06d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


Instant = Annotated[datetime, BeforeValidator(parse_instant)]
Id = Annotated[int, Field(strict=True, gt=0, le=LARGEST_ID)]


def _if_readable(read: Callable[[object], Any]) -> BeforeValidator:
    """A field that is helpful and not needed: whatever cannot be read counts as missing."""

    def readable(value: object) -> object:
        try:
            return read(value)
        except (ValueError, TypeError):
            return None

    return BeforeValidator(readable)


def _an_id(value: object) -> int | None:
    return value if type(value) is int and 0 < value <= LARGEST_ID else None


def _a_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _an_object(value: object) -> object:
    return value if isinstance(value, dict) else None


def _ids(value: object) -> tuple[int, ...]:
    """The ids of a list, of numbers or of rows; what is none is not there."""
    rows = value if isinstance(value, list) else []
    found = (_an_id(row.get("id") if isinstance(row, dict) else row) for row in rows)
    return tuple(each for each in found if each is not None)


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    """The keys and values of external data; what is no such pair is not there."""
    rows = value if isinstance(value, list) else []
    pairs = ((row.get("key"), row.get("value")) for row in rows if isinstance(row, dict))
    return tuple((key, text) for key, text in pairs if isinstance(key, str) and isinstance(text, str))


def _scopes(value: object) -> frozenset[str]:
    """Scopes, joined by blanks as an answer tells them, or a list as a JWT has it."""
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(word for word in words if isinstance(word, str))


MaybeId = Annotated[int | None, _if_readable(_an_id)]
MaybeText = Annotated[str | None, _if_readable(_a_text)]
MaybeInstant = Annotated[datetime | None, _if_readable(parse_instant)]
Flag = Annotated[bool | None, _if_readable(lambda value: value if isinstance(value, bool) else None)]
Ids = Annotated[tuple[int, ...], BeforeValidator(_ids)]
Pairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)]
Scopes = Annotated[frozenset[str], BeforeValidator(_scopes)]


class Read(BaseModel):
    """A JSON object as it is read: camelCase outside, what is not named here is ignored."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore", frozen=True)

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The object of a JSON text. Raises pydantic's ValidationError."""
        try:
            return cls.model_validate(_document(body))
        except orjson.JSONDecodeError:
            return cls.model_validate_json(body)


def _document(body: bytes) -> object:
    """What a JSON text says. Half of an emoji in a stranger's row, or a wrong byte, hides nothing else."""
    try:
        return read_json(body)
    except orjson.JSONDecodeError:
        return read_json(body.decode("utf-8", "replace").encode())


class Anything(Read):
    """An answer of which nothing is used but that it is an object, as a proxy's page is not."""


Row = TypeVar("Row", bound=Read)


class Page(BaseModel, Generic[Row]):
    """One page of a list. `left_out` are the rows that cannot be read, as they came."""

    model_config = ConfigDict(frozen=True)

    data: tuple[Row, ...] = ()
    has_more: bool = False
    left_out: tuple[object, ...] = ()


class _RawPage(Read):
    has_more: Flag = False
    data: list[Any]


def page_of(row: type[Row]) -> Callable[[bytes], Page[Row]]:
    """A reader of pages of such rows. It raises ValidationError when the body is no page at all."""

    def read(body: bytes) -> Page[Row]:
        raw = _RawPage.read(body)
        rows: list[Row] = []
        left_out: list[object] = []
        for each in raw.data:
            try:
                rows.append(row.model_validate(each))
            except ValidationError:
                left_out.append(each)
        return Page(data=tuple(rows), has_more=bool(raw.has_more), left_out=tuple(left_out))

    return read


class Job(Read):
    """A job. `job_status` is ServiceTitan's word, whichever; `external_data` ours alone."""

    id: Id
    job_number: MaybeText = None
    customer_id: MaybeId = None
    location_id: MaybeId = None
    job_status: MaybeText = None
    first_appointment_id: MaybeId = None
    last_appointment_id: MaybeId = None
    external_data: Pairs = ()
    created_on: MaybeInstant = None
    modified_on: MaybeInstant = None


class ChangedJob(Job):
    """A job where what counts is when it was changed."""

    modified_on: Instant


class Moved(Read):
    """The answer of a move: the visit, of which only the time of the change is used."""

    modified_on: MaybeInstant = None


class Appointment(Read):
    """A visit."""

    id: Id
    job_id: MaybeId = None
    status: MaybeText = None
    start: MaybeInstant = None
    end: MaybeInstant = None
    arrival_window_start: MaybeInstant = None
    arrival_window_end: MaybeInstant = None
    modified_on: MaybeInstant = None


class ChangedAppointment(Appointment):
    """A visit where what counts is when it was changed, and to when."""

    job_id: Id
    start: Instant
    end: Instant
    modified_on: Instant


class Assignment(Read):
    """A technician on a visit; inactive once taken off."""

    id: Id
    technician_id: Id
    technician_name: MaybeText = None
    job_id: Id
    appointment_id: Id
    modified_on: MaybeInstant = None
    active: Flag = True


class ChangedAssignment(Assignment):
    """The same where what counts is when it was changed."""

    modified_on: Instant


class Note(Read):
    """A note of a job."""

    text: MaybeText = None


class Named(Read):
    """A row of one of the tenant's lists."""

    id: Id
    name: str
    active: Flag = True


class JobType(Named):
    """A job type, and the business units it is bound to; of all of them when none is named."""

    business_unit_ids: Ids = ()


class ArrivalWindow(Read):
    """An arrival window of the tenant, of all its business units when none is named; times as `09:00:00`."""

    start: str
    duration: str
    business_unit_ids: Ids = ()
    active: Flag = True


class Address(Read):
    """Where a customer or a location is."""

    street: MaybeText = None
    zip: MaybeText = None


MaybeAddress = Annotated[Address | None, BeforeValidator(_an_object)]


class Customer(Read):
    """A customer, without contacts."""

    id: Id
    name: MaybeText = None
    active: Flag = True
    merged_to_id: MaybeId = None
    do_not_service: Flag = False
    address: MaybeAddress = None


class Contact(Read):
    """How a customer is reached."""

    type: MaybeText = None
    value: MaybeText = None


class Location(Read):
    """A location of a customer."""

    id: Id
    customer_id: MaybeId = None
    active: Flag = True
    address: MaybeAddress = None


class CreatedCustomer(Customer):
    """The answer of a customer's creation, with the ids of its locations."""

    locations: Ids = ()


class TokenAnswer(BaseModel):
    """The answer of `POST /connect/token`; `expires_in` in seconds.

    A token is what fits into a header: printable ASCII, within what servers take of one.
    """

    access_token: str = Field(pattern=r"^[!-~]{1,8000}$")
    expires_in: int = Field(gt=0)
    scope: Scopes = frozenset()

    @property
    def scopes(self) -> frozenset[str]:
        """What the token may be used for, by the answer, else by the token's own claim; empty if not told."""
        return self.scope or _claimed(self.access_token)

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The answer of a JSON text. Raises pydantic's ValidationError."""
        return cls.model_validate_json(body)


def _claimed(token: str) -> frozenset[str]:
    """The scopes that a JWT claims, unchecked: they are told to people, and nothing is decided by them."""
    _, _, rest = token.partition(".")
    payload = rest.partition(".")[0]
    try:
        said = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return frozenset()
    return _scopes(said.get("scope")) if isinstance(said, dict) else frozenset()


def ours(external_data: Pairs, key: str) -> str | None:
    """The value that our application keeps under this key."""
    return next((value for name, value in external_data if name == key), None)


def carries(row: object, key: str, value: str) -> bool:
    """Whether a row that could not be read carries this pair of ours all the same."""
    return isinstance(row, dict) and (key, value) in _pairs(row.get("externalData"))
