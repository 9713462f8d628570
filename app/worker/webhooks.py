"""Webhooks that Kafka has: which booking each concerns, told to the booking's owner as `job.observed`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from app.booking.events import Unusable
from app.booking.inputs import Observed
from app.booking.reasons import Reason
from app.booking.record import Record
from app.servicetitan.watch import Away, Glimpse
from app.servicetitan.webhooks import JobReport, NotAboutAJob, Unreadable, read_webhook
from app.stream import codec
from app.stream.message import Message
from app.telemetry.metric_list import WebhookResult
from app.view.view import View, ViewAway

_PAUSE_SECONDS = 1.0

Report = Callable[[str, Observed], Awaitable[None]]
DeadLetter = Callable[[Unusable], Awaitable[None]]
Count = Callable[[WebhookResult], None]


class Jobs(Protocol):
    """Where a job that the view does not know is looked up."""

    async def job(self, job_id: int) -> Glimpse | None:
        """The job, or None. Raises Away."""
        ...

    async def closer(self, glimpse: Glimpse) -> Glimpse:
        """The same with the status that its visit shows. Raises Away."""
        ...


class Webhooks:
    """Reads `servicetitan-webhooks`. `give_up` raises when a wait must end, since the partition goes."""

    def __init__(
        self,
        view: View,
        *,
        report: Report,
        dead_letter: DeadLetter,
        count: Count,
        give_up: Callable[[int], None],
    ) -> None:
        self._view = view
        self._report = report
        self._dead_letter = dead_letter
        self._count = count
        self._give_up = give_up

    async def on_webhook(self, message: Message, jobs: Jobs) -> None:
        """Tell the owner of the job's booking; jobs that are not ours are counted and left alone."""
        received = datetime.fromtimestamp(message.timestamp, UTC)
        read = read_webhook(message.value or b"", received)
        match read:
            case Unreadable():
                raw = codec.raw_event(message)
                await self._dead_letter(Unusable(reason=Reason.UNREADABLE, detail=read.detail, raw=raw))
            case NotAboutAJob():
                self._count(WebhookResult.NOT_OURS)
            case JobReport():
                await self._until_answered(message.partition, read, jobs)

    async def _until_answered(self, partition: int, report: JobReport, jobs: Jobs) -> None:
        """Wait in memory while the view or ServiceTitan cannot be asked: no attempt is spent on it."""
        while True:
            self._give_up(partition)
            try:
                await self._tell(report, jobs)
            except (Away, ViewAway):
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def _tell(self, report: JobReport, jobs: Jobs) -> None:
        seen = await self._view.booking_of_job(report.job_id)
        known = None if seen is None else seen.record
        glimpse = None
        if known is None or report.status is None:
            glimpse = await jobs.job(report.job_id)
        if report.status is None and glimpse is not None:
            glimpse = await jobs.closer(glimpse)
        booking_id = known.booking_id if known is not None else glimpse.booking_id if glimpse else None
        status = report.status or (glimpse.status if glimpse else None)
        if booking_id is None or status is None:
            self._count(WebhookResult.NOT_OURS)
            return
        observed = Observed(job_id=report.job_id, status=status, at=report.at, seen_by="webhook")
        await self._report(booking_id, observed)
        self._count(WebhookResult.DUPLICATE if _known(known, observed) else WebhookResult.OBSERVED)


def _known(record: Record | None, observed: Observed) -> bool:
    job = None if record is None else record.job
    return job is not None and job.reported is observed.status
