"""What became of an event by its id alone, whoever made it: for `?event=ID`. Pure."""

from app.booking.identity import Identity, Progress, look_up
from app.booking.reasons import Reason
from app.booking.record import Phase, Record
from app.stream.codec import SOURCE
from app.view.rows import BookingSeen
from app.web.events import HTTP_SOURCE


def digests(event_id: str) -> tuple[str, ...]:
    """The digests that an event of this id has when it was made here."""
    return tuple(Identity(source=source, id=event_id).digest() for source in (HTTP_SOURCE, SOURCE))


def is_over(seen: BookingSeen, event_id: str) -> bool:
    """Whether the booking's event was worked or failed for good, as far as its row tells."""
    record = seen.record
    marks = [look_up(record.seen, digest) for digest in (*digests(event_id), *_digests_of(record, event_id))]
    became = next((mark for mark in marks if mark is not None), None)
    if became is not None:
        return became is not Progress.ON_ITS_WAY
    if any(head.event_id == event_id for head in seen.behind):
        return False
    return record.caused_by == event_id or any(entry.event == event_id for entry in record.timeline)


def _digests_of(record: Record, event_id: str) -> list[str]:
    """Digests of the events with this id that the row still names."""
    head = record.lane.head
    found = [failed.digest for failed in record.failed if failed.event_id == event_id]
    return found if head is None or head.event_id != event_id else [*found, head.digest]


def creation(record: Record) -> str | None:
    """The digest of the creation that the lane works on or holds, None when there is none any more."""
    head = record.lane.head
    return head.digest if head is not None and record.job is None else None


def held_for(record: Record) -> Reason | None:
    """Why the creation is held, if it is."""
    if record.lane.phase is Phase.HELD and record.problem is not None:
        return record.problem.reason
    return None
