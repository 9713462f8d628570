"""What a webhook says: the V2 envelope, the V1 body, and the plain form."""

from datetime import datetime
from typing import Literal

import orjson

from app.simulator import views
from app.simulator.state.records import OFFICE_USER, AppointmentRow, JobRow
from app.simulator.state.world import Effect, World
from app.simulator.wire.dates import SEVEN_DIGITS, print_instant
from app.simulator.wire.jpm import AppointmentStatus, JobStatus
from app.simulator.wire.webhook import WebhookPlain, WebhookV2

WebhookForm = Literal["v2", "v1", "plain"]

EVENTS: dict[str, tuple[str, str]] = {
    "customer.created": ("customer.created", ""),
    "customer.updated": ("customer.updated", ""),
    "job.created": ("job.created", "JobBooked"),
    "job.updated": ("job.updated", "JobModified"),
    "job.canceled": ("job.canceled", "JobCanceled"),
    "job.uncanceled": ("job.updated", "JobModified"),
    "job.held": ("job.updated", "JobOnHold"),
    "job.completed": ("job.completed", "JobComplete"),
    "appointment.created": ("appointment.created", "JobModified"),
    "appointment.rescheduled": ("appointment.rescheduled", "JobRescheduled"),
    "appointment.held": ("job.updated", "JobOnHold"),
    "appointment.unheld": ("job.updated", "JobModified"),
    "appointment.deleted": ("job.updated", "JobModified"),
    "technicians.assigned": ("job.updated", "TechnicianAssigned"),
    "technicians.unassigned": ("job.updated", "TechnicianUnassigned"),
    "technician.dispatched": ("job.updated", "TechnicianDispatched"),
    "technician.arrived": ("job.updated", "TechnicianArrived"),
    "technician.done": ("job.updated", "TechnicianDone"),
}
"""Effect -> V2 event type and V1 webhook type; effects that are not here are not told."""


def body_of(world: World, effect: Effect, form: WebhookForm) -> bytes | None:
    """The body that tells an effect; None when it is not told in this form."""
    event = EVENTS.get(effect.kind)
    if event is None:
        return None
    job = world.jobs.get(effect.job) if effect.job is not None else None
    match form:
        case "v2":
            return _v2(world, effect, event[0], job)
        case "v1":
            return _v1(world, effect, event[1], job) if job else None
        case "plain":
            return _plain(world, effect, job) if job else None


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


def _v2(world: World, effect: Effect, event_type: str, job: JobRow | None) -> bytes | None:
    if job is not None:
        visits = world.appointments_of(job)
        data = {
            **views.job(world, job, None).model_dump(mode="json", context=SEVEN_DIGITS),
            "externalData": [
                {"key": key, "value": value} for pairs in job.external.values() for key, value in pairs
            ],
            "appointments": [
                views.appointment(row).model_dump(mode="json", context=SEVEN_DIGITS) for row in visits
            ],
        }
    else:
        customer = world.customers.get(effect.customer or 0)
        if customer is None:
            return None
        data = views.customer(customer, None).model_dump(mode="json", context=SEVEN_DIGITS)
    return WebhookV2(
        event_id=f"sim-{effect.number:06d}",
        event_type=event_type,
        occurred_on=effect.at,
        tenant_id=views.TENANT_ID,
        data=data,
    ).answer()


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
            "__tenantInfo": {"id": views.TENANT_ID, "name": views.TENANT_NAME},
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
