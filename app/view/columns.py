"""What a record is searched by: the columns of its row in the view. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from app.booking.business import Business
from app.booking.identity import KEPT, all_seen
from app.booking.reasons import Reason
from app.booking.record import Record
from app.booking.report import written
from app.booking.words import visit_of
from app.view.schema import milliseconds

COLUMNS = (
    "booking_id",
    "partition",
    "generation",
    "sequence",
    "state",
    "phase",
    "turn",
    "due",
    "changed",
    "job_id",
    "job_start",
    "visit",
    "surname",
    "name",
    "phone",
    "zip",
    "row",
)

_FAILED = frozenset(Reason) - {Reason.DISCARDED}


def of_record(record: Record, partition: int, row: bytes, business: Business) -> tuple[Any, ...]:
    """The row's values, in the order of `COLUMNS`."""
    lane, job = record.lane, record.job
    first, last, phone, zip_code = _who(record)
    return (
        record.booking_id,
        partition,
        record.generation,
        record.sequence,
        record.state.value,
        lane.phase.value,
        lane.turn,
        None if lane.due is None else milliseconds(lane.due),
        milliseconds(record.changed_at),
        None if job is None else job.id,
        None if job is None else milliseconds(job.start),
        milliseconds(visit(record, business)),
        f"{last} {first}",
        f"{first} {last}",
        phone_digits(phone),
        zip_code,
        row,
    )


def _who(record: Record) -> tuple[str, str, str, str]:
    """First and last name, phone and ZIP, as far as they are text: an invalid creation may say anything."""
    said = written(record)
    first, last, phone, zip_code = (said.get(name) for name in ("firstName", "lastName", "phone", "zip"))
    return _text(first).casefold(), _text(last).casefold(), _text(phone), _text(zip_code)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def visit(record: Record, business: Business) -> datetime:
    """When the visit is: the job's time, or without one the time that was booked; without any, since when."""
    if record.job is not None:
        return record.job.start
    if record.booking is None:
        return record.changed_at
    return visit_of(record.booking, business).start


def phone_digits(phone: str) -> str:
    """A phone number as it is searched: its last ten digits, so that a country's code does not matter."""
    return "".join(letter for letter in phone if letter.isdecimal())[-10:]


def attention(record: Record, business: Business) -> Iterator[tuple[Any, ...]]:
    """A line for each event that failed for good and may still be acted on."""
    when = milliseconds(visit(record, business))
    for failed in record.waiting:
        yield (
            record.booking_id,
            failed.slot,
            failed.trouble.reason.value,
            failed.event_id,
            failed.type,
            milliseconds(failed.trouble.at),
            when,
        )


def answered(record: Record) -> frozenset[str]:
    """Digests of what the row answers for: events worked, on their way, discarded, or kept to be acted on.

    The creation is one of them: its lane held it until it was worked, discarded or overtaken.
    """
    found = {digest for digest, became in all_seen(record.seen) if became not in _FAILED}
    found |= {failed.digest for failed in record.failed}
    head, begun_with = record.lane.head, creation(record)
    if head is not None:
        found.add(head.digest)
    if begun_with is not None:
        found.add(begun_with)
    return frozenset(found)


def creation(record: Record) -> str | None:
    """The digest of what the booking began with, the first that was seen; None once the oldest have left."""
    seen = all_seen(record.seen)
    return seen[0][0] if 0 < len(seen) < KEPT else None
