"""What nobody knows of a job: a write was sent that may have been done, and no answer told."""

from dataclasses import dataclass

from app.booking.asks import Ask, Cancel, Complete, CreateJob, Dispatch, FindJob, Note, PutBack, Reschedule
from app.booking.status import Status

MOST_TECHNICIANS = 100
"""A row must stay small whatever a producer sends: no visit has so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What the job may be instead of its status, and who may have been put on it."""

    statuses: tuple[Status, ...] = ()
    technicians: tuple[int, ...] = ()

    def joined(self, other: "Doubt") -> "Doubt":
        """Both doubts, each thing once; of technicians the latest hundred."""
        return Doubt(
            statuses=tuple(dict.fromkeys(self.statuses + other.statuses)),
            technicians=tuple(dict.fromkeys(self.technicians + other.technicians))[-MOST_TECHNICIANS:],
        )


NO_DOUBT = Doubt()


def doubt_of(ask: Ask) -> Doubt:
    """What is in doubt of the job while this is not answered: nothing when it sets no status."""
    match ask:
        case Cancel():
            return Doubt(statuses=(Status.CANCELLED,))
        case PutBack():
            return Doubt(statuses=(Status.SCHEDULED,))
        case Complete():
            return Doubt(statuses=(Status.COMPLETED,))
        case Dispatch() if ask.technician_ids:
            return Doubt(statuses=(Status.DISPATCHED,), technicians=ask.technician_ids)
        case Dispatch() | Note() | Reschedule() | CreateJob() | FindJob():
            return NO_DOUBT
