"""Webhooks that Kafka has: which booking each concerns, told to the booking's owner as `job.observed`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from app.booking.events import Unusable
from app.booking.inputs import Observed
from app.booking.reasons import Reason
from app.booking.record import Record
from app.servicetitan.watch import Away, Glimpse, Unshown
from app.servicetitan.webhooks import JobReport, NotAboutAJob, Unreadable, read_webhook
from app.stream import codec
from app.stream.message import Message
from app.telemetry import log
from app.telemetry.metric_list import WebhookResult
from app.view.view import View, ViewAway

_log = log.get_logger(__name__)

Report = Callable[[str, Observed], Awaitable[None]]
DeadLetter = Callable[[Unusable], Awaitable[None]]
Count = Callable[[WebhookResult], None]


class Jobs(Protocol):
    """Where a job that the view does not know is looked up."""

    async def job(self, job_id: int) -> Glimpse | None:
        """The job, or None. Raises Away, Unshown."""
        ...

    async def closer(self, glimpse: Glimpse) -> Glimpse:
        """The same with the status that its visit shows. Raises Away, Unshown."""
        ...


class Webhooks:
    """Reads `servicetitan-webhooks`.

    A job that ServiceTitan does not show is asked for again after each of `retry_delays` (seconds), then left
    to the sweep. `give_up` raises when a wait must end, since the partition goes.
    """

    def __init__(
        self,
        view: View,
        *,
        report: Report,
        dead_letter: DeadLetter,
        count: Count,
        give_up: Callable[[int], None],
        retry_delays: Sequence[int],
    ) -> None:
        self._view = view
        self._report = report
        self._dead_letter = dead_letter
        self._count = count
        self._give_up = give_up
        self._retry_delays = retry_delays

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
        delays = iter(self._retry_delays)
        while True:
            self._give_up(partition)
            try:
                return await self._tell(report, jobs)
            except (Away, ViewAway):
                delay = 1
            except Unshown as unshown:
                left = None if unshown.for_good else next(delays, None)
                if left is None:
                    return self._leave(report, unshown)
                delay = left
            await self._pause(partition, delay)

    async def _pause(self, partition: int, seconds: int) -> None:
        for _ in range(seconds):
            self._give_up(partition)
            await asyncio.sleep(1)

    def _leave(self, report: JobReport, unshown: Unshown) -> None:
        """The sweep lists jobs, which may be allowed where this one is refused, and reads what is so then."""
        _log.warning("a webhook is left to the sweep", job=report.job_id, why=str(unshown))
        self._count(WebhookResult.UNSHOWN)

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
