"""What a record is searched by: the columns of its row in the view. Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from app.booking.business import Business
from app.booking.identity import KEPT, all_seen
from app.booking.reasons import Reason
from app.booking.record import Phase, Record, State, Waits
from app.booking.report import written
from app.booking.status import Status
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
    "shown",
    "words",
    "zip",
    "row",
)

_LONGEST_WORD = 200
_NAME_OF_STREET = re.compile(r"[^\W\d]{3}.*")
_WAITS = {Waits.RETRY: "waiting", Waits.SETTLE: "checking", Waits.CUSTOMER: "customer"}
SHOWN = frozenset(
    one.replace("_", " ")
    for one in (State.HELD, State.CLOSED, State.PENDING, *Status, *_WAITS.values(), "in flight")
)
"""Every word of `shown`."""
_FAILED = frozenset(Reason) - {Reason.DISCARDED}


class _Said(NamedTuple):
    first: str
    last: str
    phone: str
    email: str
    street: str
    zip: str


def of_record(record: Record, partition: int, row: bytes, business: Business) -> tuple[Any, ...]:
    """The row's values, in the order of `COLUMNS`."""
    lane, job, said = record.lane, record.job, _said(record)
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
        shown(record),
        "\n".join(_words(record, said)),
        said.zip,
        row,
    )


def _words(record: Record, said: _Said) -> Iterable[str]:
    """What the booking is found by: the beginning of each, and of a phone number its end.

    Its customer's name either way round, e-mail and phone, its street with and without the number, its job's
    number and its id, as far as the columns do not tell the same.
    """
    first, last, street = folded(said.first), folded(said.last), folded(said.street)
    name = _NAME_OF_STREET.search(street)
    found = [f"{last} {first}", f"{first} {last}", folded(said.email), phone_word(said.phone), street]
    found += () if name is None or name.start() == 0 else (name[0],)
    found += () if record.job is None else (folded(record.job.number), str(record.job.id))
    own = folded(record.booking_id)
    found += () if own == record.booking_id else (own,)
    return dict.fromkeys(word[:_LONGEST_WORD] for word in found if word)


def folded(text: str) -> str:
    """A text as it is searched: case, commas and blanks do not matter."""
    return " ".join(text.casefold().replace(",", " ").split())


def phone_word(phone: str) -> str:
    """A phone number as it is searched, from its end; empty without digits. Nobody can type the tab."""
    digits = phone_digits(phone)
    return f"\t{digits[::-1]}" if digits else ""


def _said(record: Record) -> _Said:
    """Who and where, as far as it is text: an invalid creation may say anything."""
    said = record.booking
    if said is not None:
        return _Said(said.first_name, said.last_name, said.phone, said.email, said.address, said.zip)
    raw = written(record)
    values = (raw.get(name) for name in ("firstName", "lastName", "phone", "email", "address", "zip"))
    return _Said(*(value if isinstance(value, str) else "" for value in values))


def is_over(record: Record) -> bool:
    """Whether nobody drives to it any more."""
    return record.state in {State.ENDED, State.CLOSED}


def shown(record: Record) -> str:
    """Where a booking stands, in the word that people see."""
    match record.state:
        case State.ENDED:
            cancelled = record.job is not None and record.job.status is Status.CANCELLED
            return "cancelled" if cancelled else "completed"
        case State.PENDING | State.ACTIVE if record.lane.phase is not Phase.IDLE:
            waits = record.lane.waits
            return "in flight" if waits is None else _WAITS[waits]
        case State.ACTIVE:
            return "scheduled" if record.job is None else record.job.status.value.replace("_", " ")
        case state:
            return state.value


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
            is_over(record),
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
