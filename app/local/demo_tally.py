"""What the demo sees happen, read from the topics: each booking's latest view, dead letters, counts. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.booking.reasons import Reason
from app.booking.record import State


@dataclass(frozen=True, slots=True)
class GaveUp:
    """All attempts at an event failed: what an operator would retry."""

    booking_id: str
    event_id: str


@dataclass(slots=True)
class Tally:
    """Grows with every record that is read."""

    events: int = 0
    """Booking events sent."""
    jobs: set[str] = field(default_factory=set)
    """Bookings whose job was announced."""
    retried: int = 0
    """Events that were set aside to be tried again."""
    dead_letters: int = 0
    announcements: int = 0
    by_operator: int = 0
    """Events retried by hand after all attempts failed."""
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest announcement's data of each booking."""
    dead: defaultdict[str, Counter[Reason]] = field(default_factory=lambda: defaultdict(Counter))
    """The reasons of each booking's dead letters; those of attempts used up are the operator's."""

    def announced(self, value: bytes) -> None:
        """A record of `servicetitan-jobs`; a lower sequence than one already read is old news."""
        self.announcements += 1
        event = orjson.loads(value)
        view: dict[str, Any] = event["data"]
        booking_id: str = view["bookingId"]
        known = self.views.get(booking_id)
        if event["type"] == "job.created":
            self.jobs.add(booking_id)
        if known is None or view["sequence"] >= known["sequence"]:
            self.views[booking_id] = view

    def dead_lettered(self, key: bytes, value: bytes, headers: Mapping[str, bytes]) -> GaveUp | None:
        """A record of the dead letter topic; what is to be retried by hand, if it is that."""
        self.dead_letters += 1
        booking_id = key.decode()
        reason = Reason(headers["x-reason"].decode())
        if reason is not Reason.RETRIES_USED_UP:
            self.dead[booking_id][reason] += 1
            return None
        self.by_operator += 1
        return GaveUp(booking_id, orjson.loads(value)["id"])

    def has_job(self, booking_id: str) -> bool:
        """Whether the booking's job was announced."""
        return booking_id in self.jobs

    def is_held(self, booking_id: str) -> bool:
        """Whether the booking is held by what it says; one that an operator retries is not."""
        view = self.views.get(booking_id)
        return (
            view is not None
            and view["state"] == State.HELD
            and view["problem"]["reason"] != Reason.RETRIES_USED_UP
        )

    @property
    def held(self) -> int:
        """How many bookings are held now."""
        return sum(view["state"] == State.HELD for view in self.views.values())
