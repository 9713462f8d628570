"""The sweep: what webhooks missed is found by reading the jobs that ServiceTitan changed lately.

The owner of partition 0 does it. A difference becomes a `job.observed` signal, which the booking's owner
judges; nothing is ever called because of it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.booking.inputs import CLOCKS_DIFFER, Observed
from app.booking.record import State
from app.booking.signals import is_news
from app.booking.status import Status
from app.servicetitan.watch import AssignmentGlimpse, Away, Glimpse, Unshown, Watch
from app.telemetry import log
from app.view.view import View

OVERLAP = timedelta(minutes=15)
"""How far each sweep goes back behind the last one: the vendor's feeds lag that much."""
FIRST_LOOK = timedelta(days=1)
"""How far the first sweep after a start goes back at least."""
LONGEST_LOOK = timedelta(days=31)
"""How far any sweep goes back at most.

A job that nobody ends, or a visit that is never shown, would have each sweep read years."""

_log = log.get_logger(__name__)

_LISTS = frozenset({"jobs", "visits", "technicians"})

Report = Callable[[str, Observed], Awaitable[None]]


@dataclass(slots=True)
class SweepCounts:
    """Since the start: jobs read, differences told, jobs that no booking knows, second jobs of a booking.

    `unshown` are jobs whose visit could not be read, so that it is not known whether they differ.
    """

    read: int = 0
    differences: int = 0
    without_booking: int = 0
    second_jobs: int = 0
    unshown: int = 0


class Sweep:
    """One sweep after another. `report` sends a signal and returns when Kafka has it."""

    def __init__(self, view: View, report: Report, now: Callable[[], datetime]) -> None:
        self._view = view
        self._report = report
        self._now = now
        self._since: dict[str, datetime] = {}
        self.counts = SweepCounts()

    async def look(self, watch: Watch) -> int | None:
        """Read what changed since the last sweep here, others' or not; what is left out, the next one reads.

        Gives how many differences it told, None when anything was left out.
        """
        begun = self._now()
        read_before = self._since.keys() >= _LISTS
        first = begun if read_before else await self._first_since(begun)
        since = self._from("jobs", first, begun)
        before = replace(self.counts)
        try:
            async for glimpse in watch.jobs_since(since - OVERLAP):
                await self._compare(glimpse, watch)
                if self.counts.unshown == before.unshown:
                    self._since["jobs"] = max(since, min(glimpse.modified_on, begun))
            await self._compare_visits(self._from("visits", first, begun), watch)
            await self._compare_technicians(self._from("technicians", first, begun), watch)
        except (Away, Unshown) as why:
            _log.warning("the sweep was cut short", why=str(why))
            return None
        unshown = self.counts.unshown - before.unshown
        differences = self.counts.differences - before.differences
        counts = await self._view.counts()
        _log.info(
            "swept",
            read=self.counts.read - before.read,
            differences=differences,
            unshown=unshown,
            jobs_without_booking=self.counts.without_booking - before.without_booking,
            second_jobs=self.counts.second_jobs - before.second_jobs,
            bookings_without_job=counts.states.get(State.PENDING, 0) + counts.states.get(State.HELD, 0),
        )
        return None if unshown else differences

    async def _first_since(self, begun: datetime) -> datetime:
        """From when on a job that goes on may have changed and nobody here know."""
        await self._view.until_caught_up()
        known = await self._view.known_since() or begun
        return min(begun - FIRST_LOOK, known)

    def _from(self, what: str, first: datetime, begun: datetime) -> datetime:
        """Since when this list is to be read: from what ServiceTitan showed last, by its own time.

        By a clock ahead of it all changes are old.
        """
        since = self._since.setdefault(what, first)
        return min(max(since, begun - LONGEST_LOOK), begun)

    async def _compare_visits(self, since: datetime, watch: Watch) -> None:
        """What the office moved."""
        async for seen in watch.visits_since(since - OVERLAP):
            visit = seen.visit
            await self._tell(
                Observed(
                    job_id=seen.job_id,
                    at=self._no_later(seen.modified_on),
                    seen_by="sweep",
                    appointment_id=visit.appointment_id,
                    visit=visit,
                )
            )
            self._since["visits"] = max(since, seen.modified_on)

    async def _compare_technicians(self, since: datetime, watch: Watch) -> None:
        """Whom the office put on the visits of jobs of ours, and whom it took off them.

        Somebody who was taken off and put on again has a row of each: who is on a visit by one of them comes.
        """
        visits: dict[tuple[int, int], dict[int, AssignmentGlimpse]] = {}
        async for shown in watch.assignments_since(since - OVERLAP):
            of_visit = visits.setdefault((shown.job_id, shown.appointment_id), {})
            before = of_visit.get(shown.technician.id)
            if before is None or not before.technician.assigned:
                of_visit[shown.technician.id] = shown
        for (job_id, appointment_id), of_visit in visits.items():
            modified_on = max(each.modified_on for each in of_visit.values())
            await self._tell(
                Observed(
                    job_id=job_id,
                    at=self._no_later(modified_on),
                    seen_by="sweep",
                    appointment_id=appointment_id,
                    technicians=tuple(each.technician for each in of_visit.values()),
                )
            )
            self._since["technicians"] = max(self._since["technicians"], modified_on)

    async def _tell(self, observed: Observed) -> None:
        seen = await self._view.booking_of_job(observed.job_id)
        job = None if seen is None else seen.record.job
        if seen is None or job is None or not is_news(observed, job):
            return
        self.counts.differences += 1
        await self._report(seen.record.booking_id, observed)

    async def _compare(self, glimpse: Glimpse, watch: Watch) -> None:
        self.counts.read += 1
        seen = await self._view.booking_of_job(glimpse.job_id)
        job = None if seen is None else seen.record.job
        if seen is None or job is None:
            await self._unknown(glimpse)
            return
        observed = self._observed(glimpse)
        if observed is None:
            _log.warning("a job in a status that is not known", job=glimpse.job_id)
            return
        if not is_news(observed, job):
            return
        try:
            observed = self._observed(await watch.closer(glimpse)) or observed
        except Unshown as why:
            self.counts.unshown += 1
            _log.warning("a visit cannot be read", job=glimpse.job_id, why=str(why))
            return
        if not is_news(observed, job):
            return
        self.counts.differences += 1
        await self._report(seen.record.booking_id, observed)

    def _observed(self, glimpse: Glimpse) -> Observed | None:
        """What was seen, not later than now; None of a job in a status that is not known here."""
        if glimpse.status is None:
            return None
        at = self._no_later(glimpse.modified_on)
        return Observed(job_id=glimpse.job_id, status=glimpse.status, at=at, seen_by="sweep")

    def _no_later(self, at: datetime) -> datetime:
        """A time as ServiceTitan tells it; one that is still to come counts as now."""
        now = self._now()
        return now if at > now + CLOCKS_DIFFER else at

    async def _unknown(self, glimpse: Glimpse) -> None:
        """A job that no booking here has: not ours, or one made twice, or one whose booking is not done."""
        if glimpse.booking_id is None:
            return
        seen = await self._view.booking(glimpse.booking_id)
        if seen is not None and seen.record.job is None and seen.record.state is not State.CLOSED:
            return
        if seen is None:
            self.counts.without_booking += 1
            _log.warning("a job without a booking", job=glimpse.job_id, booking=glimpse.booking_id)
        elif glimpse.status is not Status.CANCELLED:
            self.counts.second_jobs += 1
            _log.error("second job of a booking", job=glimpse.job_id, booking=glimpse.booking_id)
