"""Walks in which a job is changed from both sides: what is on record in the end is what is so.

And what is told as so already, without a call, is not undone by a write of our own that nobody answered.

The office and technicians act in ServiceTitan, the booking system writes, webhooks come late, twice, shuffled
or never, and sweeps read what is. Times are as ServiceTitan shows them: some are cut to milliseconds or
seconds, and an answer's Date has whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.booking.asks import Cancel, Complete, Dispatch, Note, PutBack, Reschedule
from app.booking.inputs import Observed, Policy
from app.booking.outcomes import Accepted, Outcome, Refused, Unsure
from app.booking.reasons import Reason
from app.booking.record import Phase
from app.booking.signals import is_news
from app.booking.status import ENDED, SETTABLE, Status
from app.business_file import load_business
from tests.model.lane import ViolationError
from tests.support.bookings import ID, NOW, cancelled, created, rescheduled, status_changed
from tests.support.lane import Lane

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from app.booking.asks import Ask

JOB = 1001
NOTHING_TO_DO = "nothing to do"
REFUSED = Refused(reason=Reason.REFUSED, detail="not as it is", http_status=409)
NEXT = {
    Status.SCHEDULED: (Status.DISPATCHED, Status.DISPATCHED, Status.CANCELLED),
    Status.DISPATCHED: (Status.IN_PROGRESS, Status.SCHEDULED, Status.CANCELLED),
    Status.IN_PROGRESS: (Status.COMPLETED,),
    Status.COMPLETED: (),
    Status.CANCELLED: (Status.SCHEDULED,),
}
"""What people in ServiceTitan make of a job."""


@dataclass(slots=True)
class Upstream:
    """ServiceTitan's one job. `told` are the webhooks on their way; the share `lost` of them never comes."""

    random: Random
    lost: float
    now: datetime = NOW
    status: Status = Status.SCHEDULED
    modified_on: datetime = NOW
    told: list[Observed] = field(default_factory=list)
    twice: bool = False
    """It became two things at what is shown as the same time."""
    away: bool = False
    """Most writes are not answered, done or not."""
    by_us: bool = False
    """A write that asked for this made it what it is."""

    def becomes(self, status: Status, *, by_us: bool = False) -> None:
        self.status, self.by_us = status, by_us
        before, self.modified_on = self.modified_on, max(self.modified_on, self._shown())
        self.twice = self.modified_on == before
        if self.random.random() >= self.lost:
            self.told += [self.sight("webhook")] * self.random.choice((1, 1, 2))

    def sight(self, by: str) -> Observed:
        return Observed(job_id=JOB, status=self.status, at=self.modified_on, seen_by=by)

    def asked(self, ask: Ask) -> Outcome[Any]:
        """What a write comes to; one in twelve is not answered, done or not."""
        accepted: bool | datetime = True
        lost = self.random.random() / (9 if self.away else 1)
        if lost < 0.04:
            return Unsure(detail="time-out")
        match ask:
            case Cancel():
                accepted = self._set(Status.CANCELLED, unless={Status.COMPLETED})
            case Complete():
                accepted = self._set(Status.COMPLETED, unless={Status.CANCELLED})
            case PutBack(cancelled=True):
                accepted = self._set(Status.SCHEDULED, unless={Status.COMPLETED}, so=set(Status) - ENDED)
            case PutBack():
                accepted = self._set(Status.SCHEDULED, unless={Status.IN_PROGRESS, *ENDED})
            case Reschedule():
                accepted = self._set(Status.SCHEDULED, unless={Status.IN_PROGRESS, *ENDED}, by_us=False)
            case Dispatch(technician_ids=technicians):
                accepted = not technicians or self.status not in ENDED
            case Note():
                pass
            case _:
                raise TypeError(f"{ask} is no write of this walk")
        self.now += timedelta(milliseconds=self.random.choice((0, 3, 40)))
        if lost < 0.08:
            return Unsure(detail="time-out")
        if isinstance(accepted, bool):
            return Accepted(value=None, at=self.now.replace(microsecond=0)) if accepted else REFUSED
        return Accepted(value=None, at=accepted)

    def _set(
        self, status: Status, unless: set[Status], so: set[Status] | None = None, *, by_us: bool = True
    ) -> bool | datetime:
        """Whether it was done; since when, when it was so already."""
        if self.status in (so or {status}):
            return self.modified_on
        if self.status in unless:
            return False
        self.becomes(status, by_us=by_us)
        return True

    def _shown(self) -> datetime:
        cut = self.random.choice((1, 1, 1_000, 1_000_000))
        return self.now.replace(microsecond=self.now.microsecond // cut * cut)


class ToldLane(Lane):
    """A lane whose writes reach this upstream."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(Policy(business=load_business(), retry_delays=(5,)))
        self._upstream = upstream

    def _usual(self, ask: Ask) -> Any:  # noqa: ANN401 - each ask has its own
        if isinstance(ask, (Cancel, Complete, PutBack, Reschedule, Dispatch, Note)):
            return self._upstream.asked(ask)
        return super()._usual(ask)


def walk(random: Random, length: int, *, sweeps: bool) -> None:
    """Walk so many steps and look at the end. Raises ViolationError with what happened.

    Without sweeps no webhook is lost, and what they cannot tell apart is not looked at.
    """
    upstream = Upstream(random, lost=0.2 if sweeps else 0)
    lane = ToldLane(upstream)
    lane.event(created(0)).customer_is_found()
    trace: list[str] = []
    for offset in range(1, length):
        upstream.now += timedelta(microseconds=random.choice((0, 400, 90_000, 700_000, 5_000_000)))
        lane.now = upstream.now
        trace.append(_step(random, upstream, lane, offset, sweeps=sweeps))
        _check_so_already(upstream, lane, trace)
    upstream.away = False
    while upstream.told or lane.row.lane.phase is Phase.WAITING:
        upstream.now += timedelta(seconds=2)
        lane.now = upstream.now
        trace.append(_deliver(random, upstream, lane) if upstream.told else _timer(lane))
    if sweeps:
        trace.append(_sweep(upstream, lane))
    if sweeps or not _cannot_be_told(upstream, lane):
        _check(upstream, lane, trace)


def _cannot_be_told(upstream: Upstream, lane: ToldLane) -> bool:
    """Two changes at one time, or one in the second of a write of ours: only a sweep tells what is."""
    written = None if lane.row.job is None else lane.row.job.written_at
    return upstream.twice or (written is not None and upstream.modified_on < written + timedelta(seconds=1))


def _step(random: Random, upstream: Upstream, lane: ToldLane, offset: int, *, sweeps: bool) -> str:
    match random.choice(("office", "webhook", "webhook", "sweep", "event", "timer", "outage")):
        case "office" if NEXT[upstream.status]:
            upstream.becomes(random.choice(NEXT[upstream.status]))
            return f"the office makes it {upstream.status}"
        case "webhook" if upstream.told:
            return _deliver(random, upstream, lane)
        case "sweep" if sweeps:
            return _sweep(upstream, lane)
        case "event":
            word = random.choice((*Status, "moved", "gone"))
            event = {"moved": rescheduled, "gone": cancelled}.get(word)
            lane.event(event(offset) if event else status_changed(word, offset))
            return f"the booking is {word}: {lane.decisions[-1]}"
        case "timer" if lane.row.lane.phase is Phase.WAITING:
            return _timer(lane)
        case "outage":
            upstream.away = random.random() < 0.5
            return "ServiceTitan is away" if upstream.away else "ServiceTitan is there"
        case _:
            return "nothing"


def _timer(lane: ToldLane) -> str:
    lane.timer()
    return f"timer: {lane.decisions[-1]}"


def _deliver(random: Random, upstream: Upstream, lane: ToldLane) -> str:
    seen = upstream.told.pop(random.randrange(len(upstream.told)))
    lane.signal(seen)
    return f"a webhook tells {seen.status} at {seen.at:%S.%f}"


def _sweep(upstream: Upstream, lane: ToldLane) -> str:
    seen = upstream.sight("sweep")
    job = lane.row.job
    if job is not None and is_news(seen, job):
        lane.signal(seen)
        return f"the sweep tells {seen.status} at {seen.at:%S.%f}"
    return "the sweep finds nothing new"


def _check_so_already(upstream: Upstream, lane: ToldLane, trace: list[str]) -> None:
    wanted = lane.row.wants
    told = lane.decisions[-1:] == [NOTHING_TO_DO] and wanted in SETTABLE
    if told and upstream.by_us and upstream.status is not wanted and not upstream.twice:
        steps = "\n  ".join(trace)
        raise ViolationError(
            f"it is told to be {wanted} already, and we made it {upstream.status}:\n  {steps}"
        )


def _check(upstream: Upstream, lane: ToldLane, trace: list[str]) -> None:
    """What ServiceTitan says counts; only a note of ours may say more of a job that goes on."""
    job = lane.row.job
    if job is None or lane.row.booking_id != ID:
        raise ViolationError("there is no job")
    noted = job.status not in {upstream.status, *ENDED, Status.SCHEDULED} and upstream.status not in ENDED
    if job.reported is upstream.status and (job.status is upstream.status or noted):
        return
    told = "\n  ".join(trace)
    raise ViolationError(
        f"it is {upstream.status} since {upstream.modified_on}, and on record {job.status} "
        f"since {job.status_at}, reported {job.reported} at {job.reported_at}:\n  {told}"
    )
