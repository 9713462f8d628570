"""Forms of events: shown from data, and read back to the same data."""

from __future__ import annotations

from typing import Any

import pytest

from app.booking.events import DATA_TYPES, FieldError, Invalid, validate
from app.business_file import load_business
from app.web.ops import forms
from tests.support.flow import booking

PROBLEMS = tuple(load_business().problems)
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
    shown = forms.fields(kind, DATA[kind], problem_types=PROBLEMS)
    sent = {field.name: [field.value] for field in shown if field.value}
    assert forms.read(kind, sent) == DATA[kind]
    assert not isinstance(validate(kind, forms.read(kind, sent), "b-1"), Invalid)


@pytest.mark.parametrize(
    ("name", "text"), [("doorCount", "two"), ("doorAge", "old"), ("doorCount", "2.5"), ("phone", "1")]
)
def test_what_cannot_be_is_left_for_validation(name: str, text: str) -> None:
    sent = {
        field.name: [field.value]
        for field in forms.fields("booking.created", booking(), problem_types=PROBLEMS)
    } | {name: [text]}
    found = validate("booking.created", forms.read("booking.created", sent), "b-1")
    assert isinstance(found, Invalid)
    assert [error.field for error in found.errors] == [name]


def test_a_wrong_technician_is_named() -> None:
    read = forms.read("booking.status_changed", {"status": ["dispatched"], "technicianIds": ["501, Bob"]})
    assert read["technicianIds"] == [501, "Bob"]


def test_errors_stand_at_their_fields_in_plain_words() -> None:
    errors = (
        FieldError(field="data.zip", message="String should match pattern '^[0-9]{5}'"),
        FieldError(field="data.technicianIds.0", message="must be a number"),
    )
    shown = {
        field.name: field.error
        for field in forms.fields("booking.created", booking(), errors, problem_types=PROBLEMS)
    }
    assert shown["zip"] == "must be 12345 or 12345-6789"
    changed = forms.fields("booking.status_changed", {}, errors, problem_types=PROBLEMS)
    assert {field.name: field.error for field in changed}["technicianIds"] == "must be a number"


def test_an_unknown_kind_has_no_form() -> None:
    assert forms.fields("booking.unheard", {}, problem_types=PROBLEMS) == ()
