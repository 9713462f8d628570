"""From what the view gives to the lines of tables. Pure; nothing personal gets into one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.booking.business import Business
from app.booking.reasons import Reason
from app.booking.record import Phase, Record
from app.telemetry.masking import masked_text
from app.view.columns import is_over, visit
from app.view.rows import ActionSeen, AttentionGroup, AttentionLine, BookingSeen
from app.web.ops import masks

GROUP_LINES = 5
"""How many bookings a group shows on the overview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingLine:
    """A booking in a list. `attempt` says how far the head is, empty when none is worked on."""

    record: Record
    visit: datetime
    attempt: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLine:
    """An event that failed for good, in a group."""

    booking_id: str
    event_id: str
    customer: str
    what: str
    detail: str
    at: datetime
    visit: datetime
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A reason that needs a person, its most urgent lines, and the latest note on it."""

    reason: Reason
    bookings: int
    first: datetime
    last: datetime
    next_visit: datetime | None
    lines: tuple[FailedLine, ...]
    note: ActionSeen | None


def booking_line(seen: BookingSeen, business: Business, attempts: int) -> BookingLine:
    """A booking's line; `attempts` is how many an event has in all."""
    record = seen.record
    return BookingLine(
        record=record,
        visit=visit(record, business),
        attempt=attempt(record, attempts),
        reasons=reasons(record),
    )


def attempt(record: Record, attempts: int) -> str:
    """`attempt 2 of 4` while the head is worked on or waits."""
    lane = record.lane
    if lane.head is None or lane.phase in {Phase.IDLE, Phase.HELD}:
        return ""
    return f"attempt {min(lane.attempts + 1, attempts)} of {attempts}"


def reasons(record: Record) -> tuple[str, ...]:
    """Why what waits for a person failed."""
    return tuple(dict.fromkeys(failed.trouble.reason.value for failed in record.waiting))


def what(event_type: str) -> str:
    """An event's type in a word or two."""
    return event_type.removeprefix("booking.").replace("_", " ")


def failed_lines(lines: Iterable[AttentionLine], records: Mapping[str, Record]) -> tuple[FailedLine, ...]:
    """The lines of a group; a booking that has just left is left out."""
    found = ((line, records.get(line.booking_id)) for line in lines)
    return tuple(_failed_line(line, record) for line, record in found if record is not None)


def _failed_line(line: AttentionLine, record: Record) -> FailedLine:
    return FailedLine(
        booking_id=line.booking_id,
        event_id=line.event_id,
        customer=masks.customer(record),
        what=what(line.type),
        detail=_detail(record, line.slot),
        at=line.at,
        visit=line.visit,
        over=is_over(record),
    )


def _detail(record: Record, slot: str) -> str:
    return next((masked_text(one.trouble.detail) for one in record.waiting if one.slot == slot), "")


def group(
    seen: AttentionGroup,
    lines: Iterable[AttentionLine],
    records: Mapping[str, Record],
    note: ActionSeen | None,
) -> Group:
    """A group of the overview."""
    return Group(
        reason=seen.reason,
        bookings=seen.bookings,
        first=seen.first,
        last=seen.last,
        next_visit=seen.next_visit,
        lines=failed_lines(lines, records),
        note=note,
    )
