"""What a lane is given: an event, a timer, a signal, an answer. And the facts it is judged by."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from app.booking.asks import Ask, JobSeen
from app.booking.business import Business
from app.booking.doubt import NO_DOUBT, Doubt
from app.booking.events import BookingEvent, RawEvent
from app.booking.outcomes import Busy, Failed, Outcome, Refused, Unsure
from app.booking.record import Head
from app.booking.status import Status

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far a clock may be ahead of ours before what it tells is taken for wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the settings say about lanes. `retry_delays` in whole seconds, `keep_ended_days` in days."""

    business: Business
    retry_delays: tuple[int, ...] = (5, 10, 20)
    behind_limit: int = 1000
    keep_ended_days: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The row that says: a write of this turn may have been sent. Of an earlier turn it is void.

    `doubt` is what it may make of the job; `ordered` says after how many repairs a creation was sent.
    """

    turn: int
    what: str
    at: datetime
    doubt: Doubt = NO_DOUBT
    ordered: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the engine cannot know by itself.

    `me` names this assignment of this process; `settle_left` is how many seconds an unsettled write of
    this booking may still be running upstream, on the monotonic clock; `intent` is the durable one as
    it was when the input came.
    """

    now: datetime
    me: str
    settle_left: float = 0.0
    intent: Intent | None = None
    policy: Policy

    def not_ahead(self, at: datetime) -> datetime:
        """A time that somebody else tells; one that is still to come counts as now.

        Whatever is told after it would be old news else, until that time.
        """
        return at if at <= self.now + CLOCKS_DIFFER else self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A booking event was read from its topic."""

    event: BookingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A timer came due, set at this turn of the lane."""

    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """The scan found the lane waiting longer than it should: what it waits for may have been lost."""

    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The lane was found working when its partition came here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """A worker that had lost this booking without knowing sent its creation: there may be a second job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restate:
    """A lower row stands behind the record's own in the changelog: it is to be written and told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The booking may have ended long enough ago to leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an ask came to. Times are the attempt's own.

    `unanswered` says that a write of it was sent that got no answer, be it before the one that did: it may
    still be running.
    """

    ask: Ask
    outcome: Outcome[JobSeen | tuple[JobSeen, ...] | None]
    duration_ms: int
    unanswered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An operator's act. `event` names the event id acted on: the held one, or a dead-lettered one."""

    kind: Literal["retry", "repair", "discard"]
    by: str
    why: str
    event: str | None = None
    plan: str | None = None
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The event that the engine wanted from `slot`, and for which action; no head when no row was there."""

    slot: str
    head: Head | None
    action: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitSeen:
    """When a visit is to be, as ServiceTitan has shown it."""

    appointment_id: int
    start: datetime
    end: datetime
    window_start: datetime | None
    window_end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicianSeen:
    """Somebody who was put on a visit, or taken off it."""

    id: int
    name: str
    assigned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What ServiceTitan was seen showing of a job: its status, when the visit is, who comes.

    What is None was not shown. `at` is ServiceTitan's own time. `seen_by` is webhook or sweep.
    `appointment_id` is given when it was seen of that visit, which need not be the one of the booking.
    `occurrence` names what was told of, so that it counts once however often it comes.
    """

    job_id: int
    at: datetime
    seen_by: str
    status: Status | None = None
    appointment_id: int | None = None
    visit: VisitSeen | None = None
    technicians: tuple[TechnicianSeen, ...] = ()
    occurrence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerResolved:
    """The customer and location that a booking's data asked for."""

    turn: int
    digest: str
    customer_id: int
    location_id: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFailed:
    """The one attempt to find or make the customer did not succeed. Busy: not to be counted."""

    turn: int
    digest: str
    outcome: Busy | Failed | Unsure | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A CloudEvent of `booking-signals`, as it came and what it says."""

    booking_id: str
    event_id: str
    digest: str
    says: Action | Observed | CustomerResolved | CustomerFailed
    trace_id: str | None
    raw: RawEvent


Given: TypeAlias = (
    Arrived | Fired | Overdue | Resumed | Restate | Recheck | Expire | Taken | Answered | Signal
)
