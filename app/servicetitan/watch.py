"""What ServiceTitan shows of jobs: read for the sweep, and for webhooks of unknown jobs."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic

from app.booking.outcomes import Accepted, Busy, Failed, Refused, Unsure
from app.booking.status import FROM_UPSTREAM, Status
from app.servicetitan.caller import Errand
from app.servicetitan.client import Client
from app.servicetitan.jobs import BOOKING_KEY
from app.servicetitan.pace import Priority
from app.servicetitan.wire.dates import print_instant
from app.servicetitan.wire.jpm import AppointmentStatus, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """A job as it was seen; `booking_id` is None when it carries none of ours."""

    job_id: int
    booking_id: str | None
    status: Status
    modified_on: datetime
    appointment_id: int | None = None


class Away(Exception):  # noqa: N818 - it says what is the case
    """ServiceTitan did not answer the question; the text says how."""


class Watch:
    """Reads jobs at the lowest priority, without retries."""

    def __init__(self, client: Client, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock

    async def modified_since(self, when: datetime) -> AsyncIterator[Glimpse]:
        """Every job that was modified at or after `when`, oldest modification first. Raises Away."""
        page = 1
        while True:
            query = {"modifiedOnOrAfter": print_instant(when), "sort": "+ModifiedOn", "page": str(page)}
            answer = await self._client.list_jobs(self._errand(), query)
            match answer:
                case Accepted(value=rows):
                    for row in rows.data:
                        yield _glimpse(row)
                    if not (rows.has_more and rows.data):
                        return
                    page += 1
                case Busy() | Failed() | Unsure() | Refused():
                    raise Away(answer.detail)

    async def job(self, job_id: int) -> Glimpse | None:
        """One job, None when ServiceTitan has none of this id. Raises Away."""
        answer = await self._client.read_job(self._errand(), job_id)
        match answer:
            case Accepted(value=row):
                return _glimpse(row)
            case Refused(http_status=404):
                return None
            case Busy() | Failed() | Unsure() | Refused():
                raise Away(answer.detail)

    async def closer(self, glimpse: Glimpse) -> Glimpse:
        """The same, dispatched told apart from in progress, as only the job's visit shows. Raises Away."""
        if glimpse.status is not Status.IN_PROGRESS or glimpse.appointment_id is None:
            return glimpse
        answer = await self._client.read_appointment(self._errand(), glimpse.appointment_id)
        match answer:
            case Accepted(value=visit):
                on_the_way = visit.status is AppointmentStatus.DISPATCHED
                return replace(glimpse, status=Status.DISPATCHED) if on_the_way else glimpse
            case Refused():
                return glimpse
            case Busy() | Failed() | Unsure():
                raise Away(answer.detail)

    def _errand(self) -> Errand:
        return Errand(priority=Priority.LOW, since=self._clock(), lane="watch")


def _glimpse(row: Job) -> Glimpse:
    carried = (entry.value for entry in row.external_data or () if entry.key == BOOKING_KEY)
    return Glimpse(
        job_id=row.id,
        booking_id=next(carried, None),
        status=FROM_UPSTREAM[row.job_status.value],
        modified_on=row.modified_on,
        appointment_id=row.first_appointment_id,
    )
