"""Phones as they are searched, and customers that are no more."""

import pytest

from app.booking.matching import national
from app.servicetitan.people import still_there
from app.servicetitan.wire import Customer


@pytest.mark.parametrize(
    ("phone", "digits"),
    [
        ("+14805551234", "4805551234"),
        ("(480) 555-1234", "4805551234"),
        ("480.555.1234", "4805551234"),
        ("+442079460000", "442079460000"),
    ],
)
def test_numbers_of_other_countries_keep_all_their_digits(phone: str, digits: str) -> None:
    assert national(phone) == digits


def test_merged_and_inactive_customers_are_not_there() -> None:
    here = Customer(id=1, name="a")
    merged = Customer(id=2, name="a", merged_to_id=1)
    inactive = Customer(id=3, name="a", active=False)
    assert still_there([merged, here, inactive]) == [here]
