"""What is durable, and what is under way, outside the worker: one hashable value per state of the model.

Time is left out: the clock stands still, turns and queue numbers are counted from the lane's own, and the
timeline is dropped. Two states that differ only in these behave the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from app.booking.asks import (
    Ask,
    Cancel,
    Complete,
    CreateJob,
    Dispatch,
    FindJob,
    JobSeen,
    Note,
    PutBack,
    Reschedule,
)
from app.booking.inputs import CustomerFailed, CustomerResolved, Intent, Signal
from app.booking.record import (
    Announce,
    Drop,
    Head,
    Owed,
    Record,
    RequestCustomer,
    SendDeadLetter,
    SendTimer,
)
from tests.support.bookings import NOW

if TYPE_CHECKING:
    from datetime import datetime

ME = "me"
GONE = "gone"
TURN = 10
"""The lane's own turn in every canonical state."""


class Row(Record):
    """A record that keeps its hash: the same one stands in thousands of worlds, each of which is hashed."""

    __slots__ = ("_hash",)
    _hash: int

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            made = super().__hash__()
            object.__setattr__(self, "_hash", made)
            return made

    @classmethod
    def of(cls, record: Record) -> Row:
        return cls(**{one.name: getattr(record, one.name) for one in fields(record)})


@dataclass(frozen=True, slots=True)
class JobUp:
    """A job in ServiceTitan."""

    id: int
    status: str
    start: datetime

    @property
    def live(self) -> bool:
        return self.status != "Canceled"


@dataclass(frozen=True, slots=True)
class Late:
    """A write that is still running upstream. A zombie is one that a sleeping process has yet to send."""

    ask: Ask
    turn: int
    answered: bool
    zombie: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What the outside was told of the booking: the kinds, and the last view.

    `ahead`: its sequence is above the row's.
    """

    kinds: frozenset[str]
    view: tuple[object, ...]
    ahead: bool


Effect: TypeAlias = tuple[str, str]
"""What was done, and a detail that tells it from another of its kind."""


class World(NamedTuple):
    """Everything that outlives a crash, and how many misfortunes may still happen."""

    row: Record | None = None
    intent: Intent | None = None
    behind: tuple[tuple[str, Head], ...] = ()
    events_next: int = 0
    signals: tuple[Signal, ...] = ()
    signals_next: int = 0
    actions_sent: int = 0
    timers: frozenset[int] = frozenset()
    requests: frozenset[tuple[int, str]] = frozenset()
    told: Told | None = None
    letters: frozenset[tuple[str, int]] = frozenset()
    jobs: tuple[JobUp, ...] = ()
    late: tuple[Late, ...] = ()
    settling: bool = False
    """Whether this worker must still count on a write that is running."""
    touched: bool = False
    done: tuple[Effect, ...] | None = None
    """Every write that was accepted upstream, in order; None where it is not remembered."""
    crashes: int = 0
    faults: int = 0
    repeats: int = 0
    zombies: int = 0

    def live_jobs(self) -> int:
        return sum(job.live for job in self.jobs)


Jobs: TypeAlias = tuple[JobUp, ...]


def applied(world: World, ask: Ask) -> tuple[World, bool]:
    """The world after a write reached ServiceTitan, and whether it was accepted there."""
    jobs, accepted = asked(world.jobs, ask)
    if world.done is None or not accepted or _ends_a_second_job(world, ask):
        return world._replace(jobs=jobs), accepted
    return world._replace(jobs=jobs, done=(*world.done, effect_of(ask))), accepted


def _ends_a_second_job(world: World, ask: Ask) -> bool:
    """Whether this cancels what a sleeper made, which no event asked for."""
    job = None if world.row is None else world.row.job
    return isinstance(ask, Cancel) and job is not None and ask.job_id != job.id


def effect_of(ask: Ask) -> Effect:
    """What a write does, in the booking system's words; a visit is moved to a day."""
    match ask:
        case CreateJob():
            return "created", ""
        case Reschedule():
            return "moved", ask.slot.start.date().isoformat()
        case Cancel():
            return "cancelled", ""
        case Complete():
            return "completed", ""
        case PutBack():
            return "scheduled", ""
        case Dispatch():
            return "dispatched", ""
        case Note():
            return "in_progress", ""
        case FindJob():
            raise TypeError("a look-up changes nothing")


def asked(jobs: Jobs, ask: Ask) -> tuple[Jobs, bool]:
    """What a write does upstream, and whether it was accepted. Idempotent ones may come again."""
    match ask:
        case CreateJob():
            return (*jobs, JobUp(1001 + len(jobs), "Scheduled", ask.order.slot.start)), True
        case Cancel():
            return _moved(jobs, ask.job_id, "Canceled", {"Scheduled", "Dispatched", "InProgress", "Canceled"})
        case Complete():
            return _moved(
                jobs, ask.job_id, "Completed", {"Scheduled", "Dispatched", "InProgress", "Completed"}
            )
        case PutBack():
            return _moved(jobs, ask.job_id, "Scheduled", {"Scheduled", "Dispatched", "Canceled"})
        case Dispatch():
            return _moved(jobs, ask.job_id, "Dispatched", {"Scheduled", "Dispatched"})
        case Note():
            return _moved(jobs, ask.job_id, "InProgress", {"Scheduled", "Dispatched", "InProgress"})
        case Reschedule():
            found = next(job for job in jobs if job.id == ask.job_id)
            if found.status not in {"Scheduled", "Dispatched"}:
                return jobs, False
            moved = replace(found, start=ask.slot.start)
            return tuple(moved if job.id == ask.job_id else job for job in jobs), True
        case FindJob():
            raise TypeError("a look-up changes nothing")


def _moved(jobs: Jobs, job_id: int, to: str, may: set[str]) -> tuple[Jobs, bool]:
    found = next(job for job in jobs if job.id == job_id)
    if found.status not in may:
        return jobs, False
    return tuple(replace(job, status=to) if job.id == job_id else job for job in jobs), True


def shown(job: JobUp) -> JobSeen:
    return JobSeen(
        job_id=job.id,
        job_number=f"JOB-{job.id:06}",
        customer_id=7,
        location_id=8,
        appointment_id=job.id + 1000,
        status=job.status,
        created_on=NOW,
        modified_on=NOW,
    )


def canonical(world: World) -> World:
    """The state that stands for all that behave as this one."""
    row = world.row
    if row is None:
        return world
    by = row.lane.turn - TURN
    down = row.lane.first
    first_signal = max(world.signals_next - 1, 0)
    return world._replace(
        row=_canonical_row(row),
        intent=_intent(world.intent, by),
        behind=tuple(sorted((_slot(slot, down), head) for slot, head in world.behind)),
        timers=_timers(world, by),
        late=tuple(replace(late, turn=max(late.turn - by, 0)) for late in world.late),
        signals=tuple(_signal(signal, by) for signal in world.signals[first_signal:]),
        signals_next=world.signals_next - first_signal,
    )


_ROWS: dict[int, tuple[Record, Record]] = {}
"""By identity, with the row itself: as long as it is kept, no other row has its identity."""


def _canonical_row(row: Record) -> Record:
    if id(row) not in _ROWS:
        by, down = row.lane.turn - TURN, row.lane.first
        shifted = replace(
            row,
            generation=0,
            sequence=0,
            timeline=(),
            changed_at=NOW,
            problem=row.problem and replace(row.problem, at=NOW),
            lane=replace(
                row.lane,
                turn=TURN,
                first=0,
                next=row.lane.next - down,
                due=row.lane.due and NOW,
                last=row.lane.last and replace(row.lane.last, at=NOW),
            ),
            owes=tuple(_owed(owed, by, down) for owed in row.owes),
        )
        _ROWS[id(row)] = row, Row.of(shifted)
    return _ROWS[id(row)][1]


def _timers(world: World, by: int) -> frozenset[int]:
    """Stale ones wake a row that was not touched yet, and do nothing to another."""
    timers = {max(turn - by, 0) for turn in world.timers}
    return frozenset(turn if turn >= TURN else 0 for turn in timers if turn >= TURN or not world.touched)


def _slot(slot: str, down: int) -> str:
    return f"q{int(slot[1:]) - down}" if slot.startswith("q") else slot


def _intent(intent: Intent | None, by: int) -> Intent | None:
    """One of an earlier turn is void for ever, since turns only grow."""
    if intent is None or intent.turn - by < TURN:
        return None
    return replace(intent, turn=intent.turn - by)


def _owed(owed: Owed, by: int, down: int) -> Owed:
    match owed:
        case SendTimer():
            return replace(owed, turn=owed.turn - by, due=NOW)
        case RequestCustomer():
            return replace(owed, turn=owed.turn - by)
        case Drop():
            return replace(owed, slots=tuple(_slot(slot, down) for slot in owed.slots))
        case Announce():
            return replace(owed, id="")
        case SendDeadLetter():
            return replace(owed, trouble=replace(owed.trouble, at=NOW), first_failed=NOW)


def _signal(signal: Signal, by: int) -> Signal:
    says = signal.says
    if isinstance(says, (CustomerResolved, CustomerFailed)):
        return replace(signal, says=replace(says, turn=max(says.turn - by, 0)))
    return signal
