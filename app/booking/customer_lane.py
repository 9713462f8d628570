"""One phone number's lane: finds or makes the customer and location that a booking asks for, once.

ServiceTitan accepts duplicate customers and cannot merge them, so one phone has one writer. As in `protocol`,
`resolve` is a generator of effects without I/O. The intent stands per phone, not per digest as the design
had it: a creation that may still be running blocks every other one of its phone, since two digests of one
phone may be one person typed differently.

Who is who is judged as a dispatcher would: one phone at one door is one customer, whatever the first name;
one phone and one name at another door is another location of that customer; another name at another door is
somebody else.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import orjson
from pydantic import TypeAdapter

from app.booking.asks import (
    AddContact,
    ContactKind,
    ContactSeen,
    CreateCustomer,
    CreateLocation,
    CustomerAsk,
    CustomerOrder,
    CustomerSeen,
    FindCustomers,
    FindLocations,
    LocationSeen,
    ReadContacts,
    ReadCustomer,
)
from app.booking.customers import order_digest
from app.booking.inputs import Intent
from app.booking.matching import same_address, same_name, same_phone
from app.booking.outcomes import Accepted, Busy, Failed, Outcome, Refused, Unsure
from app.booking.reasons import Reason

BELIEVED = timedelta(minutes=5)
"""How long an answer counts without a look: a customer may be merged, or marked as not to be served."""
MOST_LOOKED_AT = 5
"""How many customers of one phone are looked at: a call each, and more than that is no family."""


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
    """A row of the table `customers`: the answer for one digest, or that nothing of it is under way.

    `name` is the customer's in ServiceTitan, which need not be the one that the booking gives.
    """

    customer_id: int | None
    location_id: int | None
    at: datetime
    name: str = ""
    generation: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answer: this customer, at this location. `name` is the customer's in ServiceTitan."""

    customer_id: int
    location_id: int
    name: str = ""


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
    known: Known | None


CustomerEffect: TypeAlias = CallCustomer | IntendCustomer | SaveCustomer
Unhappy: TypeAlias = Busy | Failed | Unsure | Refused
Steps: TypeAlias = Generator[CustomerEffect, Any, Known | Unhappy]


def row_of(known: Known | None, at: datetime) -> CustomerRow:
    """The row that keeps an answer, or that nothing is under way."""
    if known is None:
        return CustomerRow(customer_id=None, location_id=None, at=at)
    return CustomerRow(customer_id=known.customer_id, location_id=known.location_id, name=known.name, at=at)


def is_open(intent: Intent | None, row_of_intent: CustomerRow | None) -> bool:
    """Whether the phone's last creation may still be running: no row has been written since its intent."""
    return intent is not None and (row_of_intent is None or row_of_intent.at < intent.at)


def after_row(now: datetime, row: CustomerRow | None) -> datetime:
    """When an intent is written: after its digest's last row, whatever the clocks of workers say."""
    return now if row is None else max(now, row.at + timedelta(microseconds=1))


def after_intent(now: datetime, intent: Intent | None) -> datetime:
    """When a row is written: not before the intent that it may answer, whatever the clocks of workers say."""
    return now if intent is None else max(now, intent.at)


def resolve(
    request: CustomerRequest,
    row: CustomerRow | None,
    *,
    now: datetime,
    under_way: bool,
    by_name: bool = False,
) -> Steps:
    """Answer one request with one attempt.

    `row` is the digest's row. `under_way` says that an earlier creation of this phone may still be
    running: what is found is believed, but nothing is made before that has settled. With `by_name` only
    somebody of the same name is the same customer.
    """
    if row is not None and not request.fresh and row.customer_id is not None and row.location_id is not None:
        known = Known(customer_id=row.customer_id, location_id=row.location_id, name=row.name)
        if now - row.at < BELIEVED:
            return known
        still = yield from _still(request, known, under_way=under_way)
        if still is not None:
            return still
    order = request.order
    found: Outcome[tuple[CustomerSeen, ...]] = yield CallCustomer(FindCustomers(phone=order.phone))
    if not isinstance(found, Accepted):
        return _unread(found, under_way=under_way)
    candidates = _likeliest_first(found.value, order, by_name=by_name)
    for person in candidates:
        look = FindLocations(customer_id=person.customer_id)
        places: Outcome[tuple[LocationSeen, ...]] = yield CallCustomer(look)
        if not isinstance(places, Accepted):
            return _unread(places, under_way=under_way)
        place = next((seen for seen in places.value if _same_place(seen, order)), None)
        if place is not None:
            answer = yield from _use(request, person, place.location_id, under_way=under_way)
            if answer is not None:
                return answer
    for person in candidates:
        if same_name(person.name, order.name):
            answer = yield from _use(request, person, None, under_way=under_way)
            if answer is not None:
                return answer
    return (yield from _make(request, CreateCustomer(order=order), under_way=under_way))


def _still(
    request: CustomerRequest, known: Known, *, under_way: bool
) -> Generator[CustomerEffect, Any, Known | Unhappy | None]:
    """The answer that is known, if it still holds; None when the customer is there no more."""
    read: Outcome[CustomerSeen | None] = yield CallCustomer(ReadCustomer(customer_id=known.customer_id))
    if not isinstance(read, Accepted):
        return _unread(read, under_way=under_way)
    if read.value is None:
        return None
    if read.value.do_not_service:
        return _not_served(read.value)
    yield SaveCustomer(request.digest, known)
    return known


def _use(
    request: CustomerRequest, person: CustomerSeen, location_id: int | None, *, under_way: bool
) -> Generator[CustomerEffect, Any, Known | Unhappy | None]:
    """This customer as the answer, with one more location when none is given.

    None when it has not got this phone after all: ServiceTitan ignores a filter silently that it does not
    know, and then shows strangers.
    """
    order = request.order
    read: Outcome[tuple[ContactSeen, ...]] = yield CallCustomer(ReadContacts(customer_id=person.customer_id))
    if not isinstance(read, Accepted):
        return _unread(read, under_way=under_way)
    if not any(same_phone(contact.value, order.phone) for contact in read.value):
        return None
    if person.do_not_service:
        return _not_served(person)
    if location_id is None:
        # Its contacts are copied to the customer by ServiceTitan.
        make = CreateLocation(customer_id=person.customer_id, order=order)
        return (yield from _make(request, make, under_way=under_way, name=person.name))
    answer = Known(customer_id=person.customer_id, location_id=location_id, name=person.name)
    yield SaveCustomer(request.digest, answer)
    for missing in _missing(person.customer_id, read.value, order):
        # Good to have, and worth no booking: what it comes to is in the metrics of calls.
        yield CallCustomer(missing)
    return answer


def _missing(
    customer_id: int, contacts: tuple[ContactSeen, ...], order: CustomerOrder
) -> tuple[AddContact, ...]:
    """The e-mail and the mobile of the booking, as far as the customer has not got them.

    A number that somebody types into a booking form is where the confirmation is to go: a mobile.
    """
    values = {contact.value.strip().casefold() for contact in contacts}
    missing: list[AddContact] = []
    if order.email.casefold() not in values:
        missing.append(AddContact(customer_id=customer_id, kind=ContactKind.EMAIL, value=order.email))
    if not any(contact.kind == ContactKind.MOBILE for contact in contacts):
        missing.append(AddContact(customer_id=customer_id, kind=ContactKind.MOBILE, value=order.phone))
    return tuple(missing)


def _likeliest_first(
    found: tuple[CustomerSeen, ...], order: CustomerOrder, *, by_name: bool
) -> tuple[CustomerSeen, ...]:
    """Who may be the customer: first those whose own address is the door, of them those of the same name."""

    def unlikeliness(seen: CustomerSeen) -> tuple[bool, bool]:
        lives_there = same_address(seen.street, seen.zip, order.street, order.zip)
        return not lives_there, not same_name(seen.name, order.name)

    may_be = [seen for seen in found if not by_name or same_name(seen.name, order.name)]
    return tuple(sorted(may_be, key=unlikeliness)[:MOST_LOOKED_AT])


def _not_served(person: CustomerSeen) -> Refused:
    return Refused(
        reason=Reason.DO_NOT_SERVICE,
        detail=f"customer {person.customer_id} is marked as not to be served in ServiceTitan",
    )


def _unread(outcome: Unhappy, *, under_way: bool) -> Unhappy:
    """What a look-up came to that found out nothing: one that had to be waited for anyway is no attempt."""
    return Busy(detail=outcome.detail) if under_way and isinstance(outcome, Failed) else outcome


def _make(
    request: CustomerRequest, make: CreateCustomer | CreateLocation, *, under_way: bool, name: str = ""
) -> Steps:
    if under_way:
        return Busy(detail="a customer of this phone may still be under way")
    yield IntendCustomer(request.digest)
    made: Outcome[CustomerSeen | LocationSeen] = yield CallCustomer(make)
    match made:
        case Accepted(value=seen) if seen.location_id is not None:
            called = seen.name if isinstance(seen, CustomerSeen) else name
            known = Known(customer_id=seen.customer_id, location_id=seen.location_id, name=called)
            yield SaveCustomer(request.digest, known)
            return known
        case Accepted():
            return Unsure(detail="the customer was made, but its location was not told", http_status=200)
        case Unsure():
            return made
        case Busy() | Failed() | Refused():
            # Surely nothing is under way: the next attempt need not wait for anything to settle.
            yield SaveCustomer(request.digest, None)
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
