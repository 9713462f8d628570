"""What the view's queries give."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from app.booking.identity import Progress
from app.booking.reasons import Reason
from app.booking.record import Head, Phase, Record, State


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingSeen:
    """A booking as the view has it, with the events behind its head, in order."""

    record: Record
    partition: int
    behind: tuple[Head, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A stretch of the jobs by the start of their visits; `following` is None at the end of the walk."""

    records: tuple[Record, ...]
    following: "Walk | None"
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Where a walk over jobs stands: after this visit's start (epoch milliseconds) and job.

    `places` is when it began: the next offset of each partition of the changelog.
    """

    places: tuple[int, ...]
    start: int
    job_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLane:
    """A lane that should have been woken by now; of a working one `due` is None."""

    booking_id: str
    partition: int
    turn: int
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A booking and the partition whose owner must act."""

    booking_id: str
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many bookings there are in each state, lanes in each phase and events behind their heads.

    Also how many jobs, and when the newest one was made.
    """

    states: dict[State, int]
    phases: dict[Phase, int]
    events_behind: int
    jobs: int
    last_job_created: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionGroup:
    """What waits for a person for one reason; `next_visit` is None when all of their visits are over."""

    reason: Reason
    bookings: int
    first: datetime
    last: datetime
    next_visit: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionLine:
    """One event that failed for good; `slot` is empty for a held creation."""

    booking_id: str
    slot: str
    reason: Reason
    event_id: str
    type: str
    at: datetime
    visit: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record of the dead letter topic. `value` is None when there was none, or it is too large to keep."""

    partition: int
    offset: int
    at: datetime
    booking_id: str | None
    reason: str
    detail: str
    attempts: int
    http_status: int | None
    event_id: str | None
    digest: str | None
    type: str | None
    trace_id: str | None
    original_topic: str | None
    original_partition: int | None
    original_offset: int | None
    size: int
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSeen:
    """What an operator did; `subject` is the booking, or the reason of a note.

    `result` is what a note came to: nobody else writes a line about it.
    """

    at: datetime
    subject: str
    kind: str
    by: str
    why: str
    event: str | None
    plan: str | None
    event_id: str
    result: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSeen:
    """A webhook as it was taken; `copies` counts the deliveries of one occurrence."""

    at: datetime
    job_id: str | None
    sender: str
    verified: str
    delivery: str
    copies: int
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of an event: worked, or the reason it was dead-lettered for."""

    became: Literal[Progress.WORKED] | Reason
    booking: BookingSeen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnItsWay:
    """The event is not worked yet, or has not come yet; the booking as far as it is there."""

    booking: BookingSeen | None


EventFate: TypeAlias = Ended | OnItsWay
