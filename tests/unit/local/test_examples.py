"""Made-up bookings are such as the business in use takes."""

from datetime import UTC, datetime
from random import Random

from app.local.examples import Examples


def test_an_example_asks_for_a_problem_and_a_slot_that_the_business_has() -> None:
    examples = Examples(Random(1), datetime(2026, 12, 1, tzinfo=UTC), ["opener"], ["4:00 PM - 7:00 PM"])
    booking = examples.booking(examples.person())
    assert (booking["problemType"], booking["timeSlot"]) == ("opener", "4:00 PM - 7:00 PM")
