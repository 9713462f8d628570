"""The `jpm` module: jobs, appointments, job types, reasons, notes, history."""

from enum import StrEnum

from pydantic import Field

from app.simulator.wire.base import Wire
from app.simulator.wire.dates import Instant
from app.simulator.wire.envelope import ExternalData, ExternalDataRequest


class JobStatus(StrEnum):
    """A job's status. Dispatching moves a job straight to InProgress; no source ever shows Dispatched."""

    SCHEDULED = "Scheduled"
    DISPATCHED = "Dispatched"
    IN_PROGRESS = "InProgress"
    HOLD = "Hold"
    COMPLETED = "Completed"
    CANCELED = "Canceled"


class AppointmentStatus(StrEnum):
    """An appointment's status."""

    SCHEDULED = "Scheduled"
    DISPATCHED = "Dispatched"
    WORKING = "Working"
    HOLD = "Hold"
    DONE = "Done"
    CANCELED = "Canceled"


class Priority(StrEnum):
    """How urgent a job is."""

    LOW = "Low"
    NORMAL = "Normal"
    HIGH = "High"
    URGENT = "Urgent"


class JobCustomField(Wire):
    """A custom field of a job."""

    type_id: int
    name: str | None = None
    value: str | None = None


class LeadSource(Wire):
    """The job and employee that generated a lead."""

    job_id: int | None = None
    employee_id: int | None = None


class AppointmentRequest(Wire):
    """An appointment inside a job to create."""

    start: Instant
    end: Instant
    arrival_window_start: Instant | None = None
    arrival_window_end: Instant | None = None
    technician_ids: tuple[int, ...] | None = None


class CreateJob(Wire):
    """`POST /jobs`; at least one appointment. No idempotency key: a repeated POST is a second job."""

    customer_id: int
    location_id: int
    business_unit_id: int
    job_type_id: int
    priority: Priority
    campaign_id: int
    appointments: tuple[AppointmentRequest, ...] = Field(min_length=1)
    summary: str | None = None
    custom_fields: tuple[JobCustomField, ...] | None = None
    tag_type_ids: tuple[int, ...] | None = None
    external_data: ExternalDataRequest | None = None
    project_id: int | None = None
    job_generated_lead_source: LeadSource | None = None
    invoice_signature_is_required: bool | None = None
    customer_po: str | None = None
    sold_by_id: int | None = None
    partner_lead_call_id: int | None = None
    lead_id: int | None = None
    booking_id: int | None = None


class PatchJob(Wire):
    """`PATCH /jobs/{id}`: only what is set changes; a list replaces the whole list. It sets no status."""

    customer_id: int | None = None
    location_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: Priority | None = None
    campaign_id: int | None = None
    summary: str | None = None
    should_update_invoice_items: bool | None = None
    custom_fields: tuple[JobCustomField, ...] | None = None
    tag_type_ids: tuple[int, ...] | None = None
    external_data: ExternalDataRequest | None = None
    job_generated_lead_source: LeadSource | None = None
    customer_po: str | None = None
    sold_by_id: int | None = None


class Job(Wire):
    """A job as read. `external_data` is null unless the query named the application's GUID."""

    id: int
    job_number: str
    project_id: int | None = None
    customer_id: int
    location_id: int
    job_status: JobStatus
    completed_on: Instant | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: Priority | None = None
    campaign_id: int | None = None
    summary: str | None = None
    custom_fields: tuple[JobCustomField, ...] | None = ()
    appointment_count: int | None = 1
    first_appointment_id: int | None = None
    last_appointment_id: int | None = None
    recall_for_id: int | None = None
    warranty_id: int | None = None
    job_generated_lead_source: LeadSource | None = None
    no_charge: bool | None = False
    notifications_enabled: bool | None = True
    created_on: Instant
    created_by_id: int | None = None
    modified_on: Instant
    tag_type_ids: tuple[int, ...] | None = ()
    lead_call_id: int | None = None
    partner_lead_call_id: int | None = None
    booking_id: int | None = None
    sold_by_id: int | None = None
    customer_po: str | None = None
    invoice_id: int | None = None
    membership_id: int | None = None
    total: float | None = None
    created_from_estimate_id: int | None = None
    estimate_ids: tuple[int, ...] | None = ()
    external_data: tuple[ExternalData, ...] | None = None


class ExportedJob(Job):
    """A row of `export/jobs`."""

    active: bool = True


class ReasonAndMemo(Wire):
    """The body of cancel and hold; the reason is one of the tenant's own list."""

    reason_id: int
    memo: str


class CompleteJob(Wire):
    """`PUT /jobs/{id}/complete`."""

    completed_on: Instant


class JobReason(Wire):
    """A row of `job-cancel-reasons` and `job-hold-reasons`."""

    id: int
    name: str
    active: bool = True
    created_on: Instant | None = None
    modified_on: Instant | None = None


class JobCancelReason(Wire):
    """A row of `jobs/cancel-reasons`: why a job was cancelled."""

    job_id: int
    reason_id: int
    name: str
    text: str | None = None


class CanceledLog(Wire):
    """A row of `jobs/{id}/canceled-log`."""

    id: int
    job_id: int
    reason_id: int
    memo: str | None = None
    created_on: Instant
    created_by_id: int | None = None
    active: bool = True


class BookedLog(Wire):
    """A row of `jobs/{id}/booked-log`."""

    id: int
    job_id: int
    job_appointment_id: int
    start: Instant
    arrival_window_start: Instant | None = None
    arrival_window_end: Instant | None = None
    created_on: Instant
    created_by_id: int | None = None
    active: bool = True


class HistoryEntry(Wire):
    """One thing that happened to a job: `Job Booked`, `Job Canceled` ..."""

    id: int
    employee_id: int | None = None
    event_type: str
    date: Instant
    used_scheduling_tool: str = "Manual"
    memo: str | None = None


class JobHistory(Wire):
    """The answer of `jobs/{id}/history`."""

    history: tuple[HistoryEntry, ...] | None = None


class ExportedJobHistory(JobHistory):
    """A row of `export/job-history`."""

    job_id: int


class CreateNote(Wire):
    """`POST /jobs/{id}/notes`."""

    text: str = Field(min_length=1)
    pin_to_top: bool | None = None


class Note(Wire):
    """A note of a job; it has no id."""

    text: str
    is_pinned: bool = False
    created_by_id: int | None = None
    created_on: Instant | None = None
    modified_on: Instant | None = None


class JobType(Wire):
    """A kind of job; `duration` in seconds."""

    id: int
    name: str
    business_unit_ids: tuple[int, ...] | None = ()
    skills: tuple[str, ...] | None = ()
    tag_type_ids: tuple[int, ...] | None = ()
    priority: Priority | None = Priority.NORMAL
    duration: int | None = None
    sold_threshold: float | None = None
    class_: str | None = Field(default="", alias="class")
    summary: str | None = ""
    no_charge: bool | None = False
    enforce_recurring_service_event_selection: bool | None = None
    invoice_signatures_required: bool | None = False
    modified_on: Instant | None = None
    created_on: Instant | None = None
    external_data: tuple[ExternalData, ...] | None = None
    active: bool | None = True
    is_smart_dispatched: bool | None = False


class AssignedAppointment(Wire):
    """An appointment as `assign-technicians` and `unassign-technicians` answer it."""

    id: int
    job_id: int
    appointment_number: str | None = None
    start: Instant
    end: Instant
    arrival_window_start: Instant | None = None
    arrival_window_end: Instant | None = None
    status: AppointmentStatus
    special_instructions: str | None = None
    created_on: Instant | None = None
    modified_on: Instant | None = None


class Appointment(AssignedAppointment):
    """An appointment as read."""

    customer_id: int | None = None
    unused: bool | None = False
    created_by_id: int | None = None
    is_confirmed: bool | None = False
    active: bool | None = True


class CreateAppointment(AppointmentRequest):
    """`POST /appointments`: one more for a job."""

    job_id: int
    special_instructions: str | None = None


class RescheduleAppointment(Wire):
    """`PATCH /appointments/{id}/reschedule`; send start and end."""

    start: Instant | None = None
    end: Instant | None = None
    arrival_window_start: Instant | None = None
    arrival_window_end: Instant | None = None


class SpecialInstructions(Wire):
    """`PUT /appointments/{id}/special-instructions`."""

    special_instructions: str
