"""The rows of the simulated tenant. They change in place, and only through the modules of `state`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.simulator.wire.crm import (
    AddressPatch,
    BookingStatus,
    ContactPreferences,
    ContactType,
    CreateBooking,
    CustomerType,
    CustomFieldRequest,
)
from app.simulator.wire.jpm import AppointmentStatus, JobCustomField, JobStatus, LeadSource, Priority
from app.simulator.wire.office import AssignmentStatus, TechnicianStatus

ExternalPairs = dict[str, list[tuple[str, str]]]
"""External data: the pairs that each application (by GUID) keeps."""

OFFICE_USER = 602
"""The employee who does what is done through the API."""


@dataclass(slots=True, kw_only=True)
class Row:
    """What every row has. `change` is the number of its last change in its table."""

    id: int
    created_on: datetime
    modified_on: datetime
    change: int = 0
    active: bool = True


@dataclass(slots=True, kw_only=True)
class ContactRow(Row):
    """A phone or e-mail of a customer or location."""

    type: ContactType
    value: str
    memo: str | None = None
    preferences: ContactPreferences | None = None


@dataclass(slots=True, kw_only=True)
class CustomerRow(Row):
    """A customer."""

    name: str
    type: CustomerType
    address: AddressPatch
    contacts: list[ContactRow] = field(default_factory=list)
    location_ids: list[int] = field(default_factory=list)
    custom_fields: tuple[CustomFieldRequest, ...] = ()
    tag_type_ids: tuple[int, ...] = ()
    do_not_mail: bool = False
    do_not_service: bool = False
    national_account: bool = False
    tax_exempt: bool = False
    payment_term_id: int | None = None
    credit_limit: float | None = None
    credit_limit_balance: float | None = None
    external: ExternalPairs = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class LocationRow(Row):
    """A place where a customer is served."""

    customer_id: int
    name: str
    address: AddressPatch
    contacts: list[ContactRow] = field(default_factory=list)
    custom_fields: tuple[CustomFieldRequest, ...] = ()
    tag_type_ids: tuple[int, ...] = ()
    external: ExternalPairs = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class NoteRow:
    """A note on a job."""

    text: str
    is_pinned: bool
    created_on: datetime


@dataclass(slots=True, frozen=True)
class HistoryRow:
    """Something that happened to a job; `event_type` in the vendor's words."""

    id: int
    event_type: str
    date: datetime
    memo: str | None


@dataclass(slots=True, kw_only=True)
class CancellationRow:
    """One cancellation of a job; inactive once removed."""

    id: int
    reason_id: int
    memo: str
    created_on: datetime
    active: bool = True


@dataclass(slots=True, kw_only=True)
class JobRow(Row):
    """A job."""

    number: str
    customer_id: int
    location_id: int
    business_unit_id: int
    job_type_id: int
    priority: Priority
    campaign_id: int
    summary: str | None
    status: JobStatus = JobStatus.SCHEDULED
    completed_on: datetime | None = None
    invoice_id: int = 0
    appointment_ids: list[int] = field(default_factory=list)
    custom_fields: tuple[JobCustomField, ...] = ()
    tag_type_ids: tuple[int, ...] = ()
    lead_source: LeadSource | None = None
    project_id: int | None = None
    partner_lead_call_id: int | None = None
    booking_id: int | None = None
    sold_by_id: int | None = None
    customer_po: str | None = None
    external: ExternalPairs = field(default_factory=dict)
    notes: list[NoteRow] = field(default_factory=list)
    history: list[HistoryRow] = field(default_factory=list)
    cancellations: list[CancellationRow] = field(default_factory=list)

    @property
    def booking_key(self) -> str | None:
        """The value of the external data key `bookingId`, whoever's it is."""
        return next((v for pairs in self.external.values() for k, v in pairs if k == "bookingId"), None)


@dataclass(slots=True, kw_only=True)
class AppointmentRow(Row):
    """A visit of a job. Its number is the job's with `-1`, `-2` ..."""

    number: str
    job_id: int
    customer_id: int
    start: datetime
    end: datetime
    arrival_window_start: datetime | None = None
    arrival_window_end: datetime | None = None
    status: AppointmentStatus = AppointmentStatus.SCHEDULED
    special_instructions: str | None = None
    unused: bool = False
    is_confirmed: bool = False
    assignment_ids: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class AssignmentRow(Row):
    """A technician on an appointment; inactive once unassigned."""

    technician_id: int
    job_id: int
    appointment_id: int
    status: AssignmentStatus = AssignmentStatus.SCHEDULED


@dataclass(slots=True, kw_only=True)
class BookingRow(Row):
    """A booking of a provider's inbox."""

    provider_id: int
    request: CreateBooking
    status: BookingStatus = BookingStatus.NEW
    dismissing_reason_id: int | None = None


@dataclass(slots=True, kw_only=True)
class NamedRow(Row):
    """A reason, a kind of tag: an entry of one of the tenant's lists."""

    name: str


@dataclass(slots=True, kw_only=True)
class CampaignRow(NamedRow):
    """A marketing campaign."""

    is_default: bool


@dataclass(slots=True, kw_only=True)
class UnitRow(NamedRow):
    """A business unit, which shows whose it is."""

    city: str
    state: str
    tenant_id: int
    tenant_name: str


@dataclass(slots=True, kw_only=True)
class WindowRow(Row):
    """An arrival window that the tenant offers; of every business unit unless some are named."""

    start: timedelta
    duration: timedelta
    business_unit_ids: tuple[int, ...] = ()


@dataclass(slots=True, kw_only=True)
class JobTypeRow(NamedRow):
    """A kind of job; of every business unit unless some are named. `required_fields` are custom fields."""

    minutes: int
    business_unit_ids: tuple[int, ...] = ()
    required_fields: tuple[int, ...] = ()
    priority: Priority


@dataclass(slots=True, kw_only=True)
class TechnicianRow(NamedRow):
    """A technician."""

    user_id: int
    business_unit_id: int
    status: TechnicianStatus = TechnicianStatus.IDLE
    appointment_id: int | None = None


@dataclass(slots=True, frozen=True)
class Refusal:
    """Why something is not done: HTTP status, title, and messages by field.

    `by_gateway` is said by what stands in front of the API, in its own form: `{statusCode, message}`.
    """

    status: int
    title: str
    errors: dict[str, list[str]] = field(default_factory=dict)
    by_gateway: bool = False
