"""What the outside is told of a booking (contract section 3)."""

from datetime import datetime, timedelta, timezone

from app.booking.outcomes import Refused
from app.booking.reasons import Reason
from app.booking.report import instant, view
from tests.support.bookings import ID, NOW
from tests.support.lane import booked, creating


def test_a_booking_with_its_job() -> None:
    assert view(booked().row) == {
        "bookingId": ID,
        "state": "active",
        "job": {
            "id": 1001,
            "jobNumber": "JOB-001001",
            "bookingId": ID,
            "status": "scheduled",
            "priority": "high",
            "description": "Garage door spring repair/replacement",
            "businessUnit": "Phoenix_Central",
            "customer": {
                "id": 7,
                "name": "Ada Lovelace",
                "phone": "(602) 555-0123",
                "email": "ada@example.com",
            },
            "location": {
                "id": 8,
                "address": {"street": "12 Main Street", "city": "Phoenix", "state": "AZ", "zip": "85004"},
            },
            "scheduledDate": "2026-03-05T00:00:00Z",
            "timeSlot": "9:00 AM - 11:00 AM",
            "appointmentStart": "2026-03-05T16:00:00.000Z",
            "appointmentEnd": "2026-03-05T18:00:00.000Z",
            "estimatedDuration": 120,
            "technicians": [],
            "createdAt": "2026-03-02T16:00:00.000Z",
            "updatedAt": "2026-03-02T16:00:00.000Z",
        },
        "problem": None,
        "causedBy": "e0",
        "sequence": 2,
    }


def test_a_held_booking_has_its_problem_and_no_job() -> None:
    refused = Refused(reason=Reason.AREA_NOT_SUPPORTED, detail="too far", http_status=400)

    found = view(creating().customer_is_found(refused).row)

    assert (found["state"], found["job"]) == ("held", None)
    assert found["problem"] == {
        "reason": "area-not-supported",
        "detail": "too far",
        "attempts": 1,
        "httpStatus": 400,
        "at": "2026-03-02T16:00:00.000Z",
    }


def test_times_are_told_in_utc() -> None:
    assert instant(NOW) == "2026-03-02T16:00:00.000Z"
    assert instant(NOW.astimezone(timezone(timedelta(hours=-7)))).endswith(("Z", "-07:00"))
    assert isinstance(NOW, datetime)
