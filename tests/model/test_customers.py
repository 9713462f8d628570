import pytest

from app.booking.customer_lane import CustomerRequest
from tests.model.customers import PhoneRules, explore_phone, request
from tests.model.lane import ViolationError

TWO_BOOKINGS = {
    "one door": (request(1, "12 Main Street"), request(2, "12 Main Street")),
    "one door in two spellings": (request(1, "12 Main Street"), request(2, "12 Main St.")),
    "two doors": (request(1, "12 Main Street"), request(2, "7 Elm Road")),
    "two people": (request(1, "12 Main Street"), request(2, "7 Elm Road", "Grace Hopper")),
    "two people at one door": (request(1, "12 Main Street"), request(2, "12 Main Street", "Grace Hopper")),
}


@pytest.mark.parametrize("requests", TWO_BOOKINGS.values(), ids=TWO_BOOKINGS.keys())
def test_a_customer_is_made_once(requests: tuple[CustomerRequest, ...]) -> None:
    assert explore_phone(requests, crashes=2, faults=2) > 100


@pytest.mark.parametrize(
    "rules", [PhoneRules(waits=False), PhoneRules(intends=False)], ids=["does not wait", "no intent"]
)
def test_the_model_finds_a_worker_that_makes_a_customer_twice(rules: PhoneRules) -> None:
    with pytest.raises(ViolationError, match="twice"):
        explore_phone(TWO_BOOKINGS["one door"], crashes=1, faults=1, rules=rules)
