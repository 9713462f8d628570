"""What a booking's job says, and when its visit is, as the business has it."""

from html import escape

from app.booking.asks import Slot
from app.booking.business import Business, Problem
from app.booking.events import Booking
from app.booking.matching import same_name
from app.booking.visits import appointment


def visit_of(booking: Booking, business: Business) -> Slot:
    """When the visit is that the booking asks for (contract section 2)."""
    minutes = business.problem_of(booking.problem_type).minutes
    zone = business.zone_of(booking.zip)
    return appointment(booking.scheduled_date, booking.time_slot, minutes, zone)


def description(problem: Problem, booking: Booking) -> str:
    """The job in words: the problem, the number of doors when more than one, and the instructions below."""
    doors = f" ({booking.door_count} doors)" if booking.door_count > 1 else ""
    below = f"\n{booking.special_instructions}" if booking.special_instructions else ""
    return f"{problem.description}{doors}{below}"


def summary(problem: Problem, booking: Booking, customer_name: str = "") -> str:
    """The same as ServiceTitan's HTML, with what else a dispatcher wants to know before somebody drives out.

    `customer_name` is the customer's in ServiceTitan: who booked is told when it is somebody else.
    """
    lines = description(problem, booking).splitlines()
    if booking.door_age is not None:
        years = f"{booking.door_age:g} year{'' if booking.door_age == 1 else 's'}"
        lines.append(f"Door age: {years}")
    if booking.is_renter:
        lines.append("The customer rents the home")
    booker = f"{booking.first_name} {booking.last_name}"
    if customer_name and not same_name(customer_name, booker):
        lines.append(f"Booked by {booker}")
    # Escaped, since a link that a customer typed would be one on the office's screen.
    return "<br>\n".join(escape(line, quote=False) for line in lines)
