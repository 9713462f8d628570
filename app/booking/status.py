"""The five statuses a job goes through, and which may follow which (contract section 2)."""

from enum import StrEnum


class Status(StrEnum):
    """A job's status in the booking system's words."""

    SCHEDULED = "scheduled"
    DISPATCHED = "dispatched"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


MAY_BECOME: dict[Status, frozenset[Status]] = {
    Status.SCHEDULED: frozenset(
        {Status.DISPATCHED, Status.IN_PROGRESS, Status.COMPLETED, Status.CANCELLED},
    ),
    Status.DISPATCHED: frozenset(
        {Status.SCHEDULED, Status.IN_PROGRESS, Status.COMPLETED, Status.CANCELLED},
    ),
    Status.IN_PROGRESS: frozenset({Status.COMPLETED, Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.CANCELLED: frozenset({Status.SCHEDULED}),
}

MAY_BE_RESCHEDULED = frozenset({Status.SCHEDULED, Status.DISPATCHED})
ENDED = frozenset({Status.COMPLETED, Status.CANCELLED})

SETTABLE = frozenset({Status.SCHEDULED, Status.COMPLETED, Status.CANCELLED})
"""What ServiceTitan's jobs can be put into from outside. The other two are noted there, not reported back."""

# ServiceTitan's job statuses. A dispatched technician moves the job to InProgress at once; a hold is
# a visit not yet placed again.
FROM_UPSTREAM: dict[str, Status] = {
    "Scheduled": Status.SCHEDULED,
    "Hold": Status.SCHEDULED,
    "Dispatched": Status.DISPATCHED,
    "InProgress": Status.IN_PROGRESS,
    "Completed": Status.COMPLETED,
    "Canceled": Status.CANCELLED,
}
