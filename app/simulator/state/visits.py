"""Appointments and assignments: moved, held, deleted, confirmed, staffed; and what technicians do."""

from typing import Literal

from app.simulator.state.jobs import (
    ENDED,
    ON_SITE,
    OVER,
    assign,
    complete_job,
    conflict,
    finish,
    set_assignments,
    set_idle,
    set_status,
    settle,
    unknown_technicians,
)
from app.simulator.state.records import AppointmentRow, JobRow, Refusal
from app.simulator.state.rules import window_errors
from app.simulator.state.world import World
from app.simulator.wire.jpm import (
    AppointmentStatus,
    JobStatus,
    ReasonAndMemo,
    RescheduleAppointment,
)
from app.simulator.wire.office import AssignmentStatus, TechnicianStatus

TechnicianAct = Literal["assign", "dispatch", "work", "complete"]


def reschedule(world: World, row: AppointmentRow, request: RescheduleAppointment) -> AppointmentRow | Refusal:
    """Move an appointment; a technician already sent is called back. 409 when it is under way or over."""
    start, end = request.start or row.start, request.end or row.end
    if start >= end:
        return Refusal(400, "Validation failed", {"end": ["The end must be after the start."]})
    window = (request.arrival_window_start, request.arrival_window_end)
    job = world.jobs.rows[row.job_id]
    if errors := window_errors(world, job.business_unit_id, job.location_id, window):
        return Refusal(400, "Validation failed", errors)
    if row.status in (AppointmentStatus.WORKING, *OVER):
        return conflict(f"The appointment is {row.status}.")
    if row.status is AppointmentStatus.DISPATCHED:
        set_assignments(world, row, AssignmentStatus.SCHEDULED, TechnicianStatus.IDLE)
        row.status = AppointmentStatus.SCHEDULED
    row.start, row.end = start, end
    row.arrival_window_start, row.arrival_window_end = window
    set_status(world, row, row.status)
    _changed(world, row, "appointment.rescheduled", "Appointment Rescheduled")
    return row


def hold(world: World, row: AppointmentRow, request: ReasonAndMemo) -> Refusal | None:
    """Put a scheduled appointment on hold; 409 in any other state."""
    if world.catalogue.hold_reasons.get(request.reason_id) is None:
        return Refusal(400, "Validation failed", {"reasonId": ["The reason was not found."]})
    if row.status is not AppointmentStatus.SCHEDULED or row.unused:
        return conflict(f"The appointment is {row.status}.")
    set_status(world, row, AppointmentStatus.HOLD)
    _changed(world, row, "appointment.held", "Appointment Put On Hold", request.memo)
    return None


def remove_hold(world: World, row: AppointmentRow) -> Refusal | None:
    """Schedule an appointment on hold again; 409 when it is not on hold."""
    if row.status is not AppointmentStatus.HOLD:
        return conflict("The appointment is not on hold.")
    set_status(world, row, AppointmentStatus.SCHEDULED)
    _changed(world, row, "appointment.unheld", "Appointment Hold Removed")
    return None


def delete(world: World, row: AppointmentRow) -> Refusal | None:
    """Delete an appointment; 409 for the job's only one, and for one technicians have worked on."""
    job = world.jobs.rows[row.job_id]
    if row.status in (*ON_SITE, AppointmentStatus.DONE):
        return conflict("The appointment has timesheets.")
    if len(world.appointments_of(job)) == 1:
        return conflict("A job must have an appointment.")
    row.active = False
    for assignment in world.assignments_of(row):
        assignment.active = False
        world.assignments.touch(assignment, world.now())
    set_status(world, row, row.status)
    _changed(world, row, "appointment.deleted", "Appointment Deleted")
    return None


def confirm(world: World, row: AppointmentRow, *, confirmed: bool) -> Refusal | None:
    """Set or remove a confirmation; 409 when it is so already."""
    if row.is_confirmed is confirmed:
        return conflict("The appointment is already confirmed." if confirmed else "It is not confirmed.")
    row.is_confirmed = confirmed
    set_status(world, row, row.status)
    world.note(
        "appointment.confirmed" if confirmed else "appointment.unconfirmed", job=world.jobs.rows[row.job_id]
    )
    return None


def instruct(world: World, row: AppointmentRow, text: str) -> AppointmentRow | Refusal:
    """Set the special instructions; 409 when the appointment is over."""
    if row.status in OVER:
        return conflict(f"The appointment is {row.status}.")
    row.special_instructions = text
    set_status(world, row, row.status)
    world.note("appointment.instructed", job=world.jobs.rows[row.job_id])
    return row


def assign_technicians(
    world: World, row: AppointmentRow, technician_ids: tuple[int, ...]
) -> AppointmentRow | Refusal:
    """Put technicians on an appointment; its status stays. 409 when it is over or all are on it already."""
    if unknown := unknown_technicians(world, technician_ids):
        return Refusal(
            400, "Validation failed", {"technicianIds": [f"Technician {n} was not found." for n in unknown]}
        )
    if row.status in OVER:
        return conflict(f"The appointment is {row.status}.")
    if not assign(world, row, technician_ids):
        return conflict("The technicians are already assigned.")
    job = world.jobs.rows[row.job_id]
    if row.status in ON_SITE:
        working = row.status is AppointmentStatus.WORKING
        set_assignments(
            world,
            row,
            AssignmentStatus.WORKING if working else AssignmentStatus.DISPATCHED,
            TechnicianStatus.WORKING if working else TechnicianStatus.DISPATCHED,
        )
    world.remember(job, "Technician Assigned")
    world.note("technicians.assigned", job=job, detail=",".join(map(str, technician_ids)))
    return row


def unassign_technicians(
    world: World, row: AppointmentRow, technician_ids: tuple[int, ...]
) -> AppointmentRow | Refusal:
    """Take technicians off an appointment; 400 when one is not on it or it is under way or over."""
    there = {assignment.technician_id: assignment for assignment in world.assignments_of(row)}
    missing = [number for number in technician_ids if number not in there]
    if missing:
        return Refusal(
            400, "Validation failed", {"technicianIds": [f"Technician {n} is not assigned." for n in missing]}
        )
    if row.status in (AppointmentStatus.WORKING, *OVER):
        return Refusal(
            400, f"The appointment is {row.status}.", {"id": [f"The appointment is {row.status}."]}
        )
    for number in set(technician_ids):
        there[number].active = False
        world.assignments.touch(there[number], world.now())
        set_idle(world.catalogue.technicians.rows[number], row)
    job = world.jobs.rows[row.job_id]
    if row.status is AppointmentStatus.DISPATCHED and not world.assignments_of(row):
        set_status(world, row, AppointmentStatus.SCHEDULED)
        settle(world, job)
    world.remember(job, "Technician Unassigned")
    world.note("technicians.unassigned", job=job, detail=",".join(map(str, technician_ids)))
    return row


def play(world: World, job: JobRow, act: TechnicianAct) -> Refusal | None:
    """Let dispatcher or technician act on the job's next visit, as the vendor's apps would.

    What must come before is done too: dispatching assigns somebody, working dispatches. Refused (409) when
    the job has ended, is on hold, or has no visit left.
    """
    if job.status in ENDED or job.status is JobStatus.HOLD:
        return conflict(f"The job is {job.status}.")
    open_rows = [row for row in world.appointments_of(job) if row.status in _OPEN]
    if not open_rows:
        return conflict("No visit is left.")
    row = min(open_rows, key=lambda row: (-_OPEN.index(row.status), row.start, row.id))
    match act:
        case "assign":
            _play_assign(world, job, row)
        case "dispatch":
            _play_dispatch(world, job, row)
        case "work":
            _play_work(world, job, row)
        case "complete":
            _play_complete(world, job, row)
    return None


_OPEN = (AppointmentStatus.SCHEDULED, AppointmentStatus.DISPATCHED, AppointmentStatus.WORKING)


def _play_assign(world: World, job: JobRow, row: AppointmentRow) -> None:
    if world.assignments_of(row):
        return
    near = [
        t.id for t in world.catalogue.technicians.rows.values() if t.business_unit_id == job.business_unit_id
    ]
    technician = world.random.choice(near or list(world.catalogue.technicians.rows))
    assign(world, row, [technician])
    world.remember(job, "Technician Assigned")
    world.note("technicians.assigned", job=job, detail=str(technician))


def _play_dispatch(world: World, job: JobRow, row: AppointmentRow) -> None:
    _play_assign(world, job, row)
    if row.status is AppointmentStatus.SCHEDULED:
        set_assignments(world, row, AssignmentStatus.DISPATCHED, TechnicianStatus.DISPATCHED)
        set_status(world, row, AppointmentStatus.DISPATCHED)
        _changed(world, row, "technician.dispatched", "Technician Dispatched")


def _play_work(world: World, job: JobRow, row: AppointmentRow) -> None:
    _play_dispatch(world, job, row)
    if row.status is AppointmentStatus.DISPATCHED:
        set_assignments(world, row, AssignmentStatus.WORKING, TechnicianStatus.WORKING)
        set_status(world, row, AppointmentStatus.WORKING)
        _changed(world, row, "technician.arrived", "Technician Arrived")


def _play_complete(world: World, job: JobRow, row: AppointmentRow) -> None:
    _play_work(world, job, row)
    finish(world, row)
    _changed(world, row, "technician.done", "Technician Done")
    if not any(other.status in _OPEN for other in world.appointments_of(job)):
        complete_job(world, job, world.now())


def _changed(
    world: World, row: AppointmentRow, effect: str, event_type: str, memo: str | None = None
) -> None:
    job = world.jobs.rows[row.job_id]
    settle(world, job)
    world.remember(job, event_type, memo)
    world.note(effect, job=job, detail=str(row.id))
