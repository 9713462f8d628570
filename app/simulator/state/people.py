"""Customers, contacts, locations and the booking inbox: what may happen to them.

Three documented triggers refuse a creation, so that a client's refusals can be tried: an e-mail
`error@test.com` (409), a ZIP `00000` (400), a phone `0000000000` (400).
"""

from collections.abc import Iterable

from app.simulator.state.external import written
from app.simulator.state.records import BookingRow, ContactRow, CustomerRow, LocationRow, Refusal
from app.simulator.state.world import World, index_external, unindex_external
from app.simulator.wire.crm import (
    AddressPatch,
    BookingStatus,
    ContactRequest,
    ContactType,
    CreateBooking,
    CreateCustomer,
    CreateLocation,
    CustomerType,
    LocationRequest,
    PatchBooking,
    PatchCustomer,
)

CONFLICT_EMAIL = "error@test.com"
UNSUPPORTED_ZIP = "00000"
INVALID_PHONE = "0000000000"

CUSTOMER_CONFLICT = Refusal(
    409, "Customer conflict", {"email": ["A customer with this e-mail address exists already."]}
)
AREA_NOT_SUPPORTED = Refusal(
    400, "Area not supported", {"zip": ["The ZIP code is outside the service area."]}
)
PHONE_REFUSED = Refusal(400, "Invalid phone number", {"phone": ["The phone number is not valid."]})

_PHONES = (ContactType.PHONE, ContactType.MOBILE_PHONE, ContactType.FAX)
_PHONE_DIGITS = 10


def phone_key(text: str) -> str:
    """A phone's last ten digits: how customers are found by phone, with or without country code."""
    return "".join(filter(str.isdigit, text))[-_PHONE_DIGITS:]


def create_customer(world: World, request: CreateCustomer) -> CustomerRow | Refusal:
    """A new customer with its locations. Duplicates are not refused: ServiceTitan does not either."""
    contacts = request.contacts or ()
    of_locations = [contact for location in request.locations for contact in location.contacts or ()]
    zips = [request.address.zip, *(location.address.zip for location in request.locations)]
    refused = _refused([*contacts, *of_locations], zips, creating_customer=True)
    if refused:
        return refused
    now = world.stamp()
    row = CustomerRow(
        id=world.next_id(),
        created_on=now,
        modified_on=now,
        name=request.name,
        type=request.type or CustomerType.RESIDENTIAL,
        address=AddressPatch.model_validate(request.address.model_dump()),
        custom_fields=request.custom_fields or (),
        tag_type_ids=request.tag_type_ids or (),
        do_not_mail=bool(request.do_not_mail),
        do_not_service=bool(request.do_not_service),
        national_account=bool(request.national_account),
        tax_exempt=bool(request.tax_exempt),
        payment_term_id=request.payment_term_id,
        credit_limit=request.credit_limit,
        credit_limit_balance=request.credit_limit_balance,
        external=written({}, request.external_data),
    )
    world.customers.add(row, world.now())
    index_external(world.customers_by_external, row.id, row.external)
    world.note("customer.created", customer=row.id)
    for contact in contacts:
        _add_contact(world, row, contact)
    for location in request.locations:
        _add_location(world, row, location)
    return row


def create_location(world: World, request: CreateLocation) -> LocationRow | Refusal:
    """A new location of a customer; its contacts are copied to the customer. 409 for an unknown customer."""
    customer = world.customers.get(request.customer_id)
    if customer is None:
        return Refusal(409, "Customer does not exist", {"customerId": ["The customer was not found."]})
    refused = _refused(request.contacts or (), [request.address.zip], creating_customer=False)
    if refused:
        return refused
    return _add_location(world, customer, request)


def create_contact(world: World, customer: CustomerRow, request: ContactRequest) -> ContactRow | Refusal:
    """A new contact of a customer; the customer's modifiedOn does not move. 409 for an inactive customer."""
    if not customer.active:
        return inactive(customer)
    refused = _refused([request], [], creating_customer=False)
    if refused:
        return refused
    return _add_contact(world, customer, request)


def inactive(customer: CustomerRow) -> Refusal:
    """How the contacts of an inactive customer are refused."""
    text = f"Customer ID = {customer.id} is not active"
    return Refusal(409, text, {"id": [text]})


def patch_customer(world: World, customer: CustomerRow, request: PatchCustomer) -> CustomerRow | Refusal:
    """Change what the request sets."""
    zips = [request.address.zip] if request.address and request.address.zip else []
    refused = _refused((), zips, creating_customer=False)
    if refused:
        return refused
    if request.address is not None:
        merged = {**customer.address.model_dump(), **request.address.model_dump(exclude_unset=True)}
        customer.address = AddressPatch.model_validate(merged)
    for name in request.model_fields_set - {"address", "external_data"}:
        value = getattr(request, name)
        nullable = name in ("payment_term_id", "credit_limit", "credit_limit_balance")
        if value is not None or nullable:
            setattr(customer, name, value)
    if request.external_data is not None:
        unindex_external(world.customers_by_external, customer.id, customer.external)
        customer.external = written(customer.external, request.external_data)
        index_external(world.customers_by_external, customer.id, customer.external)
    world.customers.touch(customer, world.now())
    world.note("customer.updated", customer=customer.id)
    return customer


def create_booking(world: World, provider: int, request: CreateBooking) -> BookingRow | Refusal:
    """A new booking in a provider's inbox; it wants an address or a contact."""
    if request.address is None and not request.contacts:
        return Refusal(400, "Validation failed", {"address": ["An address or a contact is required."]})
    now = world.stamp()
    row = BookingRow(
        id=world.next_id(), created_on=now, modified_on=now, provider_id=provider, request=request
    )
    world.bookings.add(row, world.now())
    world.note("booking.created", detail=request.external_id)
    return row


def patch_booking(world: World, row: BookingRow, request: PatchBooking) -> BookingRow | Refusal:
    """Change what the request sets; 409 once a call taker has dealt with it."""
    if row.status is not BookingStatus.NEW:
        return Refusal(409, f"The booking is {row.status}", {"id": ["Only a new booking can be changed."]})
    row.request = row.request.model_copy(update=request.model_dump(exclude_unset=True))
    world.bookings.touch(row, world.now())
    world.note("booking.updated", detail=row.request.external_id)
    return row


def dismiss_booking(world: World, row: BookingRow, reason: int | None) -> Refusal | None:
    """Dismiss a new booking."""
    if row.status is not BookingStatus.NEW:
        return Refusal(409, f"The booking is {row.status}", {"id": ["Only a new booking can be dismissed."]})
    row.status = BookingStatus.DISMISSED
    row.dismissing_reason_id = reason
    world.bookings.touch(row, world.now())
    world.note("booking.dismissed", detail=row.request.external_id)
    return None


def _refused(
    contacts: Iterable[ContactRequest], zips: Iterable[str], *, creating_customer: bool
) -> Refusal | None:
    if UNSUPPORTED_ZIP in zips:
        return AREA_NOT_SUPPORTED
    for contact in contacts:
        if contact.type in _PHONES and phone_key(contact.value) == INVALID_PHONE:
            return PHONE_REFUSED
        if creating_customer and contact.value.strip().lower() == CONFLICT_EMAIL:
            return CUSTOMER_CONFLICT
    return None


def _contact(world: World, request: ContactRequest) -> ContactRow:
    now = world.stamp()
    return ContactRow(
        id=world.next_id(),
        created_on=now,
        modified_on=now,
        type=request.type,
        value=request.value,
        memo=request.memo,
    )


def _add_contact(world: World, customer: CustomerRow, request: ContactRequest) -> ContactRow:
    row = _contact(world, request)
    customer.contacts.append(row)
    if row.type in _PHONES:
        world.customers_by_phone.add(phone_key(row.value), customer.id)
    world.note("contact.created", customer=customer.id)
    return row


def _add_location(world: World, customer: CustomerRow, request: LocationRequest) -> LocationRow:
    now = world.stamp()
    row = LocationRow(
        id=world.next_id(),
        created_on=now,
        modified_on=now,
        customer_id=customer.id,
        name=request.name,
        address=AddressPatch.model_validate(request.address.model_dump()),
        contacts=[_contact(world, contact) for contact in request.contacts or ()],
        custom_fields=request.custom_fields or (),
        tag_type_ids=request.tag_type_ids or (),
        external=written({}, request.external_data),
    )
    world.locations.add(row, world.now())
    customer.location_ids.append(row.id)
    index_external(world.locations_by_external, row.id, row.external)
    world.note("location.created", customer=customer.id, detail=str(row.id))
    for contact in request.contacts or ():
        _add_contact(world, customer, contact)
    return row
