"""What would happen to each event of a plan, as far as the view can tell. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.booking.admission import contents
from app.booking.events import Cancelled, Data, Rescheduled, StatusChanged
from app.booking.reasons import Reason
from app.booking.record import Job, Record, State
from app.booking.status import MAY_BE_RESCHEDULED, MAY_BECOME, Status
from app.view.columns import is_over
from app.view.plans import Kind, Target
from app.web.ops import masks
from app.web.ops.lines import what


class Fate(StrEnum):
    """What would become of an event."""

    CREATES = "will create"
    CHECKS = "looked up first, then created"
    WORKS = "will be worked again"
    REFUSED = "likely refused again"
    EXISTS = "already there"
    OVERTAKEN = "overtaken"
    CLOSES = "will be closed"

    @property
    def acts(self) -> bool:
        """Whether a plan sends anything for it."""
        return self not in {Fate.EXISTS, Fate.OVERTAKEN}


# What ServiceTitan refused for what the booking says: without a repair it will say the same.
_SAYS_THE_SAME = frozenset({Reason.AREA_NOT_SUPPORTED, Reason.PHONE_REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One event of a plan: what would become of it, and why."""

    booking_id: str
    event_id: str
    customer: str
    what: str
    visit: datetime
    over: bool
    fate: Fate
    because: str

    @property
    def key(self) -> tuple[str, str]:
        """Which event of which booking."""
        return self.booking_id, self.event_id


def judge(kind: Kind, target: Target, now: datetime) -> Judged:
    """What a retry or a discard of this event would come to."""
    fate, because = _discard(target) if kind == "discard" else _retry(target, now)
    line = target.line
    return Judged(
        booking_id=line.booking_id,
        event_id=line.event_id,
        customer=masks.customer(target.record),
        what=what(line.type),
        visit=line.visit,
        over=is_over(target.record),
        fate=fate,
        because=because,
    )


def _discard(target: Target) -> tuple[Fate, str]:
    if target.line.slot:
        return Fate.CLOSES, f"{what(target.line.type)} is dropped"
    behind = target.record.lane.behind
    return Fate.CLOSES, f"no job; {behind} events behind it go too" if behind else "no job will be made"


def _retry(target: Target, now: datetime) -> tuple[Fate, str]:
    if target.line.slot:
        return _event(target)
    return _creation(target, now)


def _creation(target: Target, now: datetime) -> tuple[Fate, str]:
    record, reason = target.record, target.line.reason
    if record.job is not None:
        return Fate.EXISTS, f"job {record.job.number}"
    if record.state is State.CLOSED:
        return Fate.OVERTAKEN, "the booking is closed"
    if reason in _SAYS_THE_SAME and record.original is None:
        return Fate.REFUSED, "nothing was changed since"
    if record.lane.unsettled is not None:
        return Fate.CHECKS, "an earlier call may have made the job"
    passed = target.line.visit <= now
    return Fate.CREATES, "for a time that has passed" if passed else "a new job"


def _event(target: Target) -> tuple[Fate, str]:
    record, head = target.record, target.head
    if record.state is State.CLOSED:
        return Fate.OVERTAKEN, "the booking is closed"
    if target.line.type == "booking.created":
        return Fate.REFUSED, "the booking exists with other data"
    if head is None or record.job is None:
        return Fate.WORKS, "in its turn"
    data = contents(head, record.booking_id)
    if not isinstance(data, (Rescheduled, StatusChanged, Cancelled)):
        return Fate.REFUSED, "its data breaks the contract: repair it"
    return _change(record, record.job, data)


def _change(record: Record, job: Job, data: Data) -> tuple[Fate, str]:
    match data:
        case Rescheduled():
            legal = job.status in MAY_BE_RESCHEDULED
        case StatusChanged(status=status):
            if status is job.status:
                return Fate.WORKS, f"it is {status} already"
            legal = status in MAY_BECOME[job.status]
        case _:
            if job.status is Status.CANCELLED:
                return Fate.WORKS, "it is cancelled already"
            legal = Status.CANCELLED in MAY_BECOME[job.status]
    if legal:
        return Fate.WORKS, f"job {job.number} is {job.status}"
    if job.status is Status.CANCELLED and record.wants is Status.CANCELLED:
        return Fate.OVERTAKEN, "by its cancellation"
    return Fate.REFUSED, f"job {job.number} is {job.status}"


def counted(judged: Iterable[Judged]) -> dict[Fate, int]:
    """How many there are of each fate, in the order of the fates."""
    found = Counter(one.fate for one in judged)
    return {fate: found[fate] for fate in Fate if found[fate]}
