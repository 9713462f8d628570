"""Customers and locations: what a customer's ask comes to in calls."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

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
from app.booking.matching import national
from app.booking.outcomes import Accepted, Outcome, Refused
from app.servicetitan import endpoints
from app.servicetitan.caller import Caller, Errand
from app.servicetitan.wire import Customer, Location

COUNTRY = "USA"


class People:
    """Asks about customers, one call each."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def perform(self, ask: CustomerAsk, errand: Errand) -> Outcome[Any]:
        """What one of these asks comes to; see the method of each."""
        match ask:
            case FindCustomers():
                return await self.find(ask, errand)
            case FindLocations():
                return await self.locations(ask, errand)
            case CreateCustomer():
                return await self.create_customer(ask, errand)
            case CreateLocation():
                return await self.create_location(ask, errand)
            case ReadCustomer():
                return await self.read(ask, errand)
            case ReadContacts():
                return await self.contacts(ask, errand)
            case AddContact():
                return await self.add_contact(ask, errand)

    async def find(self, ask: FindCustomers, errand: Errand) -> Outcome[tuple[CustomerSeen, ...]]:
        """The customers whose contacts have this phone, without their locations; merged ones are left out."""
        query = {"phone": national(ask.phone)}
        found = await self._caller.call(endpoints.LIST_CUSTOMERS, errand, query=query)
        if not isinstance(found, Accepted):
            return found
        return Accepted(value=tuple(_customer(row) for row in still_there(found.value.data)), at=found.at)

    async def locations(self, ask: FindLocations, errand: Errand) -> Outcome[tuple[LocationSeen, ...]]:
        """The active locations of a customer."""
        query = {"customerId": str(ask.customer_id)}
        found = await self._caller.call(endpoints.LIST_LOCATIONS, errand, query=query)
        if not isinstance(found, Accepted):
            return found
        rows = found.value.data
        mine = [row for row in rows if row.customer_id == ask.customer_id and row.active is not False]
        return Accepted(value=tuple(_location(row, ask.customer_id) for row in mine), at=found.at)

    async def create_customer(self, ask: CreateCustomer, errand: Errand) -> Outcome[CustomerSeen]:
        """The new customer with its location."""
        made = await self._caller.call(endpoints.CREATE_CUSTOMER, errand, body=_customer_body(ask.order))
        if not isinstance(made, Accepted):
            return made
        location = made.value.locations[0] if made.value.locations else None
        return Accepted(value=_customer(made.value, location), at=made.at)

    async def create_location(self, ask: CreateLocation, errand: Errand) -> Outcome[LocationSeen]:
        """The new location."""
        order = ask.order
        body = {"customerId": ask.customer_id, **_place(order)}
        made = await self._caller.call(endpoints.CREATE_LOCATION, errand, body=body)
        if not isinstance(made, Accepted):
            return made
        return Accepted(value=_location(made.value, ask.customer_id), at=made.at)

    async def read(self, ask: ReadCustomer, errand: Errand) -> Outcome[CustomerSeen | None]:
        """The customer as it is now, None when it is there no more."""
        read = await self._caller.call(endpoints.READ_CUSTOMER, errand, row=ask.customer_id)
        match read:
            case Accepted(value=row):
                there = still_there([row])
                return Accepted(value=_customer(there[0]) if there else None, at=read.at)
            case Refused(http_status=404):
                return Accepted(value=None, at=datetime.now(UTC))
            case _:
                return read

    async def contacts(self, ask: ReadContacts, errand: Errand) -> Outcome[tuple[ContactSeen, ...]]:
        """How the customer is reached; nothing of one that was made inactive, which is refused with 409."""
        read = await self._caller.call(endpoints.LIST_CONTACTS, errand, row=ask.customer_id)
        match read:
            case Accepted(value=page):
                rows = tuple(ContactSeen(kind=row.type or "", value=row.value or "") for row in page.data)
                return Accepted(value=rows, at=read.at)
            case Refused(http_status=404 | 409):
                return Accepted(value=(), at=datetime.now(UTC))
            case _:
                return read

    async def add_contact(self, ask: AddContact, errand: Errand) -> Outcome[None]:
        """One more contact."""
        body = {"type": ask.kind.value, "value": _contact_value(ask.kind, ask.value)}
        made = await self._caller.call(endpoints.CREATE_CONTACT, errand, row=ask.customer_id, body=body)
        return Accepted(value=None, at=made.at) if isinstance(made, Accepted) else made


def still_there(rows: Iterable[Customer]) -> list[Customer]:
    """The customers that are active and not merged into another."""
    return [row for row in rows if row.active is not False and row.merged_to_id is None]


def _customer_body(order: CustomerOrder) -> dict[str, Any]:
    """The customer, and the location with contacts of its own: each is reached by its own contacts only."""
    place = _place(order)
    return {**place, "type": "Residential", "locations": [place]}


def _place(order: CustomerOrder) -> dict[str, Any]:
    contacts = ((ContactKind.MOBILE, order.phone), (ContactKind.EMAIL, order.email))
    return {
        "name": order.name,
        "address": _address(order),
        "contacts": [{"type": kind.value, "value": _contact_value(kind, value)} for kind, value in contacts],
    }


def _contact_value(kind: ContactKind, value: str) -> str:
    return value if kind is ContactKind.EMAIL else national(value)


def _address(order: CustomerOrder) -> dict[str, str]:
    return {
        "street": order.street,
        "city": order.city,
        "state": order.state,
        "zip": order.zip,
        "country": COUNTRY,
    }


def _street(row: Customer | Location) -> str:
    return "" if row.address is None else row.address.street or ""


def _zip(row: Customer | Location) -> str:
    return "" if row.address is None else row.address.zip or ""


def _customer(row: Customer, location_id: int | None = None) -> CustomerSeen:
    return CustomerSeen(
        customer_id=row.id,
        name=row.name or "",
        street=_street(row),
        zip=_zip(row),
        location_id=location_id,
        do_not_service=row.do_not_service is True,
    )


def _location(row: Location, customer_id: int) -> LocationSeen:
    return LocationSeen(
        customer_id=customer_id,
        location_id=row.id,
        street=_street(row),
        zip=_zip(row),
    )
