"""`jpm` appointments, and `dispatch` assignments: who visits when."""

from collections.abc import Iterable

from app.simulator import views
from app.simulator.call import Answer, Call, Refused, Route, answer, done, empty, found, page, read, refuse
from app.simulator.query import Filters, page_of
from app.simulator.state import jobs, visits
from app.simulator.state.records import AppointmentRow, AssignmentRow, Refusal
from app.simulator.state.world import World
from app.simulator.wire import jpm, office
from app.simulator.wire.envelope import Page


def list_appointments(world: World, call: Call) -> Answer:
    """GET /appointments: by ids or job without scanning."""
    query = call.query
    filters = Filters[AppointmentRow](query)
    ids, job_id = query.ids("ids"), query.integer("jobId")
    filters.among(ids, lambda row: row.id)
    filters.equal(job_id, lambda row: row.job_id)
    filters.equal(query.active(), lambda row: row.active)
    filters.equal(query.text("number"), lambda row: row.number)
    filters.equal(query.choice("status", jpm.AppointmentStatus), lambda row: row.status)
    filters.equal(query.integer("customerId"), lambda row: row.customer_id)
    filters.equal(query.integer("projectId"), lambda row: world.jobs.rows[row.job_id].project_id)
    filters.equal(query.boolean("unused"), lambda row: row.unused)
    filters.window("starts", lambda row: row.start)
    filters.window("created", lambda row: row.created_on)
    since = filters.window("modified", lambda row: row.modified_on)
    technician_id = query.integer("technicianId")
    if technician_id is not None:
        filters.add(
            lambda row: any(item.technician_id == technician_id for item in world.assignments_of(row))
        )

    def candidates() -> Iterable[AppointmentRow]:
        rows = world.appointments.rows
        if ids is not None:
            return (rows[row_id] for row_id in sorted(set(ids)) if row_id in rows)
        if job_id is not None:
            job = world.jobs.get(job_id)
            return (rows[row_id] for row_id in (job.appointment_ids if job else ()))
        if since is not None:
            return sorted(world.appointments.changed_since(since), key=lambda row: row.id)
        return world.appointments.in_order

    return page(page_of(query, filters, candidates), Page[jpm.Appointment], views.appointment)


def get_appointment(world: World, call: Call) -> Answer:
    """GET /appointments/{id}."""
    return answer(views.appointment(found(world.appointments.get(call.id()), "Appointment", call)))


def add_appointment(world: World, call: Call) -> Answer:
    """POST /appointments: 409 when the job has ended."""
    request = read(call, jpm.CreateAppointment)
    job = world.jobs.get(request.job_id)
    if job is None:
        text = f"Job {request.job_id} was not found."
        return refuse(Refusal(400, "Validation failed", {"jobId": [text]}))
    return answer(views.appointment(done(jobs.add_appointment(world, job, request))))


def reschedule(world: World, call: Call) -> Answer:
    """PATCH /appointments/{id}/reschedule."""
    row = _live(world, call)
    moved = done(visits.reschedule(world, row, read(call, jpm.RescheduleAppointment)))
    return answer(views.appointment(moved))


def hold(world: World, call: Call) -> Answer:
    """PUT /appointments/{id}/hold: an empty 200."""
    row = _live(world, call)
    return empty(visits.hold(world, row, read(call, jpm.ReasonAndMemo)))


def remove_hold(world: World, call: Call) -> Answer:
    """DELETE /appointments/{id}/hold: an empty 200; 409 when not on hold."""
    return empty(visits.remove_hold(world, _live(world, call)))


def delete_appointment(world: World, call: Call) -> Answer:
    """DELETE /appointments/{id}: an empty 200."""
    return empty(visits.delete(world, _live(world, call)))


def confirm(world: World, call: Call) -> Answer:
    """PUT /appointments/{id}/confirmation: an empty 200."""
    return empty(visits.confirm(world, _live(world, call), confirmed=True))


def remove_confirmation(world: World, call: Call) -> Answer:
    """DELETE /appointments/{id}/confirmation: an empty 200."""
    return empty(visits.confirm(world, _live(world, call), confirmed=False))


def instruct(world: World, call: Call) -> Answer:
    """PUT /appointments/{id}/special-instructions."""
    row = _live(world, call)
    request = read(call, jpm.SpecialInstructions)
    return answer(views.appointment(done(visits.instruct(world, row, request.special_instructions))))


def list_assignments(world: World, call: Call) -> Answer:
    """GET /appointment-assignments: by ids, appointments or job without scanning."""
    query = call.query
    filters = Filters[AssignmentRow](query)
    ids, visit_ids, job_id = query.ids("ids"), query.ids("appointmentIds"), query.integer("jobId")
    filters.among(ids, lambda row: row.id)
    filters.among(visit_ids, lambda row: row.appointment_id)
    filters.equal(job_id, lambda row: row.job_id)
    filters.equal(query.active(), lambda row: row.active)
    filters.window("created", lambda row: row.created_on)
    filters.window("modified", lambda row: row.modified_on)

    def candidates() -> Iterable[AssignmentRow]:
        rows = world.assignments.rows
        if ids is not None:
            return (rows[row_id] for row_id in sorted(set(ids)) if row_id in rows)
        appointments = _appointment_ids(world, visit_ids, job_id)
        if appointments is None:
            return world.assignments.in_order
        assigned = {i for row_id in appointments for i in world.appointments.rows[row_id].assignment_ids}
        return (rows[row_id] for row_id in sorted(assigned))

    return page(
        page_of(query, filters, candidates),
        Page[office.Assignment],
        lambda row: views.assignment(world, row),
    )


def assign_technicians(world: World, call: Call) -> Answer:
    """POST /appointment-assignments/assign-technicians."""
    request = read(call, office.AssignTechnicians)
    row = _named(world, request)
    changed = done(visits.assign_technicians(world, row, request.technician_ids))
    return answer(views.assigned_appointment(changed))


def unassign_technicians(world: World, call: Call) -> Answer:
    """POST /appointment-assignments/unassign-technicians."""
    request = read(call, office.AssignTechnicians)
    row = _named(world, request)
    changed = done(visits.unassign_technicians(world, row, request.technician_ids))
    return answer(views.assigned_appointment(changed))


def _named(world: World, request: office.AssignTechnicians) -> AppointmentRow:
    row = world.appointments.get(request.job_appointment_id)
    if row is None or not row.active:
        text = "The appointment was not found."
        raise Refused(Refusal(400, "Validation failed", {"jobAppointmentId": [text]}))
    return row


def _appointment_ids(
    world: World, visit_ids: tuple[int, ...] | None, job_id: int | None
) -> Iterable[int] | None:
    if visit_ids is not None:
        return [row_id for row_id in visit_ids if row_id in world.appointments.rows]
    if job_id is None:
        return None
    job = world.jobs.get(job_id)
    return job.appointment_ids if job else ()


def _live(world: World, call: Call) -> AppointmentRow:
    row = world.appointments.get(call.id())
    return found(row if row and row.active else None, "Appointment", call)


_VISITS = "/jpm/v2/tenant/{tenant}/appointments"
_DISPATCH = "/dispatch/v2/tenant/{tenant}/appointment-assignments"

ROUTES = (
    Route("GET", _VISITS, list_appointments),
    Route("POST", _VISITS, add_appointment, "create"),
    Route("GET", f"{_VISITS}/{{id}}", get_appointment),
    Route("DELETE", f"{_VISITS}/{{id}}", delete_appointment, "status"),
    Route("PATCH", f"{_VISITS}/{{id}}/reschedule", reschedule, "status"),
    Route("PUT", f"{_VISITS}/{{id}}/hold", hold, "status"),
    Route("DELETE", f"{_VISITS}/{{id}}/hold", remove_hold, "status"),
    Route("PUT", f"{_VISITS}/{{id}}/confirmation", confirm, "status"),
    Route("DELETE", f"{_VISITS}/{{id}}/confirmation", remove_confirmation, "status"),
    Route("PUT", f"{_VISITS}/{{id}}/special-instructions", instruct, "status"),
    Route("GET", _DISPATCH, list_assignments),
    Route("POST", f"{_DISPATCH}/assign-technicians", assign_technicians, "status"),
    Route("POST", f"{_DISPATCH}/unassign-technicians", unassign_technicians, "status"),
)
