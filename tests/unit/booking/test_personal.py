"""What is left of personal data when it is shown."""

import pytest

from app.booking.personal import Personal, harmless, personal_key, plain_key


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (Personal.NAME, "Ada Lovelace", "A*** L***"),
        (Personal.PHONE, "(602) 555-0123", "***23"),
        (Personal.PHONE, "0123", "***"),
        (Personal.EMAIL, "ada@example.com", "a***@example.com"),
        (Personal.EMAIL, "nobody", "***"),
        (Personal.ADDRESS, "12 Main Street", "***"),
        (Personal.ADDRESS, " ", ""),
        (Personal.TEXT, "Ring twice", "***"),
    ],
)
def test_each_kind_is_masked(kind: Personal, value: str, shown: str) -> None:
    assert kind.mask(value) == shown


@pytest.mark.parametrize("key", ["firstName", "first_name", "FIRST-NAME"])
def test_a_field_is_known_however_it_is_written(key: str) -> None:
    assert plain_key(key) == "firstname"
    assert personal_key(key) is Personal.NAME
    assert personal_key("zip") is None


def test_only_short_values_under_keys_that_are_known_are_harmless() -> None:
    assert harmless("doorCount", 2)
    assert harmless("problem_type", "broken_spring")
    assert not harmless("doorCount", "2" * 61)
    assert not harmless("note", "x")
