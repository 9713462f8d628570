"""Which customer a booking asks for: the digest that ties requests and answers together."""

import base64
import hashlib

from app.booking.asks import CustomerOrder
from app.booking.events import Booking, phone_key
from app.booking.record import Record


def customer_order(booking: Booking) -> CustomerOrder:
    """Whose visit a booking asks for, with the phone in E.164, else its digits."""
    return CustomerOrder(
        name=f"{booking.first_name} {booking.last_name}",
        phone=phone_key(booking.phone),
        email=booking.email,
        street=booking.address,
        city=booking.city,
        state=booking.state,
        zip=booking.zip,
    )


def customers_of(record: Record) -> tuple[CustomerOrder, ...]:
    """Whom a booking has asked for: with the data it has, had at first, and was last ordered with."""
    said = (record.booking, record.original, record.replaced)
    return tuple(customer_order(booking) for booking in said if booking is not None)


def customer_digest(booking: Booking) -> str:
    """Sixteen characters for (phone, name, address), however they were typed."""
    return order_digest(customer_order(booking))


def order_digest(order: CustomerOrder) -> str:
    """The same digest, of an order."""
    parts = (order.phone, order.name, order.street, order.city, order.state, order.zip)
    text = "\x1f".join(" ".join(part.lower().split()) for part in parts)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12]).decode()
