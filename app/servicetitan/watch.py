"""What ServiceTitan shows of jobs, visits and technicians: for the sweep, and where a webhook is unclear."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import TypeVar

from app.booking.inputs import TechnicianSeen, VisitSeen
from app.booking.outcomes import Accepted, Busy, Failed, Refused, Unsure
from app.booking.status import FROM_UPSTREAM, Status
from app.servicetitan import endpoints
from app.servicetitan.caller import Caller, Errand
from app.servicetitan.endpoints import Endpoint
from app.servicetitan.gate import Gate
from app.servicetitan.jobs import BOOKING_KEY
from app.servicetitan.pace import Priority
from app.servicetitan.wire import (
    Appointment,
    ChangedAppointment,
    ChangedAssignment,
    ChangedJob,
    Job,
    Page,
    ours,
    print_instant,
)

ChangedRow = TypeVar("ChangedRow", ChangedJob, ChangedAppointment, ChangedAssignment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """A job as it was seen: `booking_id` is None when it carries none of ours, `status` when none we know."""

    job_id: int
    booking_id: str | None
    status: Status | None
    modified_on: datetime
    appointment_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitGlimpse:
    """A visit as it was seen."""

    job_id: int
    visit: VisitSeen
    modified_on: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentGlimpse:
    """Somebody who was put on a visit of this job, or taken off it."""

    job_id: int
    appointment_id: int
    technician: TechnicianSeen
    modified_on: datetime


class Away(Exception):  # noqa: N818 - it says what is the case
    """ServiceTitan cannot be asked just now, whatever the question; the text says why."""


class Unshown(Exception):  # noqa: N818 - it says what is the case
    """ServiceTitan was asked, and did not show this; `for_good` when it refused to."""

    def __init__(self, detail: str, *, for_good: bool) -> None:
        super().__init__(detail)
        self.for_good = for_good


class Watch:
    """Reads jobs at the lowest priority, without retries; nothing of it waits while calls are stopped."""

    def __init__(self, caller: Caller, gate: Gate, clock: Callable[[], float] = monotonic) -> None:
        self._caller = caller
        self._gate = gate
        self._clock = clock

    async def jobs_since(self, when: datetime) -> AsyncIterator[Glimpse]:
        """Every job that was modified at or after `when`, oldest modification first. Raises Away, Unshown."""
        async for row in self._modified_since(endpoints.CHANGED_JOBS, when):
            yield _glimpse(row, row.modified_on)

    async def visits_since(self, when: datetime) -> AsyncIterator[VisitGlimpse]:
        """Every visit that was modified at or after `when`, in the same order. Raises Away, Unshown."""
        async for row in self._modified_since(endpoints.CHANGED_APPOINTMENTS, when):
            visit = _visit(row, row.start, row.end)
            yield VisitGlimpse(job_id=row.job_id, visit=visit, modified_on=row.modified_on)

    async def assignments_since(self, when: datetime) -> AsyncIterator[AssignmentGlimpse]:
        """Everybody who was put on a visit or taken off it since. Raises Away, Unshown."""
        async for row in self._modified_since(endpoints.CHANGED_ASSIGNMENTS, when):
            name = row.technician_name or f"technician {row.technician_id}"
            yield AssignmentGlimpse(
                job_id=row.job_id,
                appointment_id=row.appointment_id,
                technician=TechnicianSeen(id=row.technician_id, name=name, assigned=row.active is not False),
                modified_on=row.modified_on,
            )

    async def job(self, job_id: int) -> Glimpse | None:
        """One job, None when ServiceTitan has none of this id. Raises Away, Unshown."""
        errand = await self._errand()
        answer = await self._caller.call(endpoints.READ_JOB, errand, row=job_id)
        match answer:
            case Accepted(value=row, at=at):
                return _glimpse(row, row.modified_on or at)
            case Refused(http_status=404):
                return None
            case Busy() | Failed() | Unsure() | Refused():
                raise self._missing(answer, errand)

    async def visit(self, appointment_id: int) -> tuple[VisitSeen, datetime] | None:
        """When a visit is, and since when; None without a visit or its times. Raises Away, Unshown."""
        errand = await self._errand()
        answer = await self._caller.call(endpoints.READ_APPOINTMENT, errand, row=appointment_id)
        match answer:
            case Accepted(value=row, at=at):
                if row.start is None or row.end is None:
                    return None
                return _visit(row, row.start, row.end), row.modified_on or at
            case Refused(http_status=404):
                return None
            case Busy() | Failed() | Unsure() | Refused():
                raise self._missing(answer, errand)

    async def _modified_since(
        self, endpoint: Endpoint[Page[ChangedRow]], when: datetime
    ) -> AsyncIterator[ChangedRow]:
        """Every row that was modified at or after `when`, oldest modification first.

        A row that is modified meanwhile comes once more at the end, and all behind it move up: so reading
        goes on from the last time that was seen, not with the next page.
        """
        page, seen = 1, set[int]()
        while True:
            asked = {"modifiedOnOrAfter": print_instant(when), "sort": "+ModifiedOn", "page": str(page)}
            errand = await self._errand()
            answer = await self._caller.call(endpoint, errand, query=asked)
            match answer:
                case Accepted(value=rows):
                    for row in rows.data:
                        if row.modified_on > when or row.id not in seen:
                            yield row
                    if not rows.has_more:
                        return
                    if not rows.data:
                        page += 1
                        continue
                    last = rows.data[-1].modified_on
                    page = 1 if last > when else page + 1
                    when, seen = last, {row.id for row in rows.data if row.modified_on == last}
                case Busy() | Failed() | Unsure() | Refused():
                    raise self._missing(answer, errand)

    async def closer(self, glimpse: Glimpse) -> Glimpse:
        """The same, dispatched told apart from in progress, as only its visit shows. Raises Away, Unshown."""
        if glimpse.status is not Status.IN_PROGRESS or glimpse.appointment_id is None:
            return glimpse
        errand = await self._errand()
        answer = await self._caller.call(endpoints.READ_APPOINTMENT, errand, row=glimpse.appointment_id)
        match answer:
            case Accepted(value=visit):
                on_the_way = visit.status == "Dispatched"
                return replace(glimpse, status=Status.DISPATCHED) if on_the_way else glimpse
            case Refused():
                return glimpse
            case Busy() | Failed() | Unsure():
                raise self._missing(answer, errand)

    async def _errand(self) -> Errand:
        """Leave to ask. A probe knocks with the cheapest read first: what it is for may fail by itself."""
        passage = self._gate.try_passage()
        if passage is None:
            raise Away(self._gate.snapshot().why)
        errand = Errand(priority=Priority.LOW, since=self._clock(), lane="watch", probing=passage.probing)
        try:
            if passage.probing:
                knock = await self._caller.ping(errand)
                if isinstance(knock, Busy | Failed | Unsure):
                    passage.failed(knock.detail)
                    raise Away(knock.detail)
                passage.answered()
        finally:
            passage.leave()
        return errand

    def _missing(self, answer: Busy | Failed | Unsure | Refused, errand: Errand) -> Away | Unshown:
        """What an answer without a value means: of what has just been knocked at, nothing is away."""
        match answer:
            case Refused(detail=detail):
                return Unshown(detail, for_good=True)
            case Failed(detail=detail) | Unsure(detail=detail) if errand.probing or not self._gate.is_open:
                return Unshown(detail, for_good=False)
            case Busy(detail=detail, http_status=401) if errand.probing:
                return Unshown(detail, for_good=False)
            case Busy(detail=detail) | Failed(detail=detail) | Unsure(detail=detail):
                return Away(detail)


def _visit(row: Appointment, start: datetime, end: datetime) -> VisitSeen:
    return VisitSeen(
        appointment_id=row.id,
        start=start,
        end=end,
        window_start=row.arrival_window_start,
        window_end=row.arrival_window_end,
    )


def _glimpse(row: Job, modified_on: datetime) -> Glimpse:
    return Glimpse(
        job_id=row.id,
        booking_id=ours(row.external_data, BOOKING_KEY),
        status=FROM_UPSTREAM.get(row.job_status or ""),
        modified_on=modified_on,
        appointment_id=row.first_appointment_id,
    )
