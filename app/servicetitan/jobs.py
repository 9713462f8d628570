"""Jobs: what a lane's ask comes to in calls.

All but a creation may be asked for again. `again` says that it may have been sent before: then the state is
read first, and what is so already is Accepted without a write. What ServiceTitan refuses with 400 or 409 is
Accepted, too, when it is so already.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from app.booking.asks import (
    Cancel,
    Complete,
    CreateJob,
    Dispatch,
    FindJob,
    JobOrder,
    JobSeen,
    Note,
    PutBack,
    Reschedule,
    Slot,
)
from app.booking.outcomes import Accepted, Failed, Outcome, Refused
from app.booking.reasons import Reason
from app.servicetitan import endpoints
from app.servicetitan.caller import Caller, Errand
from app.servicetitan.catalogue import Catalogue
from app.servicetitan.wire import Appointment, Job, Page, carries, ours, print_instant

BOOKING_KEY = "bookingId"
"""The key under which a job carries its booking's id in its external data."""
HOLD = "Hold"
CANCELED = "Canceled"
COMPLETED = "Completed"
_ENDED = frozenset({COMPLETED, CANCELED})
_VISIT_OVER = frozenset({"Done", CANCELED})

Said = TypeVar("Said")
Told = TypeVar("Told")


class Jobs:
    """Asks about jobs. Each method gives the outcome of the whole ask."""

    def __init__(self, caller: Caller, catalogue: Catalogue, *, application_guid: str) -> None:
        self._caller = caller
        self._catalogue = catalogue
        self._guid = application_guid

    async def find(self, ask: FindJob, errand: Errand) -> Outcome[tuple[JobSeen, ...]]:
        """The jobs that carry the booking's id, oldest first.

        Only rows that show the id are believed: a filter that is not known is ignored silently. The look-up
        by external data may show one job of two, or none: the customer's jobs of the time are looked through
        as well.
        """
        query = {"externalDataKey": BOOKING_KEY, "externalDataValues": ask.booking_id}
        found = await self._matching(ask.booking_id, query, errand)
        if ask.customer_id is None or not isinstance(found, Accepted):
            return found
        query = {"customerId": str(ask.customer_id)}
        if ask.created_on_or_after is not None:
            query["createdOnOrAfter"] = print_instant(ask.created_on_or_after)
        more = await self._matching(ask.booking_id, query, errand)
        if not isinstance(more, Accepted):
            return found if found.value else more
        return _told(found, lambda rows: _oldest_first((*rows, *more.value)))

    async def create(self, ask: CreateJob, errand: Errand) -> Outcome[JobSeen]:
        """The new job, with the booking's id in its external data."""
        body = await self._job_body(ask, errand)
        if not isinstance(body, Accepted):
            return body
        made = await self._caller.call(endpoints.CREATE_JOB, errand, body=body.value)
        if isinstance(made, Refused):
            self._catalogue.doubt()
        if not isinstance(made, Accepted):
            return made
        return _told(made, lambda row: _made(row, ask.order, made.at))

    async def reschedule(self, ask: Reschedule, errand: Errand, *, again: bool) -> Outcome[None]:
        """Move the visit."""
        slot = ask.slot

        async def move() -> Outcome[None]:
            moved = await self._caller.call(
                endpoints.RESCHEDULE_APPOINTMENT, errand, row=ask.appointment_id, body=_times(slot)
            )
            if not isinstance(moved, Accepted):
                return moved
            # To the microsecond, unlike the answer's Date: what the office does in that second is told apart.
            return Accepted(value=None, at=moved.value.modified_on or moved.at, http_status=moved.http_status)

        async def is_so() -> Outcome[bool]:
            read = await self._caller.call(endpoints.READ_APPOINTMENT, errand, row=ask.appointment_id)
            return _told(read, lambda visit: _is_at(visit, slot))

        return await _unless_so(move, is_so, again=again)

    async def cancel(self, ask: Cancel, errand: Errand, *, again: bool) -> Outcome[None]:
        """Cancel the job."""

        async def cancel() -> Outcome[None]:
            reason = await self._catalogue.cancel_reason(errand)
            if not isinstance(reason, Accepted):
                return reason
            body = {"reasonId": reason.value, "memo": ask.memo}
            cancelled = await self._caller.call(endpoints.CANCEL_JOB, errand, row=ask.job_id, body=body)
            if isinstance(cancelled, Refused):
                self._catalogue.doubt()
            return cancelled

        async def is_so() -> Outcome[bool]:
            read = await self._caller.call(endpoints.READ_JOB, errand, row=ask.job_id)
            if not isinstance(read, Accepted):
                return read
            # So since then, and not only since we looked: what came between counts as later.
            return Accepted(value=read.value.job_status == CANCELED, at=read.value.modified_on or read.at)

        return await _unless_so(cancel, is_so, again=again)

    async def put_back(self, ask: PutBack, errand: Errand, *, again: bool) -> Outcome[None]:
        """Make the job scheduled: without its cancellation, without hold and technicians."""
        if ask.cancelled:
            back = await self._uncancel(ask, errand, again=again)
            if not isinstance(back, Accepted) or not ask.assigned:
                return back
        released = await self._release(ask.appointment_id, errand)
        if not isinstance(released, Accepted):
            return released
        assigned = await self._assigned(ask.job_id, ask.appointment_id, errand)
        if not isinstance(assigned, Accepted):
            return assigned
        technicians = assigned.value & frozenset(ask.technician_ids or assigned.value)
        if not technicians:
            # So since the visit was looked at, and not only since now: what came between counts as later.
            return released
        body = {"jobAppointmentId": ask.appointment_id, "technicianIds": sorted(technicians)}

        async def is_so() -> Outcome[bool]:
            left = await self._assigned(ask.job_id, ask.appointment_id, errand)
            return _told(left, technicians.isdisjoint)

        # Who is on the visit has just been read.
        return await _unless_so(
            lambda: self._caller.call(endpoints.UNASSIGN, errand, body=body), is_so, again=False
        )

    async def dispatch(self, ask: Dispatch, errand: Errand, *, again: bool) -> Outcome[None]:
        """Assign the technicians, or write the note when none are named."""
        if not ask.technician_ids:
            return await self.note(Note(job_id=ask.job_id, text=ask.note), errand, again=again)
        body = {"jobAppointmentId": ask.appointment_id, "technicianIds": ask.technician_ids}

        async def assign() -> Outcome[None]:
            return _told(await self._caller.call(endpoints.ASSIGN, errand, body=body), _nothing)

        async def is_so() -> Outcome[bool]:
            there = await self._assigned(ask.job_id, ask.appointment_id, errand)
            if not isinstance(there, Accepted) or not there.value.issuperset(ask.technician_ids):
                return _told(there, lambda _: False)
            # Technicians stay on a visit that the office cancelled.
            visit = await self._caller.call(endpoints.READ_APPOINTMENT, errand, row=ask.appointment_id)
            return _told(visit, lambda row: row.status != CANCELED)

        return await _unless_so(assign, is_so, again=again)

    async def note(self, ask: Note, errand: Errand, *, again: bool) -> Outcome[None]:
        """Write the note. With `again` it is looked for first, since a note sent twice is there twice."""
        if again:
            notes = await self._caller.call(endpoints.LIST_NOTES, errand, row=ask.job_id)
            if not isinstance(notes, Accepted):
                return notes
            if any(row.text == ask.text for row in notes.value.data):
                return Accepted(value=None, at=notes.at)
        body = {"text": ask.text}
        written = await self._caller.call(endpoints.CREATE_NOTE, errand, row=ask.job_id, body=body)
        return _told(written, _nothing)

    async def complete(self, ask: Complete, errand: Errand, *, again: bool) -> Outcome[None]:
        """Complete the job; one that nobody is assigned to is refused as `no-technician`."""
        body = {"completedOn": print_instant(ask.completed_on)}
        status: str | None = None

        async def is_so() -> Outcome[bool]:
            nonlocal status
            read = await self._caller.call(endpoints.READ_JOB, errand, row=ask.job_id)
            if not isinstance(read, Accepted):
                return read
            status = read.value.job_status
            return Accepted(value=status == COMPLETED, at=read.value.modified_on or read.at)

        completed = await _unless_so(
            lambda: self._caller.call(endpoints.COMPLETE_JOB, errand, row=ask.job_id, body=body),
            is_so,
            again=again,
        )
        if isinstance(completed, Refused) and completed.http_status == 409 and status not in {None, CANCELED}:
            return Refused(reason=Reason.NO_TECHNICIAN, detail=completed.detail, http_status=409)
        return completed

    async def _matching(
        self, booking_id: str, query: dict[str, str], errand: Errand
    ) -> Outcome[tuple[JobSeen, ...]]:
        page = await self._caller.call(endpoints.LIST_JOBS, errand, query=query)
        if not isinstance(page, Accepted):
            return page
        if any(carries(row, BOOKING_KEY, booking_id) for row in page.value.left_out):
            # Taken for none, it would be made a second time.
            return Failed(
                detail=f"a job of booking {booking_id} cannot be read", http_status=page.http_status
            )
        found = _of_booking(page.value, booking_id, page.at)
        return Accepted(value=found, at=page.at, http_status=page.http_status)

    async def _job_body(self, ask: CreateJob, errand: Errand) -> Outcome[dict[str, Any]]:
        order = ask.order
        unit = await self._catalogue.business_unit(order.business_unit, errand)
        if not isinstance(unit, Accepted):
            return unit
        kind = await self._catalogue.job_type(order.job_type, errand)
        if not isinstance(kind, Accepted):
            return kind
        campaign = await self._catalogue.campaign(errand)
        if not isinstance(campaign, Accepted):
            return campaign
        tags = await self._catalogue.tags(order.tags, errand)
        if not isinstance(tags, Accepted):
            return tags
        entry = {"key": BOOKING_KEY, "value": order.booking_id}
        body: dict[str, Any] = {
            "customerId": order.customer_id,
            "locationId": order.location_id,
            "businessUnitId": unit.value,
            "jobTypeId": kind.value,
            "campaignId": campaign.value,
            "priority": order.priority.capitalize(),
            "summary": order.summary,
            "appointments": [_times(order.slot)],
            "externalData": {"applicationGuid": self._guid, "externalData": [entry]},
        }
        if tags.value:
            body["tagTypeIds"] = list(tags.value)
        return Accepted(value=body, at=campaign.at)

    async def _uncancel(self, ask: PutBack, errand: Errand, *, again: bool) -> Outcome[None]:
        on_hold = False

        async def is_so() -> Outcome[bool]:
            nonlocal on_hold
            read = await self._caller.call(endpoints.READ_JOB, errand, row=ask.job_id)
            if not isinstance(read, Accepted):
                return read
            on_hold = read.value.job_status == HOLD
            return Accepted(value=read.value.job_status not in _ENDED, at=read.value.modified_on or read.at)

        back = await _unless_so(
            lambda: self._caller.call(endpoints.REMOVE_CANCELLATION, errand, row=ask.job_id),
            is_so,
            again=again,
        )
        return await self._release(ask.appointment_id, errand) if on_hold else back

    async def _release(self, appointment_id: int, errand: Errand) -> Outcome[None]:
        """Take the visit off hold if it is on hold: most are not, so reading first costs fewer calls."""
        visit = await self._caller.call(endpoints.READ_APPOINTMENT, errand, row=appointment_id)
        if not isinstance(visit, Accepted):
            return visit
        if visit.value.status in _VISIT_OVER:
            # Nothing would be left to do, and the job is not scheduled for it.
            return Refused(reason=Reason.ILLEGAL_TRANSITION, detail=f"the visit is {visit.value.status}")
        if visit.value.status != HOLD:
            return _told(visit, _nothing)

        async def is_so() -> Outcome[bool]:
            read = await self._caller.call(endpoints.READ_APPOINTMENT, errand, row=appointment_id)
            return _told(read, lambda row: row.status not in {HOLD, *_VISIT_OVER})

        # The visit has just been read.
        return await _unless_so(
            lambda: self._caller.call(endpoints.REMOVE_HOLD, errand, row=appointment_id), is_so, again=False
        )

    async def _assigned(self, job_id: int, appointment_id: int, errand: Errand) -> Outcome[frozenset[int]]:
        query = {"jobId": str(job_id)}
        page = await self._caller.call(endpoints.LIST_ASSIGNMENTS, errand, query=query)
        return _told(
            page,
            lambda rows: frozenset(
                row.technician_id
                for row in rows.data
                if row.active is not False and row.job_id == job_id and row.appointment_id == appointment_id
            ),
        )


async def _unless_so(
    write: Callable[[], Awaitable[Outcome[None]]],
    is_so: Callable[[], Awaitable[Outcome[bool]]],
    *,
    again: bool,
) -> Outcome[None]:
    """Write, and read whether it is so already: first with `again`, else only when the write is refused."""
    if again:
        before = await is_so()
        if not isinstance(before, Accepted):
            return before
        if before.value:
            return Accepted(value=None, at=before.at)
    written = await write()
    if not isinstance(written, Refused) or written.http_status not in {400, 409}:
        return written
    after = await is_so()
    if not isinstance(after, Accepted):
        return after
    return Accepted(value=None, at=after.at) if after.value else written


def _told(outcome: Outcome[Said], read: Callable[[Said], Told]) -> Outcome[Told]:
    """The outcome with its value read in another way."""
    if isinstance(outcome, Accepted):
        return Accepted(value=read(outcome.value), at=outcome.at, http_status=outcome.http_status)
    return outcome


def _nothing(_: object) -> None:
    return None


def _is_at(visit: Appointment, slot: Slot) -> bool:
    """Whether the visit is there. Where no window was promised, the account may have set one of its own."""
    promised = (slot.window_start, slot.window_end)
    windows = (visit.arrival_window_start, visit.arrival_window_end)
    is_there = (visit.start, visit.end) == (slot.start, slot.end)
    return is_there and promised in {(None, None), windows}


def _times(slot: Slot) -> dict[str, str | None]:
    """When a visit is, as it is written; a null takes an arrival window away."""
    return {
        "start": print_instant(slot.start),
        "end": print_instant(slot.end),
        "arrivalWindowStart": None if slot.window_start is None else print_instant(slot.window_start),
        "arrivalWindowEnd": None if slot.window_end is None else print_instant(slot.window_end),
    }


def _of_booking(page: Page[Job], booking_id: str, at: datetime) -> tuple[JobSeen, ...]:
    carrying = (row for row in page.data if ours(row.external_data, BOOKING_KEY) == booking_id)
    return _oldest_first(_seen(row, at) for row in carrying)


def _oldest_first(seen: Iterable[JobSeen]) -> tuple[JobSeen, ...]:
    """Each job once, as it was seen last."""
    once = {job.job_id: job for job in seen}
    return tuple(sorted(once.values(), key=lambda job: (job.created_on, job.job_id)))


def _seen(row: Job, at: datetime) -> JobSeen:
    """The job as it was shown at that time of ServiceTitan's."""
    return JobSeen(
        job_id=row.id,
        job_number=row.job_number or str(row.id),
        customer_id=row.customer_id or 0,
        location_id=row.location_id or 0,
        # A job always has an appointment (the vendor's rule), so the 0 is never met.
        appointment_id=row.first_appointment_id or row.last_appointment_id or 0,
        status=row.job_status or "",
        created_on=row.created_on or row.modified_on or at,
        modified_on=row.modified_on or at,
    )


def _made(row: Job, order: JobOrder, at: datetime) -> JobSeen:
    """The job that was made; of what its answer does not tell, what was asked for."""
    made = _seen(row, at)
    return replace(
        made,
        customer_id=made.customer_id or order.customer_id,
        location_id=made.location_id or order.location_id,
        status=made.status or "Scheduled",
    )
