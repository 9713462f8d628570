"""From what the view gives to what goes out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from app.booking.record import Entry, Head, Record
from app.booking.report import instant, job_view, problem_view, written
from app.view.rows import BookingSeen
from app.web.operations import PREFIX


def job(record: Record) -> dict[str, Any] | None:
    """The booking's job, None without one."""
    return None if record.job is None else job_view(record, record.job)


def booking(seen: BookingSeen, as_of: datetime) -> dict[str, Any]:
    """Everything known of a booking."""
    record = seen.record
    lane = record.lane
    return {
        "bookingId": record.booking_id,
        "state": record.state.value,
        "wants": record.wants.value,
        "booking": written(record),
        "job": job(record),
        "problem": None if record.problem is None else problem_view(record.problem),
        "lane": {
            "head": None if lane.head is None else _event(lane.head),
            "attempt": lane.attempts,
            "due": None if lane.due is None else instant(lane.due),
            "behind": [_event(head) for head in seen.behind],
        },
        "timeline": [_entry(entry) for entry in record.timeline],
        "asOf": instant(as_of),
    }


def _event(head: Head) -> dict[str, Any]:
    return {"event": head.event_id, "type": head.type, "time": instant(head.time)}


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": instant(entry.at),
        "event": entry.event,
        "asked": entry.asked,
        "outcome": entry.outcome,
        "httpStatus": entry.http_status,
        "durationMs": entry.duration_ms,
        "decision": entry.decision,
        "traceId": entry.trace_id,
    }


def queued(booking_id: str, event: str) -> dict[str, Any]:
    """Taken, and not worked yet."""
    return {"bookingId": booking_id, "status": "queued", "event": event}


def location(booking_id: str, event: str) -> Mapping[str, str]:
    """Where to look again."""
    path = f"{PREFIX}/bookings/{quote(booking_id, safe='')}?event={quote(event, safe='')}"
    return {"Location": path}
