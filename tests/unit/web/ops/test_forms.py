"""Forms of events: shown from data, and read back to the same data."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from app.booking.events import DATA_TYPES, FieldError, Invalid, validate
from app.business_file import load_business
from app.web.ops import forms
from tests.support.flow import booking

BUSINESS = load_business()
PHOENIX = BUSINESS.time_zone
fields_of = partial(forms.fields, business=BUSINESS, zone=PHOENIX)
DATA: dict[str, dict[str, Any]] = {
    "booking.created": {
        **booking(),
        "doorCount": 2,
        "doorAge": 7.5,
        "isRenter": True,
        "specialInstructions": "x",
    },
    "booking.rescheduled": {"scheduledDate": "2027-03-02T00:00:00Z", "timeSlot": "9:00 AM - 11:00 AM"},
    "booking.status_changed": {"status": "dispatched", "technicianIds": [501, 502], "reason": "why"},
    "booking.cancelled": {"reason": "why"},
}


def test_there_is_data_for_every_kind() -> None:
    assert DATA.keys() == DATA_TYPES.keys()


@pytest.mark.parametrize("kind", DATA)
def test_what_is_shown_is_read_back(kind: str) -> None:
    shown = fields_of(kind, DATA[kind])
    sent = {field.name: [field.value] for field in shown if field.value}
    assert forms.read(kind, sent, PHOENIX) == DATA[kind]
    assert not isinstance(validate(kind, forms.read(kind, sent, PHOENIX), "b-1"), Invalid)


@pytest.mark.parametrize(
    ("name", "text"), [("doorCount", "two"), ("doorAge", "old"), ("doorCount", "2.5"), ("phone", "1")]
)
def test_what_cannot_be_is_left_for_validation(name: str, text: str) -> None:
    sent = {field.name: [field.value] for field in fields_of("booking.created", booking())} | {name: [text]}
    found = validate("booking.created", forms.read("booking.created", sent, PHOENIX), "b-1")
    assert isinstance(found, Invalid)
    assert [error.field for error in found.errors] == [name]


def test_a_wrong_technician_is_named() -> None:
    read = forms.read(
        "booking.status_changed",
        {"status": ["dispatched"], "technicianIds": ["501, Bob"]},
        BUSINESS.time_zone,
    )
    assert read["technicianIds"] == [501, "Bob"]


def test_errors_stand_at_their_fields_in_plain_words() -> None:
    errors = (
        FieldError(field="data.zip", message="String should match pattern '^[0-9]{5}'"),
        FieldError(field="data.technicianIds.0", message="must be a number"),
    )
    shown = {field.name: field.error for field in fields_of("booking.created", booking(), errors)}
    assert shown["zip"] == "must be 12345 or 12345-6789"
    changed = fields_of("booking.status_changed", {}, errors)
    assert {field.name: field.error for field in changed}["technicianIds"] == "must be a number"


def test_an_unknown_kind_has_no_form() -> None:
    assert fields_of("booking.unheard", {}) == ()


MOVED = "booking.rescheduled"


@pytest.mark.parametrize(
    ("was", "slot", "day", "clock"),
    [
        ("2027-03-02T00:00:00Z", "9:00 AM - 11:00 AM", "2027-03-02", ""),
        ("2027-03-02T23:30:00-07:00", "9:00 AM - 11:00 AM", "2027-03-02", ""),
        ("2027-03-02T02:30:45Z", None, "2027-03-01", "19:30"),
        ("tomorrow", None, "", ""),
        ("2027-03-02T02:30:45", None, "2027-03-02", ""),
    ],
)
def test_a_date_is_a_day_and_a_time_where_the_visit_is(
    was: str, slot: str | None, day: str, clock: str
) -> None:
    shown = {one.name: one for one in fields_of(MOVED, {"scheduledDate": was, "timeSlot": slot})}
    assert (shown["scheduledDate"].kind, shown["scheduledTime"].kind, shown["timeSlot"].kind) == (
        "date",
        "time",
        "choice",
    )
    assert (shown["scheduledDate"].value, shown["scheduledTime"].value) == (day, clock)
    assert set(BUSINESS.slots) < set(shown["timeSlot"].options)
    assert ("it said tomorrow" in shown["scheduledDate"].hint) == (was == "tomorrow")
    sent = {name: [one.value] for name, one in shown.items()}
    if day:
        assert forms.read(MOVED, sent, PHOENIX)["scheduledDate"] == was, "to the second"


@pytest.mark.parametrize(
    ("changed", "reads"),
    [
        ({"scheduledDate": ["2027-03-09"]}, "2027-03-09T19:30:00-07:00"),
        ({"scheduledTime": ["08:15"]}, "2027-03-01T08:15:00-07:00"),
        ({"timeSlot": ["8:00 AM - 10:00 AM"]}, "2027-03-01T00:00:00Z"),
        ({"scheduledTime": [""]}, "2027-03-01"),
        ({"scheduledDate": [""]}, None),
    ],
)
def test_another_day_or_time_is_read_as_at_the_visit(
    changed: dict[str, list[str]], reads: str | None
) -> None:
    shown = fields_of(MOVED, {"scheduledDate": "2027-03-02T02:30:45Z"})
    sent = {one.name: [one.value] for one in shown} | changed
    read = forms.read(MOVED, sent, PHOENIX)
    assert read.get("scheduledDate") == reads
    found = validate(MOVED, read, "b-1")
    if reads in {None, "2027-03-01"}:
        assert isinstance(found, Invalid)
        again = fields_of(MOVED, read, found.errors)
        assert again[0].error == "choose a day, and a time slot or a time"
    else:
        assert not isinstance(found, Invalid)
