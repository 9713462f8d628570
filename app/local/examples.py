"""Example bookings: made-up people of the Phoenix area, their doors, and the events about them.

Every value is drawn from the given source of randomness, so that a seed makes a run repeatable. Phone
numbers are of the range that is kept for examples (555-0100 to 555-0199), e-mail addresses of `example.com`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

import orjson

SOURCE = "/booking-system/demo"

Person: TypeAlias = Mapping[str, str]
"""Who books, and where the door is: those fields of a booking."""

_FIRST = (
    "Ana", "Ben", "Chloe", "Daniel", "Elena", "Frank", "Grace", "Henry", "Isabel", "Jack", "Karen", "Luis",
    "Maria", "Noah", "Olivia", "Paul", "Quinn", "Rosa", "Sam", "Teresa",
)  # fmt: skip
_LAST = (
    "Alvarez", "Begay", "Carter", "Diaz", "Evans", "Foster", "Garcia", "Hughes", "Ivanov", "Johnson", "Kim",
    "Lopez", "Martinez", "Nguyen", "O'Brien", "Patel", "Reyes", "Smith", "Tso", "Young",
)  # fmt: skip
_STREETS = (
    "W Camelback Rd", "E Indian School Rd", "N Central Ave", "E McDowell Rd", "N 7th St", "S Mill Ave",
    "E Main St", "N Hayden Rd", "W Thomas Rd", "E Shea Blvd",
)  # fmt: skip
_PLACES = (
    ("Phoenix", "85016"), ("Phoenix", "85004"), ("Scottsdale", "85251"), ("Scottsdale", "85258"),
    ("Mesa", "85201"), ("Mesa", "85210"), ("Tempe", "85281"), ("Glendale", "85301"), ("Peoria", "85345"),
)  # fmt: skip
_AREA_CODES = ("602", "480", "623")
SLOTS = ("8:00 AM - 10:00 AM", "10:00 AM - 12:00 PM", "12:00 PM - 2:00 PM", "2:00 PM - 4:00 PM")
_INSTRUCTIONS = (
    None,
    None,
    None,
    "Gate code 4417, the dog is friendly.",
    "Please call ten minutes ahead.",
    "Side door, the garage is behind the house.",
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A record for `booking-events`, as it is produced."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Examples:
    """Draws people, bookings and events."""

    def __init__(
        self, random: Random, now: datetime, problem_types: Iterable[str], slots: Sequence[str] = SLOTS
    ) -> None:
        self._random = random
        self._now = now
        self._problem_types = sorted(problem_types)
        self._slots = slots
        self._people = 0
        self.latest: Person | None = None

    def person(self) -> Person:
        """Somebody new: the house number is theirs alone, so no two are the same person."""
        draw = self._random
        self._people += 1
        first, last = draw.choice(_FIRST), draw.choice(_LAST)
        city, zip_code = draw.choice(_PLACES)
        self.latest = {
            "firstName": first,
            "lastName": last,
            "phone": f"({draw.choice(_AREA_CODES)}) 555-{100 + draw.randrange(100):04}",
            "email": f"{first}.{last}".replace("'", "").lower() + f"{self._people}@example.com",
            "address": f"{100 + self._people} {draw.choice(_STREETS)}",
            "city": city,
            "state": "AZ",
            "zip": zip_code,
        }
        return self.latest

    def booking(self, who: Person) -> dict[str, Any]:
        """The data of a `booking.created` by this person."""
        draw = self._random
        data: dict[str, Any] = {
            **who,
            "problemType": draw.choice(self._problem_types),
            **self.visit(),
            "doorCount": draw.choice((1, 1, 1, 2, 3)),
            "doorAge": draw.randrange(25),
            "isRenter": draw.random() < 0.2,
        }
        instructions = draw.choice(_INSTRUCTIONS)
        if instructions:
            data["specialInstructions"] = instructions
        return data

    def visit(self) -> dict[str, str]:
        """When: a date of the next four weeks, as booking forms write it, and a slot."""
        day = self._now + timedelta(days=self._random.randrange(1, 29))
        return {
            "scheduledDate": f"{day:%Y-%m-%d}T00:00:00Z",
            "timeSlot": self._random.choice(self._slots),
        }

    def event(self, kind: str, booking_id: str, data: Mapping[str, object]) -> Sent:
        """A booking event of the type `booking.{kind}`, under an id of its own."""
        document = {
            "specversion": "1.0",
            "id": str(UUID(int=self._random.getrandbits(128), version=4)),
            "source": SOURCE,
            "type": f"booking.{kind}",
            "subject": booking_id,
            "time": f"{self._now:%Y-%m-%dT%H:%M:%S}Z",
            "datacontenttype": "application/json",
            "data": data,
        }
        return Sent(
            key=booking_id.encode(),
            value=orjson.dumps(document),
            headers=(("content-type", b"application/cloudevents+json"),),
        )
