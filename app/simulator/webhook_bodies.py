"""What a webhook says: V2 as the vendor's documents describe it, the V1 body, and the plain form."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid4, uuid5

import orjson

from app.simulator import views
from app.simulator.state.records import OFFICE_USER, AppointmentRow, JobRow
from app.simulator.state.world import Effect, World
from app.simulator.wire.dates import SEVEN_DIGITS, print_instant
from app.simulator.wire.jpm import AppointmentStatus, JobStatus
from app.simulator.wire.webhook import WebhookPlain

WebhookForm = Literal["v2", "v1", "plain"]

SOURCE = "https://webhooks.servicetitan.io"
SCHEDULED = "tn.jpm.job-scheduled"
UPDATED = "tn.jpm.job-updated"
COMPLETED = "tn.jpm.job-completed"
RESCHEDULED = "tn.jpm.job-rescheduled"
VISIT_UPDATED = "tn.jpm.job-appointment-updated"
DISPATCHED = "tn.dis.technician-dispatched"

EVENTS: dict[str, tuple[tuple[str, ...], str]] = {
    "job.created": ((SCHEDULED,), "JobBooked"),
    "job.updated": ((UPDATED,), "JobModified"),
    "job.canceled": ((UPDATED,), "JobCanceled"),
    "job.uncanceled": ((UPDATED,), "JobModified"),
    "job.held": ((UPDATED,), "JobOnHold"),
    "job.completed": ((COMPLETED,), "JobComplete"),
    "appointment.created": ((), "JobModified"),
    "appointment.rescheduled": ((RESCHEDULED, VISIT_UPDATED), "JobRescheduled"),
    "appointment.held": ((VISIT_UPDATED,), "JobOnHold"),
    "appointment.unheld": ((VISIT_UPDATED,), "JobModified"),
    "appointment.deleted": ((UPDATED,), "JobModified"),
    "technicians.assigned": ((), "TechnicianAssigned"),
    "technicians.unassigned": ((), "TechnicianUnassigned"),
    "technician.dispatched": ((DISPATCHED, VISIT_UPDATED), "TechnicianDispatched"),
    "technician.arrived": ((VISIT_UPDATED,), "TechnicianArrived"),
    "technician.done": ((VISIT_UPDATED,), "TechnicianDone"),
}
"""Effect -> V2 event types and V1 webhook type; effects that are not here are not told.

V2 has no type for a cancellation, an assignment, a technician's arrival or a customer.
"""

# Of a job as the API shows it, what V2 leaves out, and what it never sends as null.
_NOT_TOLD = frozenset({"summary", "customFields", "externalData"})
_NEVER_NULL: dict[str, object] = {"customerPo": ""}
_NEVER_NULL_IN_DISPATCH: dict[str, object] = {
    "projectId": 0,
    "jobGeneratedLeadSource": {"jobId": None, "employeeId": None},
    "total": 0.0,
}
_IN_DISPATCH_TOO_LATE = frozenset({"partnerLeadCallId", "createdFromEstimateId", "estimateIds"})


@dataclass(frozen=True, slots=True)
class Told:
    """One webhook: its event type, and its body for a delivery. The occurrence is the same in each."""

    event_type: str
    body: Callable[[], bytes]


def told_of(world: World, effect: Effect, form: WebhookForm) -> tuple[Told, ...]:
    """The webhooks that tell an effect, none when it is not told in this form."""
    event, job = EVENTS.get(effect.kind), world.jobs.get(effect.job or 0)
    if event is None or job is None:
        return ()
    match form:
        case "v2":
            return tuple(_v2(world, effect, event_type, job) for event_type in event[0])
        case "v1":
            body = _v1(world, effect, event[1], job)
        case "plain":
            body = _plain(world, effect, job)
    return (Told(event[1], lambda: body),)


def plain_status(world: World, job: JobRow) -> str:
    """The job's status in the booking system's five words."""
    match job.status:
        case JobStatus.COMPLETED:
            return "completed"
        case JobStatus.CANCELED:
            return "cancelled"
        case JobStatus.IN_PROGRESS | JobStatus.DISPATCHED:
            statuses = {row.status for row in world.appointments_of(job)}
            only_sent = AppointmentStatus.DISPATCHED in statuses and AppointmentStatus.WORKING not in statuses
            return "dispatched" if only_sent else "in_progress"
        case JobStatus.SCHEDULED | JobStatus.HOLD:
            return "scheduled"


def _plain(world: World, effect: Effect, job: JobRow) -> bytes:
    return WebhookPlain(
        event_id=f"sim-{effect.number:06d}",
        job_id=job.id,
        status=plain_status(world, job),
        occurred_at=effect.at,
    ).answer()


def _v2(world: World, effect: Effect, event_type: str, job: JobRow) -> Told:
    """A CloudEvent, structured. `id` names the delivery, `userassignedid` the occurrence."""
    occurrence = f"{effect.at.isoformat()}/{effect.number}/{event_type}"
    event = {
        "specversion": "1.0",
        "type": event_type,
        "time": print_instant(effect.at, seven_digits=True),
        "source": SOURCE,
        "userassignedid": str(uuid5(NAMESPACE_URL, occurrence)),
        "datacontenttype": "application/json",
        "data": {
            **_v2_data(world, effect, event_type, job),
            "tenantId": world.tenant.id,
            "tenantName": world.tenant.name,
        },
    }
    return Told(event_type, lambda: orjson.dumps({"id": str(uuid4()), **event}))


def _v2_data(world: World, effect: Effect, event_type: str, job: JobRow) -> dict[str, object]:
    visit = _visit_of(world, effect, job)
    match event_type:
        case "tn.jpm.job-appointment-updated":
            return {"appointment": views.appointment(visit).model_dump(mode="json", context=SEVEN_DIGITS)}
        case "tn.dis.technician-dispatched":
            return {"job": _v2_job_in_dispatch(world, job), "appointment": _v2_visit_in_dispatch(visit)}
        case "tn.jpm.job-rescheduled":
            mails = {"manageEmployeeEmail": None, "manageFollowUpEmail": None}
            moved = {"appointmentId": visit.id, "appointmentNumber": visit.number}
            return {"job": _v2_job(world, job), **mails, **moved}
        case _:
            mails = {"manageEmployeeEmail": None, "manageFollowUpEmail": None}
            return {"job": _v2_job(world, job), **mails}


def _visit_of(world: World, effect: Effect, job: JobRow) -> AppointmentRow:
    """The visit that an effect is about, which its detail names; else the job's first."""
    named = effect.kind.startswith(("appointment.", "technician.")) and effect.detail.isdecimal()
    visit = world.appointments.get(int(effect.detail)) if named else None
    return visit or world.appointments_of(job)[0]


def _v2_job(world: World, job: JobRow) -> dict[str, Any]:
    shown = views.job(world, job, None).model_dump(mode="json", context=SEVEN_DIGITS)
    told = {name: value for name, value in shown.items() if name not in _NOT_TOLD}
    return told | {name: value for name, value in _NEVER_NULL.items() if told.get(name) is None}


def _v2_job_in_dispatch(world: World, job: JobRow) -> dict[str, Any]:
    """The dispatch module has a job of its own: older, and with fewer nulls."""
    told = {name: v for name, v in _v2_job(world, job).items() if name not in _IN_DISPATCH_TOO_LATE}
    return told | {name: v for name, v in _NEVER_NULL_IN_DISPATCH.items() if told.get(name) is None}


def _v2_visit_in_dispatch(visit: AppointmentRow) -> dict[str, object]:
    """Without its status: the event's type says that it is dispatched."""
    shown = views.appointment(visit).model_dump(mode="json", context=SEVEN_DIGITS)
    kept = ("id", "appointmentNumber", "start", "end", "arrivalWindowStart", "arrivalWindowEnd")
    return {
        **{name: shown[name] for name in kept},
        "duration": (visit.end - visit.start).total_seconds(),
        "scheduledOn": shown["createdOn"],
        "externalId": None,
        "manageEmployeeEmail": None,
        "manageFollowUpEmail": None,
    }


def _v1(world: World, effect: Effect, webhook_type: str, job: JobRow) -> bytes:
    """The V1 body, as captures have it: the job, deep; times are UTC without a zone."""
    moment = _no_zone(effect.at)
    told = {"eventId": moment, "webhookId": 1}
    return orjson.dumps(
        {
            **_v1_job(job),
            **_v1_kind(world, job),
            **_v1_place(world, job),
            **_v1_visits(world, job),
            **_v1_never_used(job),
            **told,
            "__eventInfo": {**told, "webhookType": webhook_type},
            "__tenantInfo": {"id": world.tenant.id, "name": world.tenant.name},
        }
    )


def _v1_job(job: JobRow) -> dict[str, object]:
    return {
        "id": job.id,
        "jobNumber": job.number,
        "status": job.status,
        "jobStatus": job.status,
        "active": job.active,
        "scheduledOn": _no_zone(job.created_on),
        "createdOn": _no_zone(job.created_on),
        "completedOn": _no_zone(job.completed_on),
        "modifiedOn": _no_zone(job.modified_on),
        "createdBy": {"id": OFFICE_USER, "name": "API"},
        "summary": job.summary,
        "history": [
            {
                "id": entry.id,
                "date": _no_zone(entry.date),
                "eventType": entry.event_type,
                "employee": {"id": OFFICE_USER},
                "usedSchedulingTool": "Manual",
            }
            for entry in job.history
        ],
        "historyItemId": job.history[-1].id if job.history else 0,
    }


def _v1_kind(world: World, job: JobRow) -> dict[str, object]:
    """What the job is under: its type, campaign and business unit, by name."""
    job_type = world.catalogue.job_types.rows[job.job_type_id]
    campaign = world.catalogue.campaigns.rows[job.campaign_id]
    unit = world.catalogue.business_units.rows[job.business_unit_id]
    return {
        "type": {"id": job_type.id, "name": job_type.name, "modifiedOn": _no_zone(job_type.modified_on)},
        "campaign": {"id": campaign.id, "name": campaign.name},
        "businessUnit": {"id": unit.id, "name": unit.name},
    }


def _v1_place(world: World, job: JobRow) -> dict[str, object]:
    customer = world.customers.rows[job.customer_id]
    location = world.locations.rows[job.location_id]
    owner = {
        "id": customer.id,
        "name": customer.name,
        "type": customer.type,
        "address": customer.address.model_dump(by_alias=True),
        "contacts": [{"id": c.id, "type": c.type, "value": c.value} for c in customer.contacts],
    }
    return {
        "customer": owner,
        "location": {
            "id": location.id,
            "name": location.name,
            "address": location.address.model_dump(by_alias=True),
            "customer": owner,
        },
    }


def _v1_visits(world: World, job: JobRow) -> dict[str, object]:
    """The job's times, which are those of its visits, and who is sent to them."""
    visits = world.appointments_of(job)
    first, last = _v1_appointment(visits[0]), _v1_appointment(visits[-1])
    times = ("start", "duration", "arrivalWindowStart", "arrivalWindowEnd")
    return {
        **{name: first[name] for name in times},
        "end": last["end"],
        "firstAppointment": first,
        "lastAppointment": last,
        "appointmentCount": len(visits),
        "jobAssignments": [
            {
                "id": item.id,
                "technician": {
                    "id": item.technician_id,
                    "name": world.catalogue.technicians.rows[item.technician_id].name,
                },
                "status": item.status,
                "assignedOn": _no_zone(item.created_on),
            }
            for row in visits
            for item in world.assignments_of(row)
        ],
    }


def _v1_never_used(job: JobRow) -> dict[str, object]:
    """What captures have and nothing here fills."""
    return {
        "tags": [],
        "invoice": {"id": job.invoice_id, "items": [], "payments": []},
        "estimates": [],
        "customFields": [],
        "leadCall": None,
        "booking": None,
        "externalId": None,
        "projectId": job.project_id or 0,
        "noCharge": False,
        "notificationsEnabled": True,
    }


def _v1_appointment(row: AppointmentRow) -> dict[str, object]:
    return {
        "id": row.id,
        "start": _no_zone(row.start),
        "end": _no_zone(row.end),
        "status": row.status,
        "duration": int((row.end - row.start).total_seconds()),
        "arrivalWindowStart": _no_zone(row.arrival_window_start),
        "arrivalWindowEnd": _no_zone(row.arrival_window_end),
        "appointmentNumber": row.number,
    }


def _no_zone(moment: datetime | None) -> str | None:
    return print_instant(moment, seven_digits=True).removesuffix("Z") if moment else None
