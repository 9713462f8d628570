"""`crm`: customers, contacts, locations, bookings."""

from collections.abc import Iterable
from functools import partial

from app.simulator import views
from app.simulator.call import Answer, Call, Route, answer, done, empty, found, page, read, refuse
from app.simulator.query import Filters, Query, page_of
from app.simulator.state import people
from app.simulator.state.people import phone_key
from app.simulator.state.records import (
    BookingRow,
    ContactRow,
    CustomerRow,
    LocationRow,
)
from app.simulator.state.table import Index
from app.simulator.state.world import World
from app.simulator.wire import crm as wire
from app.simulator.wire.envelope import Page

_ADDRESS_PARTS = ("street", "unit", "city", "state", "zip", "country")
_FULL_PHONE = 10


def create_customer(world: World, call: Call) -> Answer:
    """POST /customers."""
    row = done(people.create_customer(world, read(call, wire.CreateCustomer)))
    return answer(views.created_customer(world, row, call.guid))


def get_customer(world: World, call: Call) -> Answer:
    """GET /customers/{id}."""
    return answer(views.customer(_customer(world, call), call.guid))


def list_customers(world: World, call: Call) -> Answer:
    """GET /customers: by ids, external data or phone without scanning."""
    query = call.query
    filters = Filters[CustomerRow](query)
    filters.equal(query.active(), lambda row: row.active)
    filters.contains("name", lambda row: row.name)
    _address_filters(query, filters)
    filters.window("created", lambda row: row.created_on)
    since = filters.window("modified", lambda row: row.modified_on)
    ids = query.ids("ids")
    external = external_ids(query, world.customers_by_external)
    phone = query.text("phone")
    if phone is not None and len(phone_key(phone)) < _FULL_PHONE:
        filters.add(lambda row: _has_phone_like(row, phone))

    def candidates() -> Iterable[CustomerRow]:
        rows = world.customers.rows
        if ids is not None:
            filters.among(external, lambda row: row.id)
            return (rows[row_id] for row_id in sorted(set(ids)) if row_id in rows)
        if external is not None:
            return (rows[row_id] for row_id in external)
        if phone is not None and len(phone_key(phone)) == _FULL_PHONE:
            return (rows[row_id] for row_id in world.customers_by_phone.get(phone_key(phone)))
        if since is not None:
            return sorted(world.customers.changed_since(since), key=lambda row: row.id)
        return world.customers.in_order

    if ids is not None and phone is not None:
        filters.add(lambda row: _has_phone_like(row, phone))
    return page(
        page_of(query, filters, candidates),
        Page[wire.Customer],
        lambda row: views.customer(row, call.guid),
    )


def patch_customer(world: World, call: Call) -> Answer:
    """PATCH /customers/{id}."""
    row = _customer(world, call)
    changed = done(people.patch_customer(world, row, read(call, wire.PatchCustomer)))
    return answer(views.customer(changed, call.guid))


def list_contacts(world: World, call: Call) -> Answer:
    """GET /customers/{id}/contacts: 409 for an inactive customer."""
    row = _customer(world, call)
    if not row.active:
        return refuse(people.inactive(row))
    filters = Filters[ContactRow](call.query)
    filters.window("created", lambda contact: contact.created_on)
    filters.window("modified", lambda contact: contact.modified_on)
    return page(page_of(call.query, filters, lambda: row.contacts), Page[wire.Contact], views.contact)


def create_contact(world: World, call: Call) -> Answer:
    """POST /customers/{id}/contacts."""
    contact = done(people.create_contact(world, _customer(world, call), read(call, wire.ContactRequest)))
    return answer(views.contact(contact))


def list_all_contacts(world: World, call: Call) -> Answer:
    """GET /customers/contacts: of the customers named, or of a stretch of modification time."""
    query = call.query
    ids = query.ids("customerIds")
    filters = Filters[ContactRow](query)
    filters.window("created", lambda row: row.created_on)
    filters.window("modified", lambda row: row.modified_on)
    if ids is None and not (query.text("modifiedOnOrAfter") or query.text("modifiedBefore")):
        query.refuse("customerIds", "customerIds or a modified date is required.")
    rows = world.customers.rows
    wanted = ids if ids is not None else tuple(rows)
    owners = {
        contact.id: customer.id
        for customer in (rows[row_id] for row_id in wanted if row_id in rows)
        for contact in customer.contacts
    }
    contacts = [contact for row_id in wanted if row_id in rows for contact in rows[row_id].contacts]
    return page(
        page_of(query, filters, lambda: sorted(contacts, key=lambda row: row.id)),
        Page[wire.CustomerContact],
        lambda row: views.customer_contact(owners[row.id], row),
    )


def create_location(world: World, call: Call) -> Answer:
    """POST /locations: 409 for an unknown customer."""
    row = done(people.create_location(world, read(call, wire.CreateLocation)))
    return answer(views.created_location(row, call.guid))


def get_location(world: World, call: Call) -> Answer:
    """GET /locations/{id}."""
    row = found(world.locations.get(call.id()), "Location", call)
    return answer(views.location(row, call.guid))


def list_locations(world: World, call: Call) -> Answer:
    """GET /locations: by ids, external data or customer without scanning."""
    query = call.query
    filters = Filters[LocationRow](query)
    filters.equal(query.active(), lambda row: row.active)
    filters.contains("name", lambda row: row.name)
    _address_filters(query, filters)
    filters.window("created", lambda row: row.created_on)
    since = filters.window("modified", lambda row: row.modified_on)
    ids = query.ids("ids")
    customer_id = query.integer("customerId")
    filters.equal(customer_id, lambda row: row.customer_id)
    external = external_ids(query, world.locations_by_external)
    filters.among(external, lambda row: row.id)

    def candidates() -> Iterable[LocationRow]:
        rows = world.locations.rows
        if ids is not None:
            return (rows[row_id] for row_id in sorted(set(ids)) if row_id in rows)
        if external is not None:
            return (rows[row_id] for row_id in external)
        if customer_id is not None:
            customer = world.customers.get(customer_id)
            return (rows[row_id] for row_id in (customer.location_ids if customer else ()))
        if since is not None:
            return sorted(world.locations.changed_since(since), key=lambda row: row.id)
        return world.locations.in_order

    return page(
        page_of(query, filters, candidates),
        Page[wire.Location],
        lambda row: views.location(row, call.guid),
    )


def create_booking(world: World, call: Call) -> Answer:
    """POST /booking-provider/{provider}/bookings."""
    row = done(people.create_booking(world, call.id("provider"), read(call, wire.CreateBooking)))
    return answer(views.booking(row))


def get_booking(world: World, call: Call) -> Answer:
    """GET /booking-provider/{provider}/bookings/{id}, and /bookings/{id}."""
    return answer(views.booking(_booking(world, call)))


def list_bookings(world: World, call: Call) -> Answer:
    """GET /booking-provider/{provider}/bookings, and /bookings for the whole tenant."""
    query = call.query
    filters = Filters[BookingRow](query)
    filters.among(query.ids("ids"), lambda row: row.id)
    filters.equal(query.text("externalId"), lambda row: row.request.external_id)
    filters.equal(call.id("provider") or None, lambda row: row.provider_id)
    filters.window("created", lambda row: row.created_on)
    filters.window("modified", lambda row: row.modified_on)
    return page(page_of(query, filters, lambda: world.bookings.in_order), Page[wire.Booking], views.booking)


def patch_booking(world: World, call: Call) -> Answer:
    """PATCH /booking-provider/{provider}/bookings/{id}."""
    row = _booking(world, call)
    return answer(views.booking(done(people.patch_booking(world, row, read(call, wire.PatchBooking)))))


def dismiss_booking(world: World, call: Call) -> Answer:
    """POST /booking-provider/{provider}/bookings/{id}/dismiss."""
    row = _booking(world, call)
    return empty(people.dismiss_booking(world, row, read(call, wire.DismissBooking).call_reason_id))


def external_ids(query: Query, index: Index) -> tuple[int, ...] | None:
    """The ids that the external data triple asks for; None when it was not used.

    GUID, key and values are needed together; without all three the look-up is not one, and is ignored.
    """
    guid, key = query.text("externalDataApplicationGuid"), query.text("externalDataKey")
    values = query.texts("externalDataValues")
    if guid is None or key is None or values is None:
        return None
    return tuple(index.get(*((guid.lower(), key, value) for value in values)))


def _address_filters(query: Query, filters: Filters[CustomerRow] | Filters[LocationRow]) -> None:
    for part in _ADDRESS_PARTS:
        filters.contains(part, partial(_address_part, part))
    for part in ("latitude", "longitude"):
        filters.equal(query.number(part), partial(_coordinate, part))


def _address_part(part: str, row: CustomerRow | LocationRow) -> str | None:
    value: str | None = getattr(row.address, part)
    return value


def _coordinate(part: str, row: CustomerRow | LocationRow) -> float | None:
    value: float | None = getattr(row.address, part)
    return value


def _has_phone_like(row: CustomerRow, phone: str) -> bool:
    wanted = phone_key(phone)
    return any(
        wanted in phone_key(contact.value)
        for contact in row.contacts
        if contact.type is not wire.ContactType.EMAIL
    )


def _booking(world: World, call: Call) -> BookingRow:
    row, provider = world.bookings.get(call.id()), call.id("provider")
    ours = row is not None and provider in (0, row.provider_id)
    return found(row if ours else None, "Booking", call)


def _customer(world: World, call: Call) -> CustomerRow:
    return found(world.customers.get(call.id()), "Customer", call)


_CRM = "/crm/v2/tenant/{tenant}"
_INBOX = _CRM + "/booking-provider/{provider}/bookings"

ROUTES = (
    Route("POST", f"{_CRM}/customers", create_customer, "create"),
    Route("GET", f"{_CRM}/customers", list_customers),
    Route("GET", f"{_CRM}/customers/contacts", list_all_contacts),
    Route("GET", f"{_CRM}/customers/{{id}}", get_customer),
    Route("PATCH", f"{_CRM}/customers/{{id}}", patch_customer, "status"),
    Route("GET", f"{_CRM}/customers/{{id}}/contacts", list_contacts),
    Route("POST", f"{_CRM}/customers/{{id}}/contacts", create_contact, "create"),
    Route("POST", f"{_CRM}/locations", create_location, "create"),
    Route("GET", f"{_CRM}/locations", list_locations),
    Route("GET", f"{_CRM}/locations/{{id}}", get_location),
    Route("POST", _INBOX, create_booking, "create"),
    Route("GET", _INBOX, list_bookings),
    Route("GET", f"{_INBOX}/{{id}}", get_booking),
    Route("PATCH", f"{_INBOX}/{{id}}", patch_booking, "status"),
    Route("POST", f"{_INBOX}/{{id}}/dismiss", dismiss_booking, "status"),
    Route("GET", f"{_CRM}/bookings", list_bookings),
    Route("GET", f"{_CRM}/bookings/{{id}}", get_booking),
)
