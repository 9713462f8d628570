"""The lane of one phone, tried in the same way: two requests, deaths anywhere, creations that land late.

Two requests of one phone carry one name, at one door or at two. Whatever happens, ServiceTitan must never
have two customers of that name and phone, nor one door twice, and each request must be answered in the end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from app.booking.asks import (
    AddContact,
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
from app.booking.customer_lane import (
    BELIEVED,
    CallCustomer,
    CustomerEffect,
    CustomerRequest,
    CustomerRow,
    IntendCustomer,
    Known,
    SaveCustomer,
    is_open,
    resolve,
    row_of,
)
from app.booking.inputs import Intent
from app.booking.matching import same_address
from app.booking.outcomes import Accepted, Failed, Unsure
from tests.model.lane import ViolationError
from tests.support.bookings import NOW, later

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

PHONE = "+16025550123"
LONG_AFTER = NOW + 2 * BELIEVED


def order(street: str, name: str = "Ada Lovelace") -> CustomerOrder:
    return CustomerOrder(
        name=name,
        phone=PHONE,
        email="ada@example.com",
        street=street,
        city="Phoenix",
        state="AZ",
        zip="85004",
    )


def request(number: int, street: str, name: str = "Ada Lovelace") -> CustomerRequest:
    return CustomerRequest(booking_id=f"booking-{number}", turn=1, order=order(street, name))


class Town(NamedTuple):
    """What outlives a crash. A customer is a name, a door is its number and its street."""

    rows: tuple[tuple[str, CustomerRow], ...] = ()
    intent: Intent | None = None
    customers: tuple[str, ...] = ()
    doors: tuple[tuple[int, str], ...] = ()
    late: tuple[CreateCustomer | CreateLocation, ...] = ()
    settling: bool = True
    next: int = 0
    tick: int = 0
    crashes: int = 0
    faults: int = 0


Create = CreateCustomer | CreateLocation


def _made(town: Town, ask: Create) -> Town:
    if isinstance(ask, CreateLocation):
        if town.customers[ask.customer_id - 1] != ask.order.name:
            raise ViolationError("a stranger gets somebody's door")
        return town._replace(doors=(*town.doors, (ask.customer_id, ask.order.street)))
    number = len(town.customers) + 1
    return town._replace(
        customers=(*town.customers, ask.order.name), doors=(*town.doors, (number, ask.order.street))
    )


def _landings(town: Town) -> Iterator[Town]:
    yield town
    for at, ask in enumerate(town.late):
        rest = town.late[:at] + town.late[at + 1 :]
        yield from _landings(_made(town._replace(late=rest), ask))


@dataclass(frozen=True, slots=True)
class PhoneRules:
    """Which worker is tried, as `Rules` of the booking's lane."""

    waits: bool = True
    intends: bool = True


def _works(town: Town, asked: CustomerRequest, rules: PhoneRules) -> Iterator[Town]:
    """Every way in which one request can be worked; acknowledged when it was answered for good."""
    row = dict(town.rows).get(asked.digest)
    of_intent = None if town.intent is None else dict(town.rows).get(town.intent.what)
    under_way = is_open(town.intent, of_intent)
    begins = [(town, under_way)]
    if under_way and town.settling:
        begins += [(over._replace(settling=False, late=()), False) for over in _landings(town)]
    for begun, running in begins:
        todo: list[tuple[datetime, tuple[Any, ...], Town]] = [(now, (), begun) for now in (NOW, LONG_AFTER)]
        while todo:
            now, answers, here = todo.pop()
            steps = resolve(asked, row, now=now, under_way=running and begun.settling and rules.waits)
            effect: CustomerEffect | None = None
            ended: object = None
            try:
                effect = next(steps)
                for answer in answers:
                    effect = steps.send(answer)
            except StopIteration as stop:
                effect, ended = None, stop.value
            if effect is None:
                if isinstance(ended, Known):
                    _check_known(here, asked, ended)
                    yield here._replace(next=here.next + 1)
                else:
                    yield here
                continue
            if here.crashes:
                yield from _deaths(here, effect)
            todo += [(now, (*answers, answer), after) for answer, after in _answers(here, effect, rules)]


def _deaths(town: Town, effect: CustomerEffect) -> Iterator[Town]:
    dead = town._replace(crashes=town.crashes - 1, settling=True)
    yield dead
    if isinstance(effect, CallCustomer) and isinstance(effect.ask, (CreateCustomer, CreateLocation)):
        yield _made(dead, effect.ask)
        yield dead._replace(late=(*dead.late, effect.ask))


def _answers(town: Town, effect: CustomerEffect, rules: PhoneRules) -> Iterator[tuple[Any, Town]]:
    tick = town.tick + 1
    match effect:
        case IntendCustomer(digest=digest):
            intent = Intent(turn=0, what=digest, at=later(tick))
            yield None, town._replace(intent=intent if rules.intends else None, tick=tick)
        case SaveCustomer(digest=digest, known=known):
            row = row_of(known, later(tick))
            rows = dict(town.rows) | {digest: row}
            yield None, town._replace(rows=tuple(sorted(rows.items(), key=lambda pair: pair[0])), tick=tick)
        case CallCustomer(ask=ask):
            for here in _landings(town):
                yield from _outcomes(here, ask)


def _outcomes(town: Town, ask: CustomerAsk) -> Iterator[tuple[Any, Town]]:
    unlucky = town._replace(faults=town.faults - 1)
    match ask:
        case FindCustomers():
            found = tuple(_customer(number, name) for number, name in enumerate(town.customers, 1))
            yield Accepted(value=found, at=NOW), town
            if town.faults:
                yield Failed(detail="away"), unlucky
        case FindLocations(customer_id=customer):
            places = tuple(
                LocationSeen(customer_id=owner, location_id=number, street=street, zip="85004")
                for number, (owner, street) in enumerate(town.doors, 1)
                if owner == customer
            )
            yield Accepted(value=places, at=NOW), town
        case ReadCustomer(customer_id=customer):
            yield Accepted(value=_customer(customer, town.customers[customer - 1]), at=NOW), town
        case ReadContacts():
            kinds = {"MobilePhone": PHONE, "Email": "ada@example.com"}
            contacts = tuple(ContactSeen(kind=kind, value=value) for kind, value in kinds.items())
            yield Accepted(value=contacts, at=NOW), town
        case AddContact():
            raise ViolationError("the customer has all contacts")
        case CreateCustomer() | CreateLocation():
            made = _made(town, ask)
            owner, street = made.doors[-1]
            place = LocationSeen(customer_id=owner, location_id=len(made.doors), street=street, zip="85004")
            seen = CustomerSeen(
                customer_id=owner,
                name=ask.order.name,
                street=street,
                zip="85004",
                location_id=place.location_id,
            )
            yield Accepted(value=seen if isinstance(ask, CreateCustomer) else place, at=NOW), made
            if town.faults:
                doubtful = unlucky._replace(settling=True)
                yield Failed(detail="refused"), unlucky
                yield Unsure(detail="lost"), doubtful
                yield Unsure(detail="lost"), made._replace(faults=unlucky.faults, settling=True)
                yield Unsure(detail="lost"), doubtful._replace(late=(*town.late, ask))


def _customer(number: int, name: str) -> CustomerSeen:
    return CustomerSeen(customer_id=number, name=name, street="", zip="85004")


def _check_known(town: Town, asked: CustomerRequest, known: Known) -> None:
    owner, street = town.doors[known.location_id - 1]
    there = same_address(street, "85004", asked.order.street, asked.order.zip)
    if owner != known.customer_id or not there:
        raise ViolationError("the answer is another door")
    if known.name != town.customers[owner - 1]:
        raise ViolationError("the answer is called otherwise")


def _check(town: Town) -> None:
    if len(set(town.customers)) < len(town.customers):
        raise ViolationError("one customer was made twice")
    if len(set(town.doors)) < len(town.doors):
        raise ViolationError("one door was made twice")


def explore_phone(
    requests: tuple[CustomerRequest, ...], *, crashes: int, faults: int, rules: PhoneRules | None = None
) -> int:
    """See every world that these requests of one phone can lead to; gives how many there are."""
    start = Town(crashes=crashes, faults=faults)
    seen = {start}
    ways: dict[Town, set[Town]] = {}
    todo = deque([start])
    while todo:
        town = todo.popleft()
        _check(town)
        reached = set()
        if town.next < len(requests):
            reached = {_canonical(way) for way in _works(town, requests[town.next], rules or PhoneRules())}
        elif town.late:
            reached = {over._replace(late=()) for over in _landings(town)}
        ways[town] = reached
        todo += [way for way in reached if way not in seen]
        seen |= reached
    _check_all_answered(ways, len(requests))
    return len(seen)


def _canonical(town: Town) -> Town:
    """Only which of two times is the later one counts: a row that answers its intent, or not."""
    intent = town.intent
    rows = tuple((digest, replace(row, at=later(_since(intent, row)))) for digest, row in town.rows)
    return town._replace(rows=rows, intent=intent and Intent(turn=0, what=intent.what, at=later(1)), tick=2)


def _since(intent: Intent | None, row: CustomerRow) -> int:
    return 2 if intent is None or row.at >= intent.at else 0


def _check_all_answered(ways: dict[Town, set[Town]], requests: int) -> None:
    comes_from: dict[Town, set[Town]] = {}
    for town, reached in ways.items():
        for way in reached:
            comes_from.setdefault(way, set()).add(town)
    good = {town for town in ways if town.next == requests and not town.late}
    todo = list(good)
    while todo:
        for before in comes_from.get(todo.pop(), set()) - good:
            good.add(before)
            todo.append(before)
    if set(ways) - good:
        raise ViolationError("a request is never answered")
