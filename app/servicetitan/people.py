"""Customers and locations: what a customer's ask comes to in calls."""

from collections.abc import Iterable
from typing import Any

from app.booking.asks import (
    CreateCustomer,
    CreateLocation,
    CustomerOrder,
    CustomerSeen,
    FindCustomers,
    FindLocations,
    LocationSeen,
)
from app.booking.outcomes import Accepted, Outcome
from app.servicetitan import endpoints
from app.servicetitan.caller import Caller, Errand
from app.servicetitan.wire import Customer, Location

COUNTRY = "USA"


class People:
    """Asks about customers, one call each."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

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
        mine = (
            row for row in found.value.data if row.customer_id == ask.customer_id and row.active is not False
        )
        return Accepted(value=tuple(_location(row) for row in mine), at=found.at)

    async def create_customer(self, ask: CreateCustomer, errand: Errand) -> Outcome[CustomerSeen]:
        """The new customer with its location."""
        made = await self._caller.call(endpoints.CREATE_CUSTOMER, errand, body=_customer_body(ask.order))
        if not isinstance(made, Accepted):
            return made
        location = made.value.locations[0].id if made.value.locations else None
        return Accepted(value=_customer(made.value, location), at=made.at)

    async def create_location(self, ask: CreateLocation, errand: Errand) -> Outcome[LocationSeen]:
        """The new location."""
        order = ask.order
        body = {"customerId": ask.customer_id, "name": order.name, "address": _address(order)}
        made = await self._caller.call(endpoints.CREATE_LOCATION, errand, body=body)
        if not isinstance(made, Accepted):
            return made
        return Accepted(value=_location(made.value), at=made.at)


def national(phone: str) -> str:
    """The ten digits of a North American number, else all digits: what is stored and searched.

    Whether ServiceTitan's filter asks for equality, digits or a part is unconfirmed; the ten digits are
    found under each of the three when they are stored like this, and under two however they are stored.
    """
    digits = "".join(filter(str.isdecimal, phone))
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits


def still_there(rows: Iterable[Customer]) -> list[Customer]:
    """The customers that are active and not merged into another."""
    return [row for row in rows if row.active is not False and row.merged_to_id is None]


def _customer_body(order: CustomerOrder) -> dict[str, Any]:
    address = _address(order)
    return {
        "name": order.name,
        "type": "Residential",
        "address": address,
        "locations": [{"name": order.name, "address": address}],
        "contacts": [
            {"type": "Phone", "value": national(order.phone)},
            {"type": "Email", "value": order.email},
        ],
    }


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
    )


def _location(row: Location) -> LocationSeen:
    return LocationSeen(
        customer_id=row.customer_id,
        location_id=row.id,
        street=_street(row),
        zip=_zip(row),
    )
