"""What a lane asks of ServiceTitan: one value per kind of request, in the business's words.

An ask is one attempt. The client may need more than one HTTP call for it, and its outcome is that of all.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """When the visit is: start and end, and the arrival window when one was promised. All UTC."""

    start: datetime
    end: datetime
    window_start: datetime | None = None
    window_end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """A job to be made. Business unit, job type and tags are names in its lists; `summary` is HTML."""

    booking_id: str
    customer_id: int
    location_id: int
    business_unit: str
    job_type: str
    tags: tuple[str, ...] = ()
    priority: str
    summary: str
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class FindJob:
    """Is there a job that carries this booking id? Also looked for by customer and creation time."""

    booking_id: str
    customer_id: int | None = None
    created_on_or_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """Make the job. Never to be sent twice blindly."""

    order: JobOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule:
    """Move the job's visit."""

    job_id: int
    appointment_id: int
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel the job."""

    job_id: int
    memo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """Make the job scheduled again.

    `cancelled` removes the cancellation that it has or may have; `assigned` takes it off hold and takes
    the technicians off, of whom only these when any are named.
    """

    job_id: int
    appointment_id: int
    cancelled: bool
    assigned: bool
    technician_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Assign the technicians, or write a note when none are named: dispatching itself cannot be asked for."""

    job_id: int
    appointment_id: int
    technician_ids: tuple[int, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write a note on the job: a status that cannot be set from outside."""

    job_id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """Complete the job, as of the given time."""

    job_id: int
    completed_on: datetime


Ask: TypeAlias = FindJob | CreateJob | Reschedule | Cancel | PutBack | Dispatch | Note | Complete


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSeen:
    """A job as ServiceTitan shows it. `status` is its own word (Scheduled, InProgress, Canceled ...)."""

    job_id: int
    job_number: str
    customer_id: int
    location_id: int
    appointment_id: int
    status: str
    created_on: datetime
    modified_on: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOrder:
    """Whose visit it is: what a customer and its location are made from. `phone` in E.164, else digits."""

    name: str
    phone: str
    email: str
    street: str
    city: str
    state: str
    zip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindCustomers:
    """Which customers have this phone number? Compare name and address: a phone alone is nobody."""

    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindLocations:
    """The locations of this customer are looked for."""

    customer_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCustomer:
    """Make the customer with its location. Never to be sent twice blindly."""

    order: CustomerOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateLocation:
    """Make one more location of a customer. Never to be sent twice blindly."""

    customer_id: int
    order: CustomerOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCustomer:
    """What is this customer now? Nothing, when it was merged into another or made inactive."""

    customer_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContacts:
    """How is this customer reached? Nothing, when it was made inactive."""

    customer_id: int


class ContactKind(StrEnum):
    """How a contact is reached, in ServiceTitan's words."""

    PHONE = "Phone"
    MOBILE = "MobilePhone"
    EMAIL = "Email"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddContact:
    """One more contact of a customer. Read the contacts before it: sent twice, it stands there twice."""

    customer_id: int
    kind: ContactKind
    value: str


CustomerAsk: TypeAlias = (
    FindCustomers | FindLocations | CreateCustomer | CreateLocation | ReadCustomer | ReadContacts | AddContact
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSeen:
    """A customer and one of its locations, or the customer alone."""

    customer_id: int
    name: str
    street: str
    zip: str
    location_id: int | None = None
    do_not_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSeen:
    """A contact of a customer; `kind` in ServiceTitan's words, of which there may be more than we know."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationSeen:
    """A location of a customer."""

    customer_id: int
    location_id: int
    street: str
    zip: str


def is_a_note(ask: Ask | CustomerAsk) -> bool:
    """Whether an ask writes a note: sent twice, it stands there twice."""
    return isinstance(ask, Note) or (isinstance(ask, Dispatch) and not ask.technician_ids)
