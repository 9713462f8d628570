"""Text as people and libraries write it, and fields that are absent, null or too long."""

import re
from typing import Any

import orjson
import pytest

from app.booking.events import (
    DATA_TYPES,
    Booking,
    BookingEvent,
    Cancelled,
    Data,
    Invalid,
    RawEvent,
    Rescheduled,
    StatusChanged,
    Unusable,
    read,
    validate,
)
from app.booking.text import LONGEST_TEXT, SEEN, one_line, read_json
from app.booking.visits import window
from tests.support.bookings import BOOKED, ID, RESCHEDULED, booking, raw

BINARY = (
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e1"),
    ("ce_source", b"/booking-system"),
    ("ce_type", b"booking.cancelled"),
    ("ce_subject", ID.encode()),
    ("ce_time", b"2026-03-02T16:00:00Z"),
)


def data_of(kind: str, data: object) -> Data:
    found = validate(kind, data, ID)
    assert found is not None
    assert not isinstance(found, Invalid), found
    return found


@pytest.mark.parametrize("data", [None, {}, {"reason": None}, {"reason": ""}, {"reason": "Customer request"}])
def test_a_cancellation_without_a_reason_cancels(data: object) -> None:
    found = data_of("booking.cancelled", data)

    assert isinstance(found, Cancelled)
    assert found.reason in {"", "Customer request"}


def test_so_does_one_without_data_in_either_mode() -> None:
    document = orjson.loads(raw("booking.cancelled").value or b"")
    del document["data"]
    structured = RawEvent(
        topic="t", partition=0, offset=0, key=ID.encode(), value=orjson.dumps(document), headers=()
    )
    binary = [
        RawEvent(topic="t", partition=0, offset=0, key=ID.encode(), value=value, headers=BINARY)
        for value in (None, b"", b"null", b"{}")
    ]

    for one in (structured, *binary):
        event = read(one)
        assert isinstance(event, BookingEvent), event
        assert event.data == Cancelled()


def test_what_has_no_value_and_no_attributes_is_unreadable() -> None:
    event = read(RawEvent(topic="t", partition=0, offset=0, key=b"b", value=None))

    assert isinstance(event, Unusable)
    assert event.detail == "the value is null"


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("booking.created", BOOKED),
        ("booking.rescheduled", RESCHEDULED),
        ("booking.status_changed", {"status": "scheduled"}),
        ("booking.cancelled", {}),
    ],
)
def test_null_is_the_default_of_every_field_that_is_not_required(kind: str, needed: dict[str, Any]) -> None:
    model = DATA_TYPES[kind]
    required = {field.alias for field in model.model_fields.values() if field.is_required()}
    rest = {field.alias: None for field in model.model_fields.values() if not field.is_required()}
    given = {name: value for name, value in needed.items() if name in required}

    assert data_of(kind, given | rest) == data_of(kind, given)


@pytest.mark.parametrize("length", [LONGEST_TEXT, LONGEST_TEXT + 1, 50_000])
def test_what_is_too_long_for_servicetitan_is_shortened(length: int) -> None:
    text = "x" * length
    for found in (
        booking(specialInstructions=text).special_instructions,
        data_of("booking.cancelled", {"reason": text}).reason,  # type: ignore[union-attr]  # it is a cancellation
        data_of("booking.status_changed", {"status": "cancelled", "reason": text}).reason,  # type: ignore[union-attr]  # it is a status
    ):
        assert found is not None
        assert (len(found), found.endswith("\u2026")) == (LONGEST_TEXT, length > LONGEST_TEXT)


@pytest.mark.parametrize(
    ("slot", "ends"),
    [
        ("9:00\u202fAM - 11:00\u202fAM", (9, 11)),
        ("9:00\u00a0AM\u2009\u2013\u200911:00\u00a0AM", (9, 11)),
        ("9:00 - 11:00\u202fAM", (9, 11)),
        ("9:00\u2009\u2013\u200911:00\u202fAM", (9, 11)),
        ("11:00 - 1:00 PM", (11, 13)),
        ("1:00 - 3:00 PM", (13, 15)),
        ("9:00 - 12:00 PM", (9, 12)),
        ("9:00 a.m. - 1:00 p.m.", (9, 13)),
        (" 9:00  AM\n-\t11:00 AM ", (9, 11)),
        ("9:00 AM \u2014 11:00 AM", (9, 11)),
        ("9:00 AM\u2011\ufeff11:00 AM", (9, 11)),
    ],
)
def test_slots_as_they_are_printed(slot: str, ends: tuple[int, int]) -> None:
    found = data_of("booking.rescheduled", RESCHEDULED | {"timeSlot": slot})

    assert isinstance(found, Rescheduled)
    assert found.time_slot is not None
    begin, end = window(found.time_slot) or (None, None)
    assert (begin and begin.hour, end and end.hour) == ends


@pytest.mark.parametrize("slot", ["9:00 - 11:00", "11:00 AM - 9:00 AM", "11:00 - 10:00 AM"])
def test_what_is_no_slot_stays_none(slot: str) -> None:
    assert validate("booking.rescheduled", RESCHEDULED | {"timeSlot": slot}, ID) != data_of(
        "booking.rescheduled", RESCHEDULED
    )
    assert window(slot) is None


@pytest.mark.parametrize("slot", ["", "  ", "\u00a0\n", None])
def test_a_slot_that_says_nothing_is_none(slot: str | None) -> None:
    assert booking(timeSlot=slot).time_slot is None


@pytest.mark.parametrize(
    ("field", "written", "read_as"),
    [
        ("email", "ada@example.com\n", "ada@example.com"),
        ("email", "\u00a0ada@example.com\u200b", "ada@example.com"),
        ("zip", "85001\u20131234", "85001-1234"),
        ("zip", " 85001 - 1234\r\n", "85001-1234"),
        ("phone", "\u202a(602)\u00a0555\u20110143\u202c\n", "(602) 555-0143"),
        ("state", "az\n", "AZ"),
        ("firstName", "\ufeffAda\u00a0\u00a0Maria\n", "Ada Maria"),
        ("lastName", "Love\u00adlace\x00", "Lovelace"),
        ("address", "12 Main Street\r\nApt 3", "12 Main Street Apt 3"),
        ("city", "\tPhoenix ", "Phoenix"),
        ("problemType", "broken_spring\n", "broken_spring"),
        ("scheduledDate", "2026-03-05t00:00:00z\n", "2026-03-05T00:00:00Z"),
        ("scheduledDate", "2026-03-05T00:00:00.1234567Z", "2026-03-05T00:00:00.1234567Z"),
        ("specialInstructions", " Gate 4417\nDog\x00 \u200b", "Gate 4417\nDog"),
    ],
)
def test_fields_as_they_are_written(field: str, written: str, read_as: str) -> None:
    found = data_of("booking.created", BOOKED | {field: written})

    assert isinstance(found, Booking)
    assert found.model_dump(by_alias=True)[field] == read_as


def test_a_status_as_it_is_written() -> None:
    found = data_of("booking.status_changed", {"status": " cancelled\n"})

    assert isinstance(found, StatusChanged)
    assert found.status == "cancelled"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b'\xef\xbb\xbf{"a": "b"}', "b"),
        (rb'{"a": "\ud83d!"}', "\ufffd!"),
        (rb'{"a": "!\uDE00"}', "!\ufffd"),
        (rb'{"a": "\ud83d\ude00 \ude00\ud83d"}', "\U0001f600 \ufffd\ufffd"),
        (rb'{"a": "\\ud83d \\\ud83d"}', "\\ud83d \\\ufffd"),
        (b'{"a": "\xed\xa0\xbd"}', "\ufffd"),
        (b'{"a": "\xed\xa0\xbd\xed\xb8\x80"}', "\U0001f600"),
    ],
)
def test_half_of_a_pair_of_surrogates_costs_no_event(written: bytes, text: str) -> None:
    assert read_json(written) == {"a": text}


@pytest.mark.parametrize("value", [b"", b"\xff{", b"\xef\xbb\xbf", b"{", rb'{"a": "\u12"}'])
def test_what_is_no_json_is_none(value: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        read_json(value)


def test_the_published_schema_says_that_null_is_the_default() -> None:
    fields = Booking.model_json_schema(by_alias=True)["properties"]
    null = {name for name, part in fields.items() if {"type": "null"} in part.get("anyOf", ())}

    assert null == {field.alias for field in Booking.model_fields.values() if not field.is_required()}
    assert fields["doorCount"]["default"] == 1
    assert "maxLength" not in orjson.dumps(Cancelled.model_json_schema()).decode()


@pytest.mark.parametrize("slot", [{}, [], 0, False])
def test_what_is_no_text_is_no_slot_that_says_nothing(slot: object) -> None:
    found = validate("booking.rescheduled", RESCHEDULED | {"timeSlot": slot}, ID)
    assert isinstance(found, Invalid)
    assert [error.field for error in found.errors] == ["timeSlot"]


def test_the_schemas_pattern_of_what_is_seen_is_what_is_left_of_a_text() -> None:
    for character in map(chr, (*range(0x3100), *range(0xFE00, 0x10000))):
        assert bool(re.search(SEEN, character)) is bool(one_line(character)), ascii(character)
