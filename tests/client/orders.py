"""What the client's tests ask for."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from app.booking.asks import CreateCustomer, CreateJob, CustomerOrder, JobOrder, JobSeen, Slot
from app.booking.outcomes import Accepted, Outcome
from app.servicetitan.desk import Asker
from app.servicetitan.upstream import Upstream

Value = TypeVar("Value")

START = datetime(2026, 12, 1, 16, tzinfo=UTC)
SLOT = Slot(
    start=START,
    end=START + timedelta(hours=2),
    window_start=START,
    window_end=START + timedelta(hours=2),
)
LATER = Slot(start=START + timedelta(days=1), end=START + timedelta(days=1, hours=2))


def asker(lane: str = "b1", *, again: bool = False, live: bool = True) -> Asker:
    """Somebody who still owns the lane."""
    return Asker(lane=lane, check=lambda: None, again=again, live=live)


def customer_order(**changes: str) -> CustomerOrder:
    """A customer who was never here."""
    values = {
        "name": "Jane Roe",
        "phone": "+14805551234",
        "email": "jane@example.com",
        "street": "1 Main St",
        "city": "Mesa",
        "state": "AZ",
        "zip": "85201",
    }
    return CustomerOrder(**(values | changes))


def job_order(customer_id: int, location_id: int, booking_id: str = "b1", **changes: Any) -> JobOrder:  # noqa: ANN401 - any field
    """A broken spring."""
    names = {"business_unit": "Mesa_East", "job_type": "Broken Spring"} | changes
    return JobOrder(
        booking_id=booking_id,
        customer_id=customer_id,
        location_id=location_id,
        priority="high",
        summary="Garage door spring repair/replacement",
        slot=SLOT,
        **names,
    )


def value_of(outcome: Outcome[Value]) -> Value:
    """What was accepted."""
    assert isinstance(outcome, Accepted), outcome
    return outcome.value


async def create_job(upstream: Upstream, booking_id: str = "b1") -> JobSeen:
    """A job of a new customer."""
    customer = value_of(await upstream.desk.perform(CreateCustomer(order=customer_order()), asker()))
    assert customer.location_id is not None
    order = job_order(customer.customer_id, customer.location_id, booking_id)
    return value_of(await upstream.desk.perform(CreateJob(order=order), asker(booking_id)))
