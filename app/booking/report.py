"""What the outside is told of a booking: the data of `servicetitan-jobs` and of the HTTP answers."""

from datetime import datetime
from typing import Any

from app.booking.events import written_in
from app.booking.record import Job, Record, Trouble


def instant(when: datetime) -> str:
    """A time in UTC as ISO 8601 with `Z`, to the millisecond."""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def view(record: Record) -> dict[str, Any]:
    """The booking's whole current view (contract section 3)."""
    return {
        "bookingId": record.booking_id,
        "state": record.state.value,
        "job": None if record.job is None else job_view(record, record.job),
        "problem": None if record.problem is None else problem_view(record.problem),
        "causedBy": record.caused_by,
        "sequence": record.sequence,
    }


def job_view(record: Record, job: Job) -> dict[str, Any]:
    """The job as everybody outside sees it; ids are ServiceTitan's."""
    booking = record.booked
    return {
        "id": job.id,
        "jobNumber": job.number,
        "bookingId": record.booking_id,
        "status": job.status.value,
        "priority": job.priority,
        "description": job.description,
        "businessUnit": job.business_unit,
        "customer": {
            "id": job.customer_id,
            "name": f"{booking.first_name} {booking.last_name}",
            "phone": booking.phone,
            "email": booking.email,
        },
        "location": {
            "id": job.location_id,
            "address": {
                "street": booking.address,
                "city": booking.city,
                "state": booking.state,
                "zip": booking.zip,
            },
        },
        "scheduledDate": job.scheduled_date,
        "timeSlot": job.time_slot,
        "appointmentStart": instant(job.start),
        "appointmentEnd": instant(job.end),
        "estimatedDuration": job.minutes,
        "technicians": [{"id": one.id, "name": one.name} for one in job.technicians],
        "createdAt": instant(job.created_at),
        "updatedAt": instant(job.updated_at),
    }


def written(record: Record) -> dict[str, Any]:
    """What was asked for: the booking, or of an invalid creation its known fields as they were written."""
    if record.booking is not None:
        return record.booking.model_dump(mode="json", by_alias=True, exclude={"booking_id"})
    head = record.lane.head
    return {} if head is None else written_in(head.raw)


def problem_view(problem: Trouble) -> dict[str, Any]:
    """Why the last event that failed for good did."""
    return {
        "reason": problem.reason.value,
        "detail": problem.detail,
        "attempts": problem.attempts,
        "httpStatus": problem.http_status,
        "at": instant(problem.at),
    }
