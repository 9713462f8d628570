"""The `crm` module: customers, contacts, locations, and the booking provider's inbox."""

from enum import StrEnum

from pydantic import Field

from app.simulator.wire.base import Wire
from app.simulator.wire.dates import Instant
from app.simulator.wire.envelope import ExternalData, ExternalDataRequest
from app.simulator.wire.jpm import Priority


class ContactType(StrEnum):
    """How a contact is reached."""

    PHONE = "Phone"
    MOBILE_PHONE = "MobilePhone"
    EMAIL = "Email"
    FAX = "Fax"


class CustomerType(StrEnum):
    """Who the customer is."""

    RESIDENTIAL = "Residential"
    COMMERCIAL = "Commercial"


class BookingStatus(StrEnum):
    """What a call taker did with a booking of the inbox."""

    NEW = "New"
    CONVERTED = "Converted"
    DISMISSED = "Dismissed"
    ACCEPTED = "Accepted"


class Address(Wire):
    """A postal address; the strings may be empty in old rows."""

    street: str
    unit: str | None = None
    city: str
    state: str
    zip: str
    country: str
    latitude: float | None = None
    longitude: float | None = None


class AddressPatch(Wire):
    """An address in an answer or a patch, where any part may be missing."""

    street: str | None = None
    unit: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class CustomField(Wire):
    """A custom field of a customer or location, as read."""

    type_id: int
    name: str | None = None
    value: str | None = None


class CustomFieldRequest(Wire):
    """A custom field to write."""

    type_id: int
    value: str | None = None


class ContactRequest(Wire):
    """A contact to create."""

    type: ContactType
    value: str
    memo: str | None = None


class CreatedContact(Wire):
    """A contact inside the answer of a creation."""

    id: int
    type: ContactType
    value: str
    memo: str | None = None


class PhoneSettings(Wire):
    """The number of a contact as the vendor normalised it; empty of an e-mail."""

    phone_number: str = ""
    do_not_text: bool = False


class ContactPreferences(Wire):
    """What a contact wants to hear of."""

    job_reminders_enabled: bool = True
    marketing_updates_enabled: bool = True
    invoice_statement_notification: bool = True


class Contact(Wire):
    """A row of `customers/{id}/contacts`."""

    id: int
    type: ContactType
    value: str
    memo: str | None = None
    modified_on: Instant | None = None
    created_on: Instant | None = None
    phone_settings: PhoneSettings | None = None
    preferences: ContactPreferences | None = None


class CustomerContact(Contact):
    """A row of `customers/contacts`: a contact that names its customer."""

    customer_id: int


class LocationRequest(Wire):
    """A location inside a customer to create."""

    name: str
    address: Address
    contacts: tuple[ContactRequest, ...] | None = None
    custom_fields: tuple[CustomFieldRequest, ...] | None = None
    tag_type_ids: tuple[int, ...] | None = None
    external_data: ExternalDataRequest | None = None


class CreateLocation(LocationRequest):
    """`POST /locations`: a location of a customer that exists."""

    customer_id: int


class CreateCustomer(Wire):
    """`POST /customers`; at least one location."""

    name: str = Field(min_length=1)
    locations: tuple[LocationRequest, ...] = Field(min_length=1)
    address: Address
    type: CustomerType | None = None
    do_not_mail: bool | None = None
    do_not_service: bool | None = None
    national_account: bool | None = None
    contacts: tuple[ContactRequest, ...] | None = None
    custom_fields: tuple[CustomFieldRequest, ...] | None = None
    tag_type_ids: tuple[int, ...] | None = None
    external_data: ExternalDataRequest | None = None
    tax_exempt: bool | None = None
    payment_term_id: int | None = None
    credit_limit: float | None = None
    credit_limit_balance: float | None = None


class PatchCustomer(Wire):
    """`PATCH /customers/{id}`: only what is set changes."""

    name: str | None = None
    type: CustomerType | None = None
    address: AddressPatch | None = None
    custom_fields: tuple[CustomFieldRequest, ...] | None = None
    do_not_mail: bool | None = None
    do_not_service: bool | None = None
    active: bool | None = None
    national_account: bool | None = None
    tag_type_ids: tuple[int, ...] | None = None
    external_data: ExternalDataRequest | None = None
    tax_exempt: bool | None = None
    payment_term_id: int | None = None
    credit_limit: float | None = None
    credit_limit_balance: float | None = None


class Customer(Wire):
    """A customer as read: without contacts, which live under `customers/{id}/contacts`."""

    id: int
    active: bool = True
    name: str
    type: CustomerType | None = None
    address: AddressPatch
    custom_fields: tuple[CustomField, ...] | None = ()
    balance: float | None = 0.0
    tax_exempt: bool | None = False
    tag_type_ids: tuple[int, ...] | None = ()
    do_not_mail: bool | None = False
    do_not_service: bool | None = False
    national_account: bool | None = False
    created_on: Instant | None = None
    created_by_id: int | None = None
    modified_on: Instant | None = None
    merged_to_id: int | None = None
    payment_term_id: int | None = None
    credit_limit: float | None = None
    credit_limit_balance: float | None = None
    external_data: tuple[ExternalData, ...] | None = None


class Location(Wire):
    """A location as read."""

    id: int
    customer_id: int
    active: bool = True
    name: str
    address: AddressPatch
    custom_fields: tuple[CustomField, ...] | None = ()
    created_on: Instant | None = None
    created_by_id: int | None = None
    modified_on: Instant | None = None
    merged_to_id: int | None = None
    zone_id: int | None = None
    tax_exempt: bool | None = False
    tag_type_ids: tuple[int, ...] | None = ()
    external_data: tuple[ExternalData, ...] | None = None
    tax_zone_id: int | None = None


class CreatedLocation(Location):
    """The answer of a location's creation: it has the contacts."""

    contacts: tuple[CreatedContact, ...] | None = ()


class CreatedCustomer(Customer):
    """The answer of `POST /customers`: it has the locations and contacts."""

    locations: tuple[CreatedLocation, ...] = ()
    contacts: tuple[CreatedContact, ...] | None = ()


class CreateBooking(Wire):
    """`POST /booking-provider/{provider}/bookings`: the inbox a call taker accepts or dismisses; no job."""

    source: str
    name: str
    summary: str
    is_first_time_client: bool
    external_id: str
    address: AddressPatch | None = None
    contacts: tuple[ContactRequest, ...] | None = None
    customer_type: CustomerType | None = None
    start: Instant | None = None
    campaign_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: Priority | None = None
    uploaded_images: tuple[str, ...] | None = None
    is_send_confirmation_email: bool | None = None


class PatchBooking(Wire):
    """`PATCH /booking-provider/{provider}/bookings/{id}`: only what is set changes."""

    source: str | None = None
    name: str | None = None
    summary: str | None = None
    is_first_time_client: bool | None = None
    external_id: str | None = None
    address: AddressPatch | None = None
    customer_type: CustomerType | None = None
    start: Instant | None = None
    campaign_id: int | None = None
    business_unit_id: int | None = None
    job_type_id: int | None = None
    priority: Priority | None = None


class DismissBooking(Wire):
    """`POST .../bookings/{id}/dismiss`."""

    call_reason_id: int | None = None
    dismissing_memo: str | None = None


class Booking(Wire):
    """A booking of the inbox."""

    id: int
    source: str
    created_on: Instant | None = None
    name: str
    address: AddressPatch | None = None
    customer_type: CustomerType | None = None
    start: Instant | None = None
    campaign_id: int | None = None
    business_unit_id: int | None = None
    is_first_time_client: bool | None = None
    uploaded_images: tuple[str, ...] | None = None
    is_send_confirmation_email: bool | None = None
    status: BookingStatus
    dismissing_reason_id: int | None = None
    job_id: int | None = None
    external_id: str
    priority: Priority | None = None
    job_type_id: int | None = None
    booking_provider_id: int | None = None
    modified_on: Instant | None = None
    summary: str | None = None
