"""Life in the office: dispatchers, technicians, and customers who call. By command, or on a schedule."""

import heapq
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from app.simulator.state import jobs, visits
from app.simulator.state.records import JobRow, Refusal
from app.simulator.state.world import World
from app.simulator.wire.jpm import AppointmentStatus, JobStatus, ReasonAndMemo, RescheduleAppointment

SECOND_THOUGHTS = 0.05


class Act(StrEnum):
    """What the vendor's own apps can do to a job."""

    ASSIGN = "assign"
    DISPATCH = "dispatch"
    WORK = "work"
    COMPLETE = "complete"
    RESCHEDULE = "reschedule"
    CANCEL = "cancel"
    HOLD = "hold"
    RESUME = "resume"


def play(world: World, job: JobRow, act: Act) -> Refusal | None:
    """Let the office or a technician act on a job; refused (400, 409) when its state does not allow."""
    world.origin.name, world.origin.call = f"play {act}", None
    match act:
        case Act.ASSIGN:
            return visits.play(world, job, "assign")
        case Act.DISPATCH:
            return visits.play(world, job, "dispatch")
        case Act.WORK:
            return visits.play(world, job, "work")
        case Act.COMPLETE:
            return visits.play(world, job, "complete")
        case Act.RESCHEDULE:
            return _reschedule(world, job)
        case Act.CANCEL:
            reason = world.random.choice(world.catalogue.cancel_reasons.in_order)
            return jobs.cancel_job(world, job, ReasonAndMemo(reason_id=reason.id, memo="By the office"))
        case Act.HOLD:
            reason = world.random.choice(world.catalogue.hold_reasons.in_order)
            return jobs.hold_job(world, job, ReasonAndMemo(reason_id=reason.id, memo="By the office"))
        case Act.RESUME:
            return _resume(world, job)


def next_act(world: World, job: JobRow) -> Act | None:
    """What comes next in a job's life; None when it has ended."""
    if job.status in jobs.ENDED:
        return None
    if job.status is JobStatus.HOLD:
        return Act.RESUME
    rows = world.appointments_of(job)
    if any(row.status is AppointmentStatus.WORKING for row in rows):
        return Act.COMPLETE
    if any(row.status is AppointmentStatus.DISPATCHED for row in rows):
        return Act.WORK
    assigned = any(row.status is AppointmentStatus.SCHEDULED and world.assignments_of(row) for row in rows)
    return Act.DISPATCH if assigned else Act.ASSIGN


class Life:
    """Plays jobs forward, a step each `seconds` or so; 0 is off. Jobs are found in the effects.

    With `bookings` only the jobs of bookings whose id looks so (`BK-*`); `second_thoughts` is the share of
    steps at which the office moves or cancels a visit.
    """

    def __init__(self, world: World, seconds: float) -> None:
        self.seconds = seconds
        self.bookings: str | None = None
        self.second_thoughts = SECOND_THOUGHTS
        self._world = world
        self._seen = 0
        self._due: list[tuple[float, int]] = []

    def step(self, now: float) -> int:
        """Do what is due at `now` (monotonic seconds); gives how many acts were done."""
        if self.seconds <= 0:
            return 0
        self._find(now)
        done = 0
        while self._due and self._due[0][0] <= now:
            _, job_id = heapq.heappop(self._due)
            job = self._world.jobs.rows[job_id]
            act = self._choose(job)
            if act is not None:
                done += play(self._world, job, act) is None
                self._plan(job_id, now)
        return done

    def _find(self, now: float) -> None:
        for effect in self._world.effects[self._seen :]:
            begins = effect.kind in ("job.created", "job.uncanceled") and self._touches(effect.booking)
            if begins and effect.job is not None:
                self._plan(effect.job, now)
        self._seen = len(self._world.effects)

    def _touches(self, booking: str | None) -> bool:
        return self.bookings is None or fnmatchcase(booking or "", self.bookings)

    def _plan(self, job_id: int, now: float) -> None:
        heapq.heappush(self._due, (now + self.seconds * self._world.random.uniform(0.5, 1.5), job_id))

    def _choose(self, job: JobRow) -> Act | None:
        act = next_act(self._world, job)
        if act in (Act.ASSIGN, Act.DISPATCH) and self._world.random.random() < self.second_thoughts:
            return self._world.random.choice((Act.RESCHEDULE, Act.RESCHEDULE, Act.CANCEL))
        return act


def _reschedule(world: World, job: JobRow) -> Refusal | None:
    """Move the first visit that can be moved by one to three days."""
    movable = (AppointmentStatus.SCHEDULED, AppointmentStatus.DISPATCHED, AppointmentStatus.HOLD)
    row = next((row for row in world.appointments_of(job) if row.status in movable and not row.unused), None)
    if row is None:
        return jobs.conflict("No visit can be moved.")
    by = timedelta(days=world.random.randint(1, 3))
    window_start, window_end = row.arrival_window_start, row.arrival_window_end
    moved = visits.reschedule(
        world,
        row,
        RescheduleAppointment(
            start=row.start + by,
            end=row.end + by,
            arrival_window_start=window_start + by if window_start else None,
            arrival_window_end=window_end + by if window_end else None,
        ),
    )
    return moved if isinstance(moved, Refusal) else None


def _resume(world: World, job: JobRow) -> Refusal | None:
    held = [row for row in world.appointments_of(job) if row.status is AppointmentStatus.HOLD]
    if not held:
        return jobs.conflict("No visit is on hold.")
    for row in held:
        visits.remove_hold(world, row)
    return None
