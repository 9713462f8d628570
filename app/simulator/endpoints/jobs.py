"""`jpm`: jobs, and what hangs on a job."""

from collections.abc import Callable, Iterable

from app.simulator import views
from app.simulator.call import Answer, Call, Route, answer, done, empty, found, page, read, refuse
from app.simulator.endpoints.crm import external_ids
from app.simulator.query import ROW_SORTS, Filters, Query, page_of, page_of_list
from app.simulator.state import jobs
from app.simulator.state.records import CancellationRow, JobRow, Refusal
from app.simulator.state.world import World
from app.simulator.wire import jpm as wire
from app.simulator.wire.envelope import Page

_PRIORITIES = list(wire.Priority)
_SORTS: dict[str, Callable[[JobRow], object]] = {
    **ROW_SORTS,
    "Priority": lambda row: _PRIORITIES.index(row.priority),
}


def create_job(world: World, call: Call) -> Answer:
    """POST /jobs."""
    request = read(call, wire.CreateJob, {"campaignId": world.tenant.without_campaign})
    row = done(jobs.create_job(world, request))
    return answer(views.job(world, row, call.guid))


def get_job(world: World, call: Call) -> Answer:
    """GET /jobs/{id}."""
    return answer(views.job(world, _job(world, call), call.guid))


def list_jobs(world: World, call: Call) -> Answer:
    """GET /jobs: by ids, external data, customer, technician or time of change without scanning."""
    query = call.query
    filters = Filters[JobRow](query)
    _plain_filters(query, filters)
    _appointment_filters(world, query, filters)
    created = filters.window("created", lambda row: row.created_on)
    modified = filters.window("modified", lambda row: row.modified_on)
    filters.window("completed", lambda row: row.completed_on)
    narrow = _narrowest(world, query, filters)

    def candidates() -> Iterable[JobRow]:
        rows = world.jobs.rows
        if narrow is not None:
            return (rows[row_id] for row_id in narrow if row_id in rows)
        if modified is not None:
            return sorted(world.jobs.changed_since(modified), key=lambda row: row.id)
        if created is not None:
            return world.jobs.created_since(created)
        return world.jobs.in_order

    return page(
        page_of(query, filters, candidates, _SORTS),
        Page[wire.Job],
        lambda row: views.job(world, row, call.guid),
    )


def _narrowest(world: World, query: Query, filters: Filters[JobRow]) -> tuple[int, ...] | None:
    """The ids an index gives, ascending, smallest first of what the query names; None without one."""
    narrowed: list[tuple[int, ...]] = []
    ids = query.ids("ids")
    if ids is not None:
        narrowed.append(tuple(sorted(set(ids))))
    external = external_ids(query, world.jobs_by_external)
    if external is not None:
        narrowed.append(external)
    customer_id = query.integer("customerId")
    if customer_id is not None:
        narrowed.append(tuple(world.jobs_by_customer.get(customer_id)))
    technician_id = query.integer("technicianId")
    if technician_id is not None:
        narrowed.append(tuple(world.jobs_by_technician.get(technician_id)))
        filters.add(lambda row: technician_id in _technicians(world, row))
    if not narrowed:
        return None
    for others in narrowed:
        filters.among(others, lambda row: row.id)
    return min(narrowed, key=len)


def _plain_filters(query: Query, filters: Filters[JobRow]) -> None:
    filters.equal(query.text("number") or query.text("jobNumber"), lambda row: row.number)
    filters.equal(query.integer("projectId"), lambda row: row.project_id)
    filters.equal(query.integer("bookingId"), lambda row: row.booking_id)
    filters.equal(query.choice("jobStatus", wire.JobStatus), lambda row: row.status)
    filters.equal(query.choice("priority", wire.Priority), lambda row: row.priority)
    filters.equal(query.integer("locationId"), lambda row: row.location_id)
    filters.equal(query.integer("soldById"), lambda row: row.sold_by_id)
    filters.equal(query.integer("jobTypeId"), lambda row: row.job_type_id)
    filters.equal(query.integer("campaignId"), lambda row: row.campaign_id)
    filters.equal(query.integer("businessUnitId"), lambda row: row.business_unit_id)
    filters.equal(query.integer("invoiceId"), lambda row: row.invoice_id)
    if query.integer("createdFromEstimateId") is not None or query.ids("estimateIds"):
        filters.add(lambda _: False)  # no job here comes from an estimate
    tags = query.ids("tagTypeIds")
    if tags:
        filters.add(lambda row: not set(tags).isdisjoint(row.tag_type_ids))


def _appointment_filters(world: World, query: Query, filters: Filters[JobRow]) -> None:
    filters.window("firstAppointmentStarts", lambda row: world.appointments_of(row)[0].start)
    start = query.instant("appointmentStartsOnOrAfter")
    end = query.instant("appointmentStartsBefore")
    if start is not None or end is not None:
        filters.add(
            lambda row: any(
                (start is None or visit.start >= start) and (end is None or visit.start < end)
                for visit in world.appointments_of(row)
            )
        )
    status = query.choice("appointmentStatus", wire.AppointmentStatus)
    if status is not None:
        filters.add(lambda row: any(visit.status is status for visit in world.appointments_of(row)))
    unused = query.boolean("hasUnusedAppointments")
    if unused is not None:
        filters.add(lambda row: any(visit.unused for visit in world.appointments_of(row)) is unused)


def _technicians(world: World, row: JobRow) -> set[int]:
    return {
        assignment.technician_id
        for visit in world.appointments_of(row)
        for assignment in world.assignments_of(visit)
    }


def patch_job(world: World, call: Call) -> Answer:
    """PATCH /jobs/{id}."""
    row = _job(world, call)
    changed = done(jobs.patch_job(world, row, read(call, wire.PatchJob)))
    return answer(views.job(world, changed, call.guid))


def cancel_job(world: World, call: Call) -> Answer:
    """PUT /jobs/{id}/cancel: an empty 200."""
    row = _job(world, call)
    return empty(jobs.cancel_job(world, row, read(call, wire.ReasonAndMemo)))


def remove_cancellation(world: World, call: Call) -> Answer:
    """PUT /jobs/{id}/remove-cancellation: an empty 200; an unknown id is a 400, for no 404 is listed."""
    row = world.jobs.get(call.id())
    if row is None:
        text = f"Job with id {call.path['id']} was not found."
        return refuse(Refusal(400, text, {"id": [text]}))
    return empty(jobs.remove_cancellation(world, row))


def hold_job(world: World, call: Call) -> Answer:
    """PUT /jobs/{id}/hold: an empty 200."""
    row = _job(world, call)
    return empty(jobs.hold_job(world, row, read(call, wire.ReasonAndMemo)))


def complete_job(world: World, call: Call) -> Answer:
    """PUT /jobs/{id}/complete: an empty 200; 409 when ended or nobody is assigned."""
    row = _job(world, call)
    return empty(jobs.complete_job(world, row, read(call, wire.CompleteJob).completed_on))


def create_note(world: World, call: Call) -> Answer:
    """POST /jobs/{id}/notes."""
    row = _job(world, call)
    request = read(call, wire.CreateNote)
    return answer(views.note(jobs.write_note(world, row, request.text, pinned=bool(request.pin_to_top))))


def list_notes(world: World, call: Call) -> Answer:
    """GET /jobs/{id}/notes."""
    return page(page_of_list(call.query, _job(world, call).notes), Page[wire.Note], views.note)


def history(world: World, call: Call) -> Answer:
    """GET /jobs/{id}/history."""
    return answer(wire.JobHistory(history=views.history(_job(world, call).history)))


def canceled_log(world: World, call: Call) -> Answer:
    """GET /jobs/{id}/canceled-log."""
    row = _job(world, call)
    entries = page_of_list(call.query, row.cancellations)
    return page(entries, Page[wire.CanceledLog], lambda entry: views.canceled_log(row, entry))


def booked_log(world: World, call: Call) -> Answer:
    """GET /jobs/{id}/booked-log."""
    row = _job(world, call)
    visits = [world.appointments.rows[row_id] for row_id in row.appointment_ids]
    return page(page_of_list(call.query, visits), Page[wire.BookedLog], views.booked_log)


def cancel_reasons_of_jobs(world: World, call: Call) -> Answer:
    """GET /jobs/cancel-reasons: why the jobs named were cancelled; `ids` is required."""
    query = call.query
    ids = query.ids("ids")
    if ids is None:
        query.refuse("ids", "The ids are required.")
    rows = [world.jobs.rows[row_id] for row_id in ids or () if row_id in world.jobs.rows]
    canceled: list[tuple[JobRow, CancellationRow]] = [
        (row, entry) for row in rows for entry in row.cancellations if entry.active
    ]
    return page(
        page_of_list(query, canceled),
        Page[wire.JobCancelReason],
        lambda pair: views.cancel_reason(world, *pair),
    )


def _job(world: World, call: Call) -> JobRow:
    return found(world.jobs.get(call.id()), "Job", call)


_JOBS = "/jpm/v2/tenant/{tenant}/jobs"

ROUTES = (
    Route("POST", _JOBS, create_job, "create"),
    Route("GET", _JOBS, list_jobs),
    Route("GET", f"{_JOBS}/cancel-reasons", cancel_reasons_of_jobs),
    Route("GET", f"{_JOBS}/{{id}}", get_job),
    Route("PATCH", f"{_JOBS}/{{id}}", patch_job, "status"),
    Route("PUT", f"{_JOBS}/{{id}}/cancel", cancel_job, "cancel"),
    Route("PUT", f"{_JOBS}/{{id}}/remove-cancellation", remove_cancellation, "status"),
    Route("PUT", f"{_JOBS}/{{id}}/hold", hold_job, "status"),
    Route("PUT", f"{_JOBS}/{{id}}/complete", complete_job, "status"),
    Route("GET", f"{_JOBS}/{{id}}/notes", list_notes),
    Route("POST", f"{_JOBS}/{{id}}/notes", create_note, "status"),
    Route("GET", f"{_JOBS}/{{id}}/history", history),
    Route("GET", f"{_JOBS}/{{id}}/canceled-log", canceled_log),
    Route("GET", f"{_JOBS}/{{id}}/booked-log", booked_log),
)
