"""One phone number's lane: finds or makes the customer and location that a booking asks for, once.

ServiceTitan accepts duplicate customers and cannot merge them, so one phone has one writer. As in `protocol`,
`resolve` is a generator of effects without I/O. The intent stands per phone, not per digest as the design
had it: a creation that may still be running blocks every other one of its phone, since two digests of one
phone may be one person typed differently.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import orjson
from pydantic import TypeAdapter

from app.booking.asks import (
    CreateCustomer,
    CreateLocation,
    CustomerAsk,
    CustomerOrder,
    CustomerSeen,
    FindCustomers,
    FindLocations,
    LocationSeen,
)
from app.booking.customers import order_digest
from app.booking.inputs import Intent
from app.booking.matching import same_address, same_name
from app.booking.outcomes import Accepted, Busy, Failed, Outcome, Refused, Unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRequest:
    """Which customer and location is this? `turn` is the asking lane's.

    `fresh` says that the answer known may be wrong: the customer may have been merged or removed since.
    """

    booking_id: str
    turn: int
    fresh: bool = False
    order: CustomerOrder
    trace_id: str | None = None

    @property
    def digest(self) -> str:
        """What ties the answer to the data asked about."""
        return order_digest(self.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRow:
    """A row of the table `customers`: the answer for one digest, or that nothing of it is under way."""

    customer_id: int | None
    location_id: int | None
    at: datetime
    generation: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answer: this customer, at this location."""

    customer_id: int
    location_id: int


@dataclass(frozen=True, slots=True)
class CallCustomer:
    """Ask ServiceTitan. Answered with the ask's Outcome."""

    ask: CustomerAsk


@dataclass(frozen=True, slots=True)
class IntendCustomer:
    """Write the phone's intent; answered once the broker has it."""

    digest: str


@dataclass(frozen=True, slots=True)
class SaveCustomer:
    """Write the digest's row; answered once the broker has it."""

    digest: str
    customer_id: int | None
    location_id: int | None


CustomerEffect: TypeAlias = CallCustomer | IntendCustomer | SaveCustomer
Unhappy: TypeAlias = Busy | Failed | Unsure | Refused
Steps: TypeAlias = Generator[CustomerEffect, Any, Known | Unhappy]


def is_open(intent: Intent | None, row_of_intent: CustomerRow | None) -> bool:
    """Whether the phone's last creation may still be running: no row has been written since its intent."""
    return intent is not None and (row_of_intent is None or row_of_intent.at < intent.at)


def after_row(now: datetime, row: CustomerRow | None) -> datetime:
    """When an intent is written: after its digest's last row, whatever the clocks of workers say."""
    return now if row is None else max(now, row.at + timedelta(microseconds=1))


def after_intent(now: datetime, intent: Intent | None) -> datetime:
    """When a row is written: not before the intent that it may answer, whatever the clocks of workers say."""
    return now if intent is None else max(now, intent.at)


def resolve(request: CustomerRequest, row: CustomerRow | None, *, under_way: bool) -> Steps:
    """Answer one request with one attempt.

    `row` is the digest's row. `under_way` says that an earlier creation of this phone may still be
    running: what is found is believed, but nothing is made before that has settled.
    """
    if row is not None and not request.fresh and row.customer_id is not None and row.location_id is not None:
        return Known(customer_id=row.customer_id, location_id=row.location_id)
    order = request.order
    found: Outcome[tuple[CustomerSeen, ...]] = yield CallCustomer(FindCustomers(phone=order.phone))
    if not isinstance(found, Accepted):
        return _unread(found, under_way=under_way)
    person = next((seen for seen in found.value if same_name(seen.name, order.name)), None)
    if person is None:
        return (yield from _make(request, CreateCustomer(order=order), under_way=under_way))
    known = person.customer_id
    places: Outcome[tuple[LocationSeen, ...]] = yield CallCustomer(FindLocations(customer_id=known))
    if not isinstance(places, Accepted):
        return _unread(places, under_way=under_way)
    place = next((seen for seen in places.value if _same_place(seen, order)), None)
    if place is None:
        make = CreateLocation(customer_id=known, order=order)
        return (yield from _make(request, make, under_way=under_way))
    yield SaveCustomer(request.digest, known, place.location_id)
    return Known(customer_id=known, location_id=place.location_id)


def _unread(outcome: Unhappy, *, under_way: bool) -> Unhappy:
    """What a look-up came to that found out nothing: one that had to be waited for anyway is no attempt."""
    return Busy(detail=outcome.detail) if under_way and isinstance(outcome, Failed) else outcome


def _make(request: CustomerRequest, make: CreateCustomer | CreateLocation, *, under_way: bool) -> Steps:
    if under_way:
        return Busy(detail="a customer of this phone may still be under way")
    yield IntendCustomer(request.digest)
    made: Outcome[CustomerSeen | LocationSeen] = yield CallCustomer(make)
    match made:
        case Accepted(value=seen) if seen.location_id is not None:
            yield SaveCustomer(request.digest, seen.customer_id, seen.location_id)
            return Known(customer_id=seen.customer_id, location_id=seen.location_id)
        case Accepted():
            return Unsure(detail="the customer was made, but its location was not told", http_status=200)
        case Unsure():
            return made
        case Busy() | Failed() | Refused():
            # Surely nothing is under way: the next attempt need not wait for anything to settle.
            yield SaveCustomer(request.digest, None, None)
            return made


def _same_place(seen: LocationSeen, order: CustomerOrder) -> bool:
    return same_address(seen.street, seen.zip, order.street, order.zip)


_REQUEST = TypeAdapter(CustomerRequest)
_ROW = TypeAdapter(CustomerRow)


def encode_request(request: CustomerRequest) -> dict[str, Any]:
    """A request as JSON data."""
    data: dict[str, Any] = _REQUEST.dump_python(request, mode="json")
    return data


def decode_request(data: object) -> CustomerRequest:
    """The request that JSON data says. Raises ValidationError when it is none."""
    return _REQUEST.validate_json(orjson.dumps(data))


def encode_row(row: CustomerRow) -> bytes:
    """A row as it is stored."""
    return _ROW.dump_json(row)


def decode_row(row: bytes) -> CustomerRow:
    """The row that was stored."""
    return _ROW.validate_json(row)
