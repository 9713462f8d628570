"""Everything the simulated tenant holds, its indexes, and the log of effects."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any

from app.simulator.state.catalogue import Catalogue
from app.simulator.state.records import (
    AppointmentRow,
    AssignmentRow,
    BookingRow,
    CustomerRow,
    ExternalPairs,
    HistoryRow,
    JobRow,
    LocationRow,
)
from app.simulator.state.table import Index, Table, printed_precision
from app.simulator.tenant import Tenant

FIRST_ID = 1001


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(slots=True, frozen=True)
class Effect:
    """Something that became true: numbered from 1, in the order it happened.

    `origin` is who did it (`POST /jpm/v2/tenant/{tenant}/jobs`, `play dispatch`), `call` the number of the
    call, `booking` the job's external key `bookingId`.
    """

    number: int
    at: datetime
    kind: str
    origin: str
    call: int | None
    customer: int | None
    job: int | None
    booking: str | None
    detail: str


@dataclass(slots=True)
class Origin:
    """Who acts at the moment."""

    name: str = "simulator"
    call: int | None = None


class World:
    """The state of one simulated tenant.

    Ids come from one sequence for all entities, from 1001. The clock is read once per change and never runs
    backwards here, even when the wall clock does.
    """

    def __init__(
        self, tenant: Tenant, *, now: Callable[[], datetime] = utc_now, random: Random | None = None
    ) -> None:
        self.tenant = tenant
        self._now = now
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._ids: Iterator[int] = count(FIRST_ID)
        self.random = random or Random(0)  # noqa: S311 - a simulation has to be repeatable, not secret
        self.catalogue = Catalogue(tenant)
        self.customers: Table[CustomerRow] = Table()
        self.locations: Table[LocationRow] = Table()
        self.jobs: Table[JobRow] = Table()
        self.appointments: Table[AppointmentRow] = Table()
        self.assignments: Table[AssignmentRow] = Table()
        self.bookings: Table[BookingRow] = Table()
        self.customers_by_phone = Index()
        self.customers_by_external = Index()
        self.locations_by_external = Index()
        self.jobs_by_external = Index()
        self.jobs_by_customer = Index()
        self.jobs_by_technician = Index()
        self.first_of_ours = FIRST_ID
        """Rows with lower ids were there before the first call came."""
        self.effects: list[Effect] = []
        self.origin = Origin()

    def next_id(self) -> int:
        """The next id of the tenant's one sequence."""
        return next(self._ids)

    def now(self) -> datetime:
        """The time, never earlier than the last time asked."""
        self._latest = max(self._latest, self._now())
        return self._latest

    def stamp(self) -> datetime:
        """The time as a new row shows it."""
        return printed_precision(self.now())

    def note(
        self, kind: str, *, job: JobRow | None = None, customer: int | None = None, detail: str = ""
    ) -> None:
        """Write an effect into the log."""
        self.effects.append(
            Effect(
                number=len(self.effects) + 1,
                at=self.stamp(),
                kind=kind,
                origin=self.origin.name,
                call=self.origin.call,
                customer=job.customer_id if job else customer,
                job=job.id if job else None,
                booking=job.booking_key if job else None,
                detail=detail,
            )
        )

    def remember(self, job: JobRow, event_type: str, memo: str | None = None) -> None:
        """Add to a job's history, in the vendor's words (`Job Booked`)."""
        job.history.append(HistoryRow(self.next_id(), event_type, self.now(), memo))

    def is_strangers(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of an answer, or its job, was there before the first call came."""
        row_id = row.get("jobId", row.get("id"))
        return isinstance(row_id, int) and row_id < self.first_of_ours

    def appointments_of(self, job: JobRow) -> list[AppointmentRow]:
        """A job's appointments that were not deleted, earliest first."""
        rows = (self.appointments.rows[row_id] for row_id in job.appointment_ids)
        return sorted((row for row in rows if row.active), key=lambda row: (row.start, row.id))

    def assignments_of(self, appointment: AppointmentRow) -> list[AssignmentRow]:
        """The technicians assigned to an appointment now."""
        rows = (self.assignments.rows[row_id] for row_id in appointment.assignment_ids)
        return [row for row in rows if row.active]


def index_external(index: Index, row_id: int, pairs: ExternalPairs) -> None:
    """Make a row's external data findable."""
    for guid, items in pairs.items():
        for key, value in items:
            index.add((guid.lower(), key, value), row_id)


def unindex_external(index: Index, row_id: int, pairs: ExternalPairs) -> None:
    """Undo `index_external`."""
    for guid, items in pairs.items():
        for key, value in items:
            index.remove((guid.lower(), key, value), row_id)
