"""Webhooks that Kafka has: which booking each concerns, told to the booking's owner as `job.observed`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from app.booking.events import Unusable
from app.booking.inputs import Observed, VisitSeen
from app.booking.reasons import Reason
from app.booking.record import Job
from app.booking.signals import is_news
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


class Visits(Protocol):
    """Where a job and its visit are looked at, when a webhook leaves open what became of them."""

    async def job(self, job_id: int) -> Glimpse | None:
        """The job, or None. Raises Away, Unshown."""
        ...

    async def visit(self, appointment_id: int) -> tuple[VisitSeen, datetime] | None:
        """When it is to be, and since when that is so; None without one. Raises Away, Unshown."""
        ...

    async def closer(self, glimpse: Glimpse) -> Glimpse:
        """The same with the status that its visit shows. Raises Away, Unshown."""
        ...


class Webhooks:
    """Reads `servicetitan-webhooks`.

    A job that no booking here has costs no call: most jobs of a tenant are none of ours. A visit that
    ServiceTitan does not show is asked for again after each of `retry_delays` (seconds), then left to the
    sweep. `give_up` raises when a wait must end, since the partition goes.
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
        tenant: int | None,
    ) -> None:
        self._view = view
        self._report = report
        self._dead_letter = dead_letter
        self._count = count
        self._give_up = give_up
        self._retry_delays = retry_delays
        self._tenant = tenant

    async def on_webhook(self, message: Message, visits: Visits) -> None:
        """Tell the owner of the job's booking; jobs that are not ours are counted and left alone."""
        received = datetime.fromtimestamp(message.timestamp, UTC)
        read = read_webhook(message.value or b"", received)
        match read:
            case Unreadable():
                raw = codec.raw_event(message)
                await self._dead_letter(Unusable(reason=Reason.UNREADABLE, detail=read.detail, raw=raw))
            case NotAboutAJob():
                self._count(WebhookResult.OTHER)
            case JobReport() if read.is_of_another(self._tenant):
                _log.warning("a webhook of another tenant", tenant=read.tenant, event_type=read.event)
                self._count(WebhookResult.NOT_OURS)
            case JobReport():
                await self._until_answered(message.partition, read, visits)

    async def _until_answered(self, partition: int, report: JobReport, visits: Visits) -> None:
        """Wait in memory while the view or ServiceTitan cannot be asked: no attempt is spent on it."""
        delays = iter(self._retry_delays)
        while True:
            self._give_up(partition)
            try:
                return await self._tell(partition, report, visits)
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

    async def _tell(self, partition: int, report: JobReport, visits: Visits) -> None:
        seen = await self._view.booking_of_job(report.job_id)
        if seen is None:
            # It may be a job that was made just now.
            await self._pause(partition, 1)
            seen = await self._view.booking_of_job(report.job_id)
        job = None if seen is None else seen.record.job
        if seen is None or job is None:
            self._count(WebhookResult.NOT_OURS)
            return
        observed = [_observed(report)]
        glimpse = await visits.job(job.id) if report.timeless else _glimpse(report, job)
        if glimpse is None:
            self._count(WebhookResult.NOT_OURS)
            return
        if report.timeless or (report.unclear and is_news(observed[0], job)):
            closer = await visits.closer(glimpse)
            observed = [replace(observed[0], status=closer.status, at=closer.modified_on)]
        if report.moved and report.appointment_id == job.appointment_id:
            moved = await visits.visit(job.appointment_id)
            observed += [] if moved is None else [_moved(report, *moved)]
        for each in observed:
            await self._report(seen.record.booking_id, each)
        news = any(is_news(each, job) for each in observed)
        self._count(WebhookResult.OBSERVED if news else WebhookResult.DUPLICATE)


def _observed(report: JobReport) -> Observed:
    return Observed(
        job_id=report.job_id,
        at=report.at,
        seen_by="webhook",
        status=report.status,
        # What is told of the job is so, whichever of its visits is named.
        appointment_id=None if report.visit is None else report.appointment_id,
        visit=report.visit,
        occurrence=f"{report.event}/{report.occurrence}",
    )


def _moved(report: JobReport, visit: VisitSeen, at: datetime) -> Observed:
    occurrence = f"{report.event}/{report.occurrence}/visit"
    return Observed(job_id=report.job_id, at=at, seen_by="webhook", visit=visit, occurrence=occurrence)


def _glimpse(report: JobReport, job: Job) -> Glimpse:
    return Glimpse(
        job_id=job.id,
        booking_id=None,
        status=report.status,
        modified_on=report.at,
        appointment_id=job.appointment_id,
    )
