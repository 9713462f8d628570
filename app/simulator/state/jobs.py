"""Jobs: booking, changing, cancelling, holding, completing them. Each gives a row, nothing, or a Refusal."""

from collections.abc import Iterable
from datetime import datetime

from app.simulator.state.external import written
from app.simulator.state.records import (
    AppointmentRow,
    AssignmentRow,
    CancellationRow,
    JobRow,
    NamedRow,
    NoteRow,
    Refusal,
    TechnicianRow,
)
from app.simulator.state.rules import job_errors, window_errors
from app.simulator.state.table import Table
from app.simulator.state.world import World, index_external, unindex_external
from app.simulator.wire.jpm import (
    AppointmentRequest,
    AppointmentStatus,
    CreateAppointment,
    CreateJob,
    JobStatus,
    PatchJob,
    ReasonAndMemo,
)
from app.simulator.wire.office import AssignmentStatus, TechnicianStatus

ENDED = (JobStatus.COMPLETED, JobStatus.CANCELED)
ON_SITE = (AppointmentStatus.DISPATCHED, AppointmentStatus.WORKING)
OVER = (AppointmentStatus.DONE, AppointmentStatus.CANCELED)


def create_job(world: World, request: CreateJob) -> JobRow | Refusal:
    """A new job, its appointments, its assignments. The same request again is a second job."""
    errors = _unknown_references(world, request)
    if not errors:
        fields = request.custom_fields or ()
        errors = job_errors(world, request.job_type_id, request.business_unit_id, fields)
        for position, appointment in enumerate(request.appointments):
            at = f"appointments[{position}]."
            errors.update(
                _appointment_errors(world, appointment, request.business_unit_id, request.location_id, at)
            )
    if errors:
        return Refusal(400, "Validation failed", errors)
    now, job_id = world.stamp(), world.next_id()
    job = JobRow(
        id=job_id,
        number=world.tenant.job_number.format(job_id),
        created_on=now,
        modified_on=now,
        customer_id=request.customer_id,
        location_id=request.location_id,
        business_unit_id=request.business_unit_id,
        job_type_id=request.job_type_id,
        priority=request.priority,
        campaign_id=request.campaign_id,
        summary=request.summary,
        custom_fields=request.custom_fields or (),
        tag_type_ids=request.tag_type_ids or (),
        lead_source=request.job_generated_lead_source,
        project_id=request.project_id,
        partner_lead_call_id=request.partner_lead_call_id,
        booking_id=request.booking_id,
        sold_by_id=request.sold_by_id,
        customer_po=request.customer_po,
        external=written({}, request.external_data),
    )
    world.jobs.add(job, world.now())
    index_external(world.jobs_by_external, job.id, job.external)
    world.jobs_by_customer.add(job.customer_id, job.id)
    world.note("job.created", job=job)
    for appointment in request.appointments:
        _add_appointment(world, job, appointment)
    job.invoice_id = world.next_id()
    world.remember(job, "Job Booked")
    return job


def add_appointment(world: World, job: JobRow, request: CreateAppointment) -> AppointmentRow | Refusal:
    """One more appointment; 409 when the job has ended."""
    errors = _appointment_errors(world, request, job.business_unit_id, job.location_id)
    if errors:
        return Refusal(400, "Validation failed", errors)
    if job.status in ENDED:
        return conflict(f"The job is {job.status}.")
    row = _add_appointment(world, job, request)
    row.special_instructions = request.special_instructions
    world.note("appointment.created", job=job, detail=str(row.id))
    settle(world, job)
    return row


def patch_job(world: World, job: JobRow, request: PatchJob) -> JobRow | Refusal:
    """Change what the request sets; it has no status and no appointments."""
    errors = _unknown_references(world, request, job) or job_errors(
        world,
        request.job_type_id or job.job_type_id,
        request.business_unit_id or job.business_unit_id,
        job.custom_fields if request.custom_fields is None else request.custom_fields,
    )
    if errors:
        return Refusal(400, "Validation failed", errors)
    fields = request.model_fields_set - {"external_data", "should_update_invoice_items"}
    for name in fields:
        value = getattr(request, name)
        target = "lead_source" if name == "job_generated_lead_source" else name
        if value is not None or target in ("sold_by_id", "summary", "lead_source", "customer_po"):
            if target == "customer_id":
                world.jobs_by_customer.remove(job.customer_id, job.id)
                world.jobs_by_customer.add(value, job.id)
            setattr(job, target, value)
    if request.external_data is not None:
        unindex_external(world.jobs_by_external, job.id, job.external)
        job.external = written(job.external, request.external_data)
        index_external(world.jobs_by_external, job.id, job.external)
    world.jobs.touch(job, world.now())
    world.note("job.updated", job=job)
    return job


def cancel_job(world: World, job: JobRow, request: ReasonAndMemo) -> Refusal | None:
    """Cancel a job and its open appointments. The vendor lists no 409 here: a job that has ended is a 400."""
    refused = _reason_refused(world.catalogue.cancel_reasons, request)
    if refused:
        return refused
    if job.status in ENDED:
        return _not_in_state(job)
    job.cancellations.append(
        CancellationRow(
            id=world.next_id(), reason_id=request.reason_id, memo=request.memo, created_on=world.stamp()
        )
    )
    for row in world.appointments_of(job):
        if row.status is not AppointmentStatus.DONE:
            _recall_technicians(world, row)
            set_status(world, row, AppointmentStatus.CANCELED)
    job.status = JobStatus.CANCELED
    world.jobs.touch(job, world.now())
    world.remember(job, "Job Canceled", request.memo)
    world.note("job.canceled", job=job, detail=str(request.reason_id))
    return None


def remove_cancellation(world: World, job: JobRow) -> Refusal | None:
    """Bring a cancelled job back; 400 when it is not cancelled."""
    if job.status is not JobStatus.CANCELED:
        return _not_in_state(job)
    for cancellation in job.cancellations:
        cancellation.active = False
    for row in world.appointments_of(job):
        if row.status is AppointmentStatus.CANCELED:
            set_status(world, row, AppointmentStatus.SCHEDULED)
    job.status = JobStatus.SCHEDULED
    settle(world, job)
    world.remember(job, "Job Cancellation Removed")
    world.note("job.uncanceled", job=job)
    return None


def hold_job(world: World, job: JobRow, request: ReasonAndMemo) -> Refusal | None:
    """Put a job's scheduled appointments on hold; 400 when technicians are on site or the job has ended."""
    refused = _reason_refused(world.catalogue.hold_reasons, request)
    if refused:
        return refused
    if job.status is not JobStatus.SCHEDULED:
        return _not_in_state(job)
    for row in world.appointments_of(job):
        if row.status is AppointmentStatus.SCHEDULED:
            set_status(world, row, AppointmentStatus.HOLD)
    settle(world, job)
    world.remember(job, "Job Put On Hold", request.memo)
    world.note("job.held", job=job, detail=str(request.reason_id))
    return None


def complete_job(world: World, job: JobRow, completed_on: datetime) -> Refusal | None:
    """Complete a job; 409 when it has ended or nobody is assigned. Visits nobody made stay behind, unused."""
    if job.status in ENDED:
        return conflict(f"The job is already {job.status}.")
    rows = world.appointments_of(job)
    staffed = [row for row in rows if row.status not in OVER and world.assignments_of(row)]
    if not staffed and not any(row.status is AppointmentStatus.DONE for row in rows):
        return conflict("The job has no assigned technicians.")
    for row in staffed:
        finish(world, row)
    for row in rows:
        if row.status not in OVER:
            row.unused = True
            set_status(world, row, AppointmentStatus.SCHEDULED)
    job.status = JobStatus.COMPLETED
    job.completed_on = completed_on
    world.jobs.touch(job, world.now())
    world.remember(job, "Job Completed")
    world.note("job.completed", job=job)
    return None


def write_note(world: World, job: JobRow, text: str, *, pinned: bool) -> NoteRow:
    """A note on a job; it does not move the job's modifiedOn."""
    note = NoteRow(text, pinned, world.stamp())
    job.notes.append(note)
    world.note("job.noted", job=job)
    return note


def settle(world: World, job: JobRow) -> None:
    """Set an open job's status from its appointments, and note that it changed.

    A visit under way or done: InProgress. All that is left on hold: Hold. Else Scheduled. `Dispatched` is in
    the vendor's list, but no job is ever seen in it.
    """
    if job.status not in ENDED:
        rows = world.appointments_of(job)
        statuses = {row.status for row in rows}
        if statuses & {*ON_SITE, AppointmentStatus.DONE}:
            job.status = JobStatus.IN_PROGRESS
        elif statuses == {AppointmentStatus.HOLD}:
            job.status = JobStatus.HOLD
        else:
            job.status = JobStatus.SCHEDULED
    world.jobs.touch(job, world.now())


def set_status(world: World, row: AppointmentRow, status: AppointmentStatus) -> None:
    """Change an appointment's status."""
    row.status = status
    world.appointments.touch(row, world.now())


def set_assignments(
    world: World, row: AppointmentRow, status: AssignmentStatus, technician: TechnicianStatus
) -> None:
    """Change the status of everyone on an appointment."""
    for assignment in world.assignments_of(row):
        assignment.status = status
        world.assignments.touch(assignment, world.now())
        person = world.catalogue.technicians.rows[assignment.technician_id]
        if technician is not TechnicianStatus.IDLE:
            person.status, person.appointment_id = technician, row.id
        else:
            set_idle(person, row)


def set_idle(person: TechnicianRow, row: AppointmentRow) -> None:
    """Nothing more to do for a technician on this appointment; another one may keep them busy."""
    if person.appointment_id == row.id:
        person.status, person.appointment_id = TechnicianStatus.IDLE, None


def finish(world: World, row: AppointmentRow) -> None:
    """The technicians are done with an appointment."""
    set_assignments(world, row, AssignmentStatus.DONE, TechnicianStatus.IDLE)
    set_status(world, row, AppointmentStatus.DONE)


def assign(world: World, row: AppointmentRow, technician_ids: Iterable[int]) -> list[AssignmentRow]:
    """Put technicians on an appointment; those who are on it already stay as they are."""
    there = {assignment.technician_id for assignment in world.assignments_of(row)}
    added = []
    for technician_id in dict.fromkeys(technician_ids):
        if technician_id in there:
            continue
        now = world.stamp()
        assignment = AssignmentRow(
            id=world.next_id(),
            created_on=now,
            modified_on=now,
            technician_id=technician_id,
            job_id=row.job_id,
            appointment_id=row.id,
        )
        world.assignments.add(assignment, world.now())
        row.assignment_ids.append(assignment.id)
        world.jobs_by_technician.add(technician_id, row.job_id)
        added.append(assignment)
    return added


def conflict(text: str) -> Refusal:
    """A 409 for a state that does not allow what was asked."""
    return Refusal(409, text, {"id": [text]})


def unknown_technicians(world: World, technician_ids: Iterable[int]) -> list[int]:
    """Those ids that are no technician's."""
    return [number for number in technician_ids if world.catalogue.technicians.get(number) is None]


def _recall_technicians(world: World, row: AppointmentRow) -> None:
    if row.status in ON_SITE:
        set_assignments(world, row, AssignmentStatus.SCHEDULED, TechnicianStatus.IDLE)


def _add_appointment(world: World, job: JobRow, request: AppointmentRequest) -> AppointmentRow:
    now = world.stamp()
    row = AppointmentRow(
        id=world.next_id(),
        created_on=now,
        modified_on=now,
        number=f"{job.number}-{len(job.appointment_ids) + 1}",
        job_id=job.id,
        customer_id=job.customer_id,
        start=request.start,
        end=request.end,
        arrival_window_start=request.arrival_window_start,
        arrival_window_end=request.arrival_window_end,
    )
    world.appointments.add(row, world.now())
    job.appointment_ids.append(row.id)
    assign(world, row, request.technician_ids or ())
    return row


def _appointment_errors(
    world: World, request: AppointmentRequest, unit_id: int, location_id: int, at: str = ""
) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    if request.start >= request.end:
        errors[f"{at}end"] = ["The end must be after the start."]
    window = (request.arrival_window_start, request.arrival_window_end)
    errors.update(window_errors(world, unit_id, location_id, window, at))
    if unknown := unknown_technicians(world, request.technician_ids or ()):
        errors[f"{at}technicianIds"] = [f"Technician {number} was not found." for number in unknown]
    return errors


def _unknown_references(
    world: World, request: CreateJob | PatchJob, job: JobRow | None = None
) -> dict[str, list[str]]:
    lists = world.catalogue
    given: list[tuple[str, int | None, bool]] = [
        ("customerId", request.customer_id, request.customer_id in world.customers.rows),
        ("locationId", request.location_id, request.location_id in world.locations.rows),
        ("businessUnitId", request.business_unit_id, request.business_unit_id in lists.business_units.rows),
        ("jobTypeId", request.job_type_id, request.job_type_id in lists.job_types.rows),
        ("campaignId", request.campaign_id, request.campaign_id in lists.campaigns.rows),
    ]
    errors = {
        name: [f"{name} {row_id} was not found."]
        for name, row_id, known in given
        if row_id is not None and not known
    }
    customer_id = request.customer_id or (job and job.customer_id)
    location = world.locations.get(request.location_id or (job.location_id if job else 0))
    if not errors and location is not None and location.customer_id != customer_id:
        errors["locationId"] = ["The location belongs to another customer."]
    return errors


def _reason_refused(reasons: Table[NamedRow], request: ReasonAndMemo) -> Refusal | None:
    if reasons.get(request.reason_id) is None:
        return Refusal(400, "Validation failed", {"reasonId": ["The reason was not found."]})
    if not request.memo:
        return Refusal(400, "Validation failed", {"memo": ["The memo is required."]})
    return None


def _not_in_state(job: JobRow) -> Refusal:
    text = f"The job is {job.status}."
    return Refusal(400, text, {"id": [text]})
