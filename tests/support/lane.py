"""One booking's lane for tests: inputs go in, ServiceTitan's outcomes are scripted, and all is remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from app.booking.customers import customer_digest
from app.booking.identity import look_up
from app.booking.inputs import (
    Action,
    Answered,
    Arrived,
    CustomerFailed,
    CustomerResolved,
    Facts,
    Fired,
    Given,
    Intent,
    Observed,
    Policy,
)
from app.booking.outcomes import Accepted, Busy, Failed, Outcome, Refused, Unsure
from app.booking.protocol import (
    Call,
    Effect,
    Intend,
    Keep,
    Look,
    Publish,
    Read,
    Remove,
    Save,
    handle,
)
from app.booking.record import Announce, Drop, Head, Owed, Record, SendDeadLetter, SendTimer
from tests.support.bookings import BUSINESS, ME, NOW, created, job_seen, signal, status_changed

if TYPE_CHECKING:
    from datetime import datetime

    from app.booking.asks import Ask
    from app.booking.events import BookingEvent
    from app.booking.identity import Progress
    from app.booking.reasons import Reason

POLICY = Policy(business=BUSINESS)
Came: TypeAlias = Outcome[Any]
Unhappy: TypeAlias = Busy | Failed | Unsure | Refused


class Lane:
    """Works inputs with the real protocol.

    `outcomes` are taken by calls in order; when none is left a call is accepted, and a look-up finds nothing.
    """

    def __init__(self, policy: Policy = POLICY, me: str = ME) -> None:
        self.record: Record | None = None
        self.policy = policy
        self.me = me
        self.now: datetime = NOW
        self.settle_left = 0.0
        self.intent: Intent | None = None
        self.behind: dict[str, Head] = {}
        self.asks: list[Ask] = []
        self.effects: list[Effect] = []
        self.owed: list[Owed] = []
        self.removed = False
        self._signals = 0
        self._stored: Record | None = None
        self._stored_at_call: Record | None = None
        self._untouched = False

    @property
    def row(self) -> Record:
        assert self.record is not None, "there is no row"
        return self.record

    @property
    def announced(self) -> list[str]:
        return [owed.type for owed in self.owed if isinstance(owed, Announce)]

    @property
    def letters(self) -> list[SendDeadLetter]:
        return [owed for owed in self.owed if isinstance(owed, SendDeadLetter)]

    @property
    def timers(self) -> list[SendTimer]:
        return [owed for owed in self.owed if isinstance(owed, SendTimer)]

    @property
    def decisions(self) -> list[str]:
        return [entry.decision for entry in self.row.timeline]

    def give(self, given: Given, *outcomes: Came, first_touch: bool = False) -> Lane:
        """Work one input; `asks`, `effects` and `owed` are those of this input."""
        self.asks, self.effects, self.owed = [], [], []
        left = list(outcomes)
        first_touch, self._untouched = first_touch or self._untouched, False
        steps = handle(self.record, given, self.intent, first_touch=first_touch)
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration as ended:
                self.record = ended.value
                assert not left, f"never asked for: {left}"
                return self
            self.effects.append(effect)
            answer = self._carry_out(effect, left)

    def _carry_out(self, effect: Effect, outcomes: list[Came]) -> Any:  # noqa: ANN401 - each has its own
        match effect:
            case Look():
                return Facts(now=self.now, me=self.me, settle_left=self.settle_left, policy=self.policy)
            case Save(record=record, along=along):
                self.owed += along
                self._stored = replace(record, sequence=record.sequence + 1)
                return self._stored
            case Publish(owed=owed):
                self.owed += owed
                for slot in (slot for one in owed if isinstance(one, Drop) for slot in one.slots):
                    self.behind.pop(slot, None)
            case Keep(rows=rows):
                self.behind |= dict(rows)
            case Read(slot=slot):
                return self.behind.get(slot)
            case Intend(intent=intent):
                self.intent = intent
            case Call(ask=ask):
                self.asks.append(ask)
                self._stored_at_call = self._stored
                outcome = outcomes.pop(0) if outcomes else self._usual(ask)
                return Answered(ask=ask, outcome=outcome, duration_ms=120)
            case Remove():
                self.removed = True
        return None

    def _usual(self, ask: Ask) -> Accepted[Any]:
        value = {"CreateJob": job_seen(), "FindJob": ()}.get(type(ask).__name__)
        return Accepted(value=value, at=NOW)

    def event(self, event: BookingEvent, *outcomes: Came) -> Lane:
        return self.give(Arrived(event=event), *outcomes)

    def signal(self, says: Action | Observed | CustomerResolved | CustomerFailed, *outcomes: Came) -> Lane:
        self._signals += 1
        return self.give(signal(says, self._signals), *outcomes)

    def act(self, kind: Literal["retry", "repair", "discard"], *outcomes: Came, **more: Any) -> Lane:  # noqa: ANN401 - fields of Action
        return self.signal(Action(kind=kind, by="op", why="because", **more), *outcomes)

    def customer_is_found(self, *outcomes: Came) -> Lane:
        digest = customer_digest(self.row.booked)
        known = CustomerResolved(turn=self.row.lane.turn, digest=digest, customer_id=7, location_id=8)
        return self.signal(known, *outcomes)

    def customer_fails(self, outcome: Unhappy) -> Lane:
        digest = customer_digest(self.row.booked)
        return self.signal(CustomerFailed(turn=self.row.lane.turn, digest=digest, outcome=outcome))

    def timer(self, *outcomes: Came) -> Lane:
        """The timer of the lane's turn fires."""
        return self.give(Fired(turn=self.row.lane.turn), *outcomes)

    def died_at_call(self) -> Lane:
        """The worker died at the last call, done or not: another one has the row as it stood."""
        self._stored = self._stored_at_call
        return self.died()

    def died(self) -> Lane:
        """The worker died at rest: another one goes on with the row as it stands in the table."""
        self.record, self._untouched = self._stored, True
        return self.another_worker()

    def another_worker(self) -> Lane:
        """The next input is worked by a process that did not begin what stands in the row."""
        self.me = "worker-2"
        return self


def creating(policy: Policy = POLICY) -> Lane:
    """A booking whose customer is being looked for."""
    return Lane(policy).event(created(0))


def booked(policy: Policy = POLICY) -> Lane:
    """A booking with its job, scheduled."""
    return creating(policy).customer_is_found()


def in_status(status: str) -> Lane:
    """A booking whose job has this status."""
    lane = booked()
    if status == "scheduled":
        return lane
    return lane.event(status_changed(status, 1))


def kinds(lane: Lane) -> list[str]:
    """What the last input asked of ServiceTitan, by name."""
    return [type(ask).__name__ for ask in lane.asks]


def seen(lane: Lane, offset: int) -> Progress | Reason | None:
    """What became of the event that stands at this offset."""
    return look_up(lane.row.seen, created(offset).identity.digest())
