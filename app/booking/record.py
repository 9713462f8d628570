"""One booking's row in the table `bookings`: everything its lane must remember."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

import orjson
from pydantic import Field, TypeAdapter

from app.booking.doubt import NO_DOUBT, Doubt
from app.booking.events import STORED, Booking, RawEvent
from app.booking.identity import NOTHING_SEEN, Seen, has_forgotten, look_up
from app.booking.reasons import Reason
from app.booking.status import SETTABLE, Status

VERSION = 1
TIMELINE_KEPT = 50
FAILED_KEPT = 20


NOBODY = ""
"""Who began what was not begun."""


class State(StrEnum):
    """Where a booking stands, as everybody outside sees it (contract section 3)."""

    PENDING = "pending"
    HELD = "held"
    ACTIVE = "active"
    ENDED = "ended"
    CLOSED = "closed"


class Phase(StrEnum):
    """What the lane does."""

    IDLE = "idle"
    """No head: the next input is worked at once."""
    WAITING = "waiting"
    """The head waits for a timer or for its customer; the rest wait behind it."""
    HELD = "held"
    """The creation failed for good: the lane waits for an operator."""
    WORKING = "working"
    """The next event is to be taken from behind, under the input that came to here."""


class Waits(StrEnum):
    """What a waiting lane waits for."""

    RETRY = "retry"
    CUSTOMER = "customer"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why an event failed, for good or for now."""

    reason: Reason
    detail: str
    attempts: int
    http_status: int | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The event a lane works on. `data` is an operator's repair of it, as JSON; `raw` stays the original."""

    raw: RawEvent
    event_id: str
    digest: str
    type: str
    time: datetime
    taken_at: datetime
    trace_id: str | None = None
    data: str | None = None
    plan: str | None = None
    begun_by: str = NOBODY
    """Which assignment of which process began the creation: a job begun by another is looked up first."""
    redriven: bool = False
    """An operator has it worked again: it may have been sent before, whatever its lane remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What wants an unsure creation closed: a cancellation (its event), or an operator's discard.

    `upto` is the first place in the lane that is not closed with it: what came later. Rows of before it was
    told have 0: what stands behind is judged by what is so when the closing is done.
    """

    head: Head
    discarded: bool
    why: str
    by: str = ""
    upto: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """A write whose outcome is unknown. With an answered 5xx the next retry's delay settles it.

    `over` says that this delay has passed. `what` is the digest of the event it was for, when that need not
    be the head: a process that died had sent it.
    """

    answered: bool
    over: bool = False
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One booking's own queue. `first` to `next` (exclusive) number the events behind the head."""

    phase: Phase = Phase.IDLE
    turn: int = 0
    head: Head | None = None
    attempts: int = 0
    first_failed: datetime | None = None
    last: Trouble | None = None
    """What the last attempt that was counted came to."""
    waits: Waits | None = None
    due: datetime | None = None
    unsettled: Unsettled | None = None
    may_be_done: bool = False
    """An attempt at the head was sent, and no answer said that it was not done."""
    closing: Closing | None = None
    fresh: bool = False
    """The known customer may be gone: ServiceTitan refused a job for it, and an operator tries again."""
    recheck: bool = False
    """Another process may have made a second job: look again once that is settled."""
    first: int = 0
    next: int = 0
    next_failed: int = 0

    @property
    def behind(self) -> int:
        """How many events stand behind the head."""
        return self.next - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who the booking's customer is in ServiceTitan; `digest` says for which phone, name and address."""

    digest: str
    customer_id: int
    location_id: int
    name: str = ""
    """As ServiceTitan has it: another than the booking's when somebody of the household books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Technician:
    """Somebody who comes."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The job in ServiceTitan. `status_at`, `reported_at` and `visit_at` are the upstream's own times.

    `scheduled_date` and `time_slot` are what the booking system asked for last; `start`, `end` and the window
    are where the visit stands, as of `visit_at`, also when the office moved it.

    `written_at` is the time of the last write that set the job's status: its answer's Date, in whole seconds,
    or since when it was so already.
    """

    id: int
    number: str
    customer_id: int
    location_id: int
    appointment_id: int
    business_unit: str
    priority: str = "normal"
    description: str = ""
    """What the job says, as text; of a row of before this was kept it is not known."""
    status: Status
    status_at: datetime
    scheduled_date: str
    time_slot: str | None
    start: datetime
    end: datetime
    minutes: int
    created_at: datetime
    updated_at: datetime
    window_start: datetime | None = None
    window_end: datetime | None = None
    visit_at: datetime | None = None
    technicians: tuple[Technician, ...] = ()
    reported: Status | None = None
    reported_at: datetime | None = None
    written_at: datetime | None = None

    @property
    def visit_known_at(self) -> datetime:
        """As of when the visit's times are known: a sight of before is old news."""
        return self.visit_at or self.updated_at

    @property
    def known_since(self) -> datetime:
        """From when on ServiceTitan's own status is known: a report of before is old news.

        Of dispatched and in progress it takes no more than a note, which says nothing of its own status.
        """
        return self.status_at if self.status in SETTABLE else self.reported_at or self.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvent:
    """A dead-lettered event that an operator may still retry or repair; its bytes stand in `slot`."""

    slot: str
    event_id: str
    digest: str
    type: str
    trouble: Trouble


class Means(StrEnum):
    """What a new line of the timeline is to those who watch, beside its words."""

    GAVE_UP = "gave up"
    """An event failed for good: its lane is held, or it is dead-lettered."""
    SECOND_JOB = "second job"
    """A second job was found, or could not be ruled out: somebody must be woken."""
    ROW_MISSING = "row missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the timeline: what came or was asked, what it came to, and what was decided.

    `came` is the outcome's name when ServiceTitan was asked. It and `means` are for logs, metrics and alerts
    at the moment of writing; a stored row has the words alone.
    """

    at: datetime
    event: str
    asked: str
    outcome: str
    decision: str
    http_status: int | None = None
    duration_ms: int | None = None
    trace_id: str | None = None
    plan: str | None = None
    came: Annotated[str | None, Field(exclude=True)] = field(default=None, compare=False)
    means: Annotated[Means | None, Field(exclude=True)] = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTimer:
    """The head comes back after `delay` seconds, if the lane is still at this turn."""

    turn: int
    delay: int
    attempt: int
    due: datetime
    kind: Literal["timer"] = "timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDeadLetter:
    """The event goes to the dead letter topic, with its bytes as they came."""

    raw: RawEvent
    trouble: Trouble
    first_failed: datetime
    trace_id: str | None = None
    kind: Literal["dead-letter"] = "dead-letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """An event on `servicetitan-jobs`; its id is derived from its cause, so that a re-send has the same."""

    type: Literal[
        "job.created", "job.updated", "job.cancelled", "booking.held", "booking.closed", "event.dead_lettered"
    ]
    id: str
    caused_by: str
    trace_id: str | None = None
    kind: Literal["announce"] = "announce"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCustomer:
    """The booking's customer is asked for; the answer must carry this turn and the data's digest.

    `fresh` asks ServiceTitan even when the answer is known.
    """

    turn: int
    fresh: bool = False
    kind: Literal["customer"] = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Rows of the table `behind` that are worked, closed or forgotten."""

    slots: tuple[str, ...]
    kind: Literal["drop"] = "drop"


Owed: TypeAlias = SendTimer | SendDeadLetter | Announce | RequestCustomer | Drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One booking. (`generation`, `sequence`) ranks its writings; the highest one is the truth."""

    booking_id: str
    version: int = VERSION
    generation: int = 0
    sequence: int = 0
    written_by: str = NOBODY
    """The process and ownership that wrote it: whose own it is need not be written or told again by it."""
    state: State = State.PENDING
    booking: Booking | None
    """None while only an invalid creation came, which holds the lane: nothing was booked with it."""
    original: Booking | None = None
    """What was booked at first, when an operator repaired it."""
    repairs: int = 0
    ordered: int | None = None
    """After how many repairs the creation was last sent, while its job is not known."""
    replaced: Booking | None = None
    """The booking as the creation was last sent with it, when it was repaired since."""
    wants: Status = Status.SCHEDULED
    """What the booking system asked for last; `job.status` is what ServiceTitan last said."""
    customer: Customer | None = None
    job: Job | None = None
    doubt: Doubt = NO_DOUBT
    """What writes without an answer may have made of the job since its status was last set."""
    problem: Trouble | None = None
    lane: Lane = Lane()
    owes: tuple[Owed, ...] = ()
    taken: tuple[tuple[str, int], ...] = ()
    """Per source topic the highest offset taken in."""
    seen: Seen = NOTHING_SEEN
    failed: tuple[FailedEvent, ...] = ()
    timeline: tuple[Entry, ...] = ()
    changed_at: datetime
    caused_by: str = ""

    @property
    def booked(self) -> Booking:
        """What was booked. Raises TypeError when nothing was: no work begins before."""
        if self.booking is None:
            raise TypeError("nothing was booked")
        return self.booking

    @property
    def is_open(self) -> bool:
        """Whether a creation that comes now is the first: none was valid, and no cancellation closed it."""
        return self.booking is None and self.wants is not Status.CANCELLED

    @property
    def waiting(self) -> tuple[FailedEvent, ...]:
        """What waits for an operator, newest first; the held creation, which has no slot, before all."""
        head, problem = self.lane.head, self.problem
        aside = tuple(reversed(self.failed))
        if self.lane.phase is not Phase.HELD or head is None or problem is None:
            return aside
        held = FailedEvent(
            slot="", event_id=head.event_id, digest=head.digest, type=head.type, trouble=problem
        )
        return (held, *aside)

    def highest(self, topic: str) -> int:
        """The highest offset taken in from this topic; -1 before the first."""
        return next((offset for name, offset in self.taken if name == topic), -1)

    def has_seen(self, digest: str, topic: str, offset: int) -> bool:
        """Whether an input came before: by its identity, and past what is remembered by its offset.

        By the offset alone the events of a topic that was cut or made anew would all be old.
        """
        if look_up(self.seen, digest) is not None:
            return True
        return has_forgotten(self.seen) and offset <= self.highest(topic)

    def took(self, topic: str, offset: int) -> "Record":
        """The same, with this offset taken in."""
        if offset <= self.highest(topic):
            return self
        rest = tuple(pair for pair in self.taken if pair[0] != topic)
        return replace(self, taken=(*rest, (topic, offset)))

    def owing(self, *things: Owed) -> "Record":
        """The same, owing these as well."""
        return replace(self, owes=(*self.owes, *things))

    def noted(self, entry: Entry) -> "Record":
        """The same, with one more line in the timeline (the last 50 are kept)."""
        return replace(self, timeline=(*self.timeline, entry)[-TIMELINE_KEPT:])

    def with_lane(self, **changes: object) -> "Record":
        """The same, with these fields of its lane changed."""
        return replace(self, lane=replace(self.lane, **changes))  # type: ignore[arg-type]  # typed by Lane


_ADAPTER = TypeAdapter(Record)
_HEAD = TypeAdapter(Head)


def encode(record: Record) -> bytes:
    """The row as it is stored: JSON, with `version`, `generation` and `sequence` in it."""
    row = _ADAPTER.dump_json(record, exclude_defaults=True, exclude={"version"})
    # A row says its version even when that is the default, which another version of this service has not.
    return b'{"version":%d,' % VERSION + row[1:]


def decode(row: bytes) -> Record:
    """The record of a stored row. Raises ValidationError when this is no row of ours."""
    return _ADAPTER.validate_json(row, context=STORED)


def rank(row: bytes) -> tuple[int, int]:
    """(generation, sequence) of a stored row: replay keeps the highest."""
    document = orjson.loads(row)
    return document.get("generation", 0), document.get("sequence", 0)


def with_generation(row: bytes, generation: int) -> bytes:
    """A row that is no record, with the generation that writes it: by that `rank` knows what came late."""
    return orjson.dumps({**orjson.loads(row), "generation": generation})


def encode_head(head: Head) -> bytes:
    """A row of the table `behind`: JSON, the event's bytes as base64."""
    return _HEAD.dump_json(head, exclude_defaults=True)


def decode_head(row: bytes) -> Head:
    """The head of a stored row. Raises ValidationError when this is no row of ours."""
    return _HEAD.validate_json(row)


def queued(number: int) -> str:
    """The slot of an event behind the head."""
    return f"q{number}"


def put_aside(number: int) -> str:
    """The slot of a dead-lettered event that may still be retried."""
    return f"f{number}"
