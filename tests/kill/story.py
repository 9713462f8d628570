"""What happens to bookings in a trial: seeded stories, each event with the effect it must have."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from app.booking.identity import Identity
from app.booking.reasons import Reason

if TYPE_CHECKING:
    from random import Random

SOURCE = "/kill"
START = datetime(2027, 3, 1, 16, 0, tzinfo=UTC)
# Gaps between a booking's events (seconds), short ones to find its lane busy and long ones to find it idle.
GAPS = (0.0, 0.0, 0.02, 0.1, 0.4, 1.5, 4.0)
CANCELLED_AFTER = (0.0, 0.3, 3.0, 8.0, 15.0, 15.0)
TECHNICIANS = (501, 502, 503, 504, 505, 506, 507, 508)

Effect: TypeAlias = tuple[str, str]
"""An effect in ServiceTitan: its kind, and a detail that makes it the only one of its booking."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event. `effect` is what it must do upstream, `letter` the reason it must be dead-lettered for."""

    event_id: str
    type: str
    data: dict[str, Any]
    gap: float
    """Seconds since the booking's event before it."""
    effect: Effect | None = None
    letter: Reason | None = None
    again: bool = False
    """The same event once more: it must change nothing."""

    @property
    def digest(self) -> str:
        return Identity(source=SOURCE, id=self.event_id).digest()


@dataclass(frozen=True, slots=True)
class Story:
    """All events of one booking, in their order. `readable` is False for one whose bytes are no event."""

    booking_id: str
    person: int
    steps: tuple[Step, ...]
    readable: bool = True

    def value(self, step: Step) -> bytes:
        """The record's value."""
        if not self.readable:
            return b"{ this is no event"
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": step.event_id,
                "source": SOURCE,
                "type": step.type,
                "subject": self.booking_id,
                "time": START.isoformat(),
                "data": step.data,
            }
        )

    @property
    def cancels(self) -> bool:
        return any(step.effect == ("job.canceled", "") for step in self.steps)


@dataclass(slots=True)
class _Writer:
    """Writes one story."""

    random: Random
    booking_id: str
    person: int
    steps: list[Step] = field(default_factory=list)
    assigned: int = 0

    def add(
        self, type_: str, data: dict[str, Any], effect: Effect | None, letter: Reason | None = None
    ) -> None:
        gap = self.random.choice(CANCELLED_AFTER if effect == ("job.canceled", "") else GAPS)
        self.steps.append(Step(f"{self.booking_id}-{len(self.steps)}", type_, data, gap, effect, letter))

    def create(self) -> None:
        self.add("booking.created", booked(self.person), ("job.created", ""))

    def move(self, letter: Reason | None = None) -> None:
        start = START + timedelta(hours=len(self.steps) + 1)
        effect = None if letter else ("appointment.rescheduled", start.isoformat())
        self.add("booking.rescheduled", {"scheduledDate": start.isoformat()}, effect, letter)

    def assign(self) -> None:
        technician = TECHNICIANS[self.assigned]
        self.assigned += 1
        self.become("dispatched", ("technicians.assigned", str(technician)), technicianIds=[technician])

    def note(self, status: str) -> None:
        self.become(status, ("job.noted", f"{self.booking_id}-{len(self.steps)}"))

    def complete(self, letter: Reason | None = None) -> None:
        self.become("completed", None if letter else ("job.completed", ""), letter)

    def cancel(self) -> None:
        self.add("booking.cancelled", {}, ("job.canceled", ""))

    def put_back(self) -> None:
        self.become("scheduled", ("job.uncanceled", ""))

    def become(
        self, status: str, effect: Effect | None, letter: Reason | None = None, **more: object
    ) -> None:
        self.add("booking.status_changed", {"status": status, **more}, effect, letter)

    def repeat(self) -> None:
        """One of the events so far comes once more."""
        old = self.random.choice(self.steps)
        gap = self.random.choice(GAPS)
        self.steps.append(Step(old.event_id, old.type, old.data, gap, again=True))


def name_of(person: int) -> str:
    """The customer's name that this person has in ServiceTitan."""
    return f"Person Number{person}"


def booked(person: int) -> dict[str, Any]:
    """The data of a creation by this person."""
    return {
        "firstName": "Person",
        "lastName": f"Number{person}",
        "phone": f"602{2000000 + person}",
        "email": f"person{person}@example.com",
        "address": f"{person} Main Street",
        "city": "Phoenix",
        "state": "AZ",
        "zip": "85004",
        "problemType": "broken_spring",
        "scheduledDate": START.isoformat(),
    }


def write_stories(random: Random, bookings: int, *, prefix: str = "b", extras: bool = True) -> list[Story]:
    """Stories of `bookings` bookings; one in six is by a person who has booked before."""
    stories: list[Story] = []
    for number in range(bookings):
        repeated = stories and random.random() < 1 / 6
        person = random.choice(stories).person if repeated else number
        stories.append(_story(random, f"{prefix}{number}", person, extras=extras))
    return stories


def _story(random: Random, booking_id: str, person: int, *, extras: bool) -> Story:
    writer = _Writer(random, booking_id, person)
    kind = random.choices(
        ["made", "moved", "done", "cancelled", "noted", "back", "refused", "late", "unknown", "unreadable"],
        [10, 25, 15, 20, 15, 10, 3, 3, 2, 1] if extras else [10, 25, 15, 20, 15, 10, 0, 0, 0, 0],
    )[0]
    if kind == "unreadable":
        writer.add("booking.created", {}, None, Reason.UNREADABLE)
        return Story(booking_id, person, tuple(writer.steps), readable=False)
    if kind == "unknown":
        writer.move(Reason.UNKNOWN_BOOKING)
        return Story(booking_id, person, tuple(writer.steps))
    writer.create()
    _go_on(writer, kind)
    if random.random() < 0.25:
        writer.repeat()
    return Story(booking_id, person, tuple(writer.steps))


def _go_on(writer: _Writer, kind: str) -> None:
    match kind:
        case "moved":
            for _ in range(writer.random.randint(1, 4)):
                writer.move()
                if writer.random.random() < 0.1:
                    writer.repeat()
        case "done":
            writer.assign()
            writer.note("in_progress")
            writer.complete()
        case "cancelled":
            if writer.random.random() < 0.6:
                writer.move()
            writer.cancel()
        case "noted":
            writer.note("dispatched")
            writer.move()
            writer.note("in_progress")
            writer.cancel()
        case "back":
            writer.cancel()
            writer.put_back()
            writer.move()
        case "refused":
            writer.complete(Reason.NO_TECHNICIAN)
            writer.assign()
            writer.complete()
        case "late":
            writer.assign()
            writer.complete()
            writer.move(Reason.ILLEGAL_TRANSITION)
        case _:
            """Made, and nothing more."""
