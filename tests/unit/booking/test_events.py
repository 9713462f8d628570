"""Reading booking events: contract section 2, and what breaks it (rule 10)."""

import base64
import tracemalloc
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.events import (
    HEADER_BYTES,
    LARGEST_EVENT,
    LARGEST_RECORD,
    Booking,
    BookingEvent,
    Cancelled,
    FieldError,
    Invalid,
    RawEvent,
    Rescheduled,
    StatusChanged,
    Unread,
    Unusable,
    phone_key,
    read,
    size_of,
    validate,
    with_values,
)
from app.booking.identity import Identity
from app.booking.reasons import Reason
from app.booking.status import Status
from app.booking.visits import appointment
from tests.support.bookings import BOOKED, BUSINESS, ID, NOW, RESCHEDULED, SOURCE, booking, event, raw

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def changed(value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> RawEvent:
    found = raw()
    return RawEvent(
        topic=found.topic,
        partition=0,
        offset=0,
        key=found.key,
        value=value,
        headers=headers,
    )


def unusable(record: RawEvent) -> Unusable:
    found = read(record)
    assert isinstance(found, Unusable)
    assert found.raw == record
    return found


def errors(**changes: object) -> dict[str, str]:
    found = validate("booking.created", BOOKED | changes, ID, BUSINESS.problem_types)
    assert isinstance(found, Invalid), found
    return {error.field: error.message for error in found.errors}


def test_a_structured_event() -> None:
    found = event(offset=3)

    assert (found.booking_id, found.type, found.time) == (ID, "booking.created", NOW)
    assert found.identity == Identity(source=SOURCE, id="e3")
    assert found.data == booking()
    assert found.trace_id is None


def test_a_binary_event() -> None:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"e1"),
        ("ce_source", SOURCE.encode()),
        ("ce_type", b"booking.rescheduled"),
        ("ce_subject", ID.encode()),
        ("ce_time", b"2026-03-02T16:00:00Z"),
        ("ce_traceparent", TRACE.encode()),
    )

    found = read(changed(orjson.dumps(RESCHEDULED), headers=headers))

    assert isinstance(found, BookingEvent)
    assert found.data == Rescheduled(
        scheduled_date=RESCHEDULED["scheduledDate"], time_slot=RESCHEDULED["timeSlot"]
    )
    assert found.trace_id == TRACE_ID


def with_base64(text: object, **more: object) -> RawEvent:
    document = orjson.loads(raw("booking.rescheduled", RESCHEDULED).value or b"")
    del document["data"]
    return changed(orjson.dumps(document | {"data_base64": text} | more))


def test_data_may_stand_in_base64() -> None:
    found = read(with_base64(base64.b64encode(orjson.dumps(RESCHEDULED)).decode()))
    plain = read(raw("booking.rescheduled", RESCHEDULED))

    assert isinstance(found, BookingEvent)
    assert isinstance(plain, BookingEvent)
    assert (found.data, found.booking_id) == (plain.data, ID)
    for nothing in (None, ""):
        cancelled = read(with_base64(nothing, type="booking.cancelled"))
        assert isinstance(cancelled, BookingEvent)
        assert cancelled.data == Cancelled()


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("%%%%", {}, "must be JSON in base64"),
        ("e30", {}, "must be JSON in base64"),
        ("\u00e9", {}, "must be JSON in base64"),
        ("e30K e30K", {}, "must be JSON in base64"),
        (7, {}, "must be JSON in base64"),
        (base64.b64encode(b"{").decode(), {}, "must be JSON in base64"),
        ("e30=", {"data": {}}, "must not stand beside data"),
    ],
)
def test_base64_that_holds_no_data_is_invalid(text: object, more: dict[str, object], message: str) -> None:
    found = read(with_base64(text, **more))

    assert isinstance(found, BookingEvent)
    assert found.data == Invalid(errors=(FieldError(field="data_base64", message=message),))
    assert validate("booking.other", Unread(FieldError(field="f", message="m")), ID) is None


def binary_headers(content_type: str | None) -> tuple[tuple[str, bytes], ...]:
    attributes = {"specversion": "1.0", "id": "e2", "source": SOURCE, "type": "booking.rescheduled"}
    attributes |= {"subject": ID, "time": "2026-03-02T16:00:00Z"}
    headers = tuple((f"ce_{name}", text.encode()) for name, text in attributes.items())
    return headers if content_type is None else (("Content-Type", content_type.encode()), *headers)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+json",
        "application/cloudevents+json; charset=utf-8",
        " Application/CloudEvents+JSON;charset=UTF-8",
        "application/cloudevents",
    ],
)
def test_the_content_type_of_a_cloud_event_says_that_it_is_structured(content_type: str) -> None:
    found = read(replace(raw(), headers=binary_headers(content_type)))

    assert isinstance(found, BookingEvent)
    assert found.identity.id != "e2"
    assert isinstance(found.data, Booking)


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", ""])
def test_any_other_content_type_says_that_it_is_binary(content_type: str | None) -> None:
    found = read(changed(orjson.dumps(RESCHEDULED), headers=binary_headers(content_type)))

    assert isinstance(found, BookingEvent)
    assert found.identity.id == "e2"


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents-batch+json", "application/cloudevents+avro"]
)
def test_another_format_of_cloud_events_is_unreadable_and_named(content_type: str) -> None:
    found = unusable(replace(raw(), headers=binary_headers(content_type)))

    assert found.reason is Reason.UNREADABLE
    assert content_type in found.detail


def test_a_header_that_only_looks_binary_leaves_the_event_structured() -> None:
    found = read(raw(headers=(("ce_traceparent", TRACE.encode()),)))

    assert isinstance(found, BookingEvent)
    assert found.trace_id == TRACE_ID


@pytest.mark.parametrize(
    ("headers", "attributes", "trace"),
    [
        ((("traceparent", TRACE.encode()),), {}, TRACE_ID),
        ((), {"traceparent": TRACE}, TRACE_ID),
        ((("traceparent", b"\xff"),), {}, None),
        ((), {"traceparent": "nonsense"}, None),
    ],
)
def test_the_trace_id_is_taken_when_it_is_well_formed(
    headers: tuple[tuple[str, bytes], ...], attributes: dict[str, Any], trace: str | None
) -> None:
    found = read(raw(headers=headers, **attributes))

    assert isinstance(found, BookingEvent)
    assert found.trace_id == trace


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "the value is null"),
        (b"\x00\xff", "not JSON"),
        (b"[1]", "the JSON is no object"),
        (b"{}", "specversion: Field required"),
        (orjson.dumps({"specversion": "0.3"}), "specversion: String should match pattern"),
    ],
)
def test_what_is_no_cloud_event_is_unreadable(value: bytes | None, detail: str) -> None:
    found = unusable(changed(value))

    assert found.reason is Reason.UNREADABLE
    assert detail in found.detail


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"subject": "x" * 101}, "subject"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-03-02T16:00:00"}, "time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time"),
        ({"id": ""}, "id"),
    ],
)
def test_a_wrong_attribute_is_named(attributes: dict[str, Any], field: str) -> None:
    document = {**orjson.loads(raw().value or b""), **attributes}

    found = unusable(changed(orjson.dumps(document)))

    assert found.reason is Reason.UNREADABLE
    assert f"{field}:" in found.detail


def test_a_time_is_taken_in_utc() -> None:
    assert event(time="2026-03-02T09:00:00-07:00").time.isoformat() == "2026-03-02T16:00:00+00:00"


def test_a_binary_header_that_is_no_text_is_unreadable() -> None:
    found = unusable(changed(b"{}", headers=(("ce_specversion", b"1.0"), ("ce_id", b"\xff"))))

    assert (found.reason, found.detail) == (Reason.UNREADABLE, "not a CloudEvent: a ce_ header is not UTF-8")


def test_a_large_event_is_too_large_on_sight() -> None:
    assert unusable(changed(b"x" * (LARGEST_EVENT + 1))).reason is Reason.TOO_LARGE
    assert unusable(changed(b"x" * LARGEST_EVENT)).reason is Reason.UNREADABLE


def test_what_stands_around_a_large_event_is_as_large() -> None:
    large = b"x" * LARGEST_RECORD

    assert unusable(replace(raw(), headers=(("x-large", large),))).reason is Reason.TOO_LARGE
    assert unusable(raw(key=large)).reason is Reason.TOO_LARGE


def test_value_and_surroundings_are_bounded_by_one_sum() -> None:
    full = changed(b"x" * LARGEST_EVENT)
    room = LARGEST_RECORD - size_of(full)
    assert room > 15 * 1024
    for headers, takes in (
        ((("h", b"x" * (room - HEADER_BYTES - 3)),), True),
        ((("h", b"x" * (room - HEADER_BYTES - 2)),), False),
        # A row is JSON, where each of these takes six.
        ((("\x01" * (room // 6 + 1), b""),), False),
    ):
        found = unusable(replace(full, headers=headers))
        assert (found.reason is Reason.UNREADABLE) is takes, found.detail
        assert ("with its key and headers" in found.detail) is not takes


def test_many_headers_are_as_large_as_what_keeps_them() -> None:
    assert unusable(replace(raw(), headers=(("", b""),) * 300_000)).reason is Reason.TOO_LARGE
    assert isinstance(read(replace(raw(), headers=(("", b""),) * 1_000)), BookingEvent)


def test_what_is_too_large_is_not_remembered() -> None:
    tracemalloc.start()
    try:
        for number in range(20):
            unusable(changed(b"%d" % number + b"x" * 1_000_000))
            event("booking.created", BOOKED | {"note": f"{number}" + "x" * 60_000})
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000


@pytest.mark.parametrize("key", [None, b"another"])
def test_a_key_that_is_not_the_subject_is_wrong(key: bytes | None) -> None:
    assert unusable(raw(key=key)).reason is Reason.WRONG_KEY


def test_an_unknown_type_has_no_data() -> None:
    assert event("booking.exploded", {}).data is None


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"firstName": " "}, "firstName", "at least 1 character"),
        ({"lastName": "x" * 101}, "lastName", "at most 100 characters"),
        ({"phone": "12345"}, "phone", "must have 10 to 15 digits once punctuation is dropped"),
        ({"phone": "1" * 16}, "phone", "10 to 15 digits"),
        ({"email": "nobody"}, "email", "not a valid email address"),
        ({"state": "Arizona"}, "state", "match pattern"),
        ({"zip": "8500"}, "zip", "five digits"),
        ({"problemType": "haunted"}, "problemType", "must be one of broken_spring"),
        ({"scheduledDate": "2026-03-05"}, "scheduledDate", "with an offset"),
        ({"scheduledDate": "2026-03-05T00:00:00"}, "scheduledDate", "with an offset"),
        ({"scheduledDate": "20260305T000000Z"}, "scheduledDate", "with an offset"),
        ({"scheduledDate": "2026-13-05T00:00:00Z"}, "scheduledDate", "with an offset"),
        ({"scheduledDate": "0001-01-01T00:00:00+05:00"}, "scheduledDate", "with an offset"),
        ({"timeSlot": "noon"}, "timeSlot", "two times of one day"),
        ({"doorCount": 0}, "doorCount", "greater than or equal to 1"),
        ({"doorCount": 11}, "doorCount", "less than or equal to 10"),
        ({"doorCount": "2"}, "doorCount", "valid integer"),
        ({"doorAge": -1}, "doorAge", "greater than or equal to 0"),
        ({"phone": "6025550143.0"}, "phone", "a number with a fraction"),
        ({"bookingId": "another"}, "bookingId", f"must equal the event's subject ({ID})"),
    ],
)
def test_a_field_that_breaks_the_contract_is_named(
    changes: dict[str, object], field: str, message: str
) -> None:
    found = errors(**changes)

    assert list(found) == [field]
    assert message in found[field]


def test_every_wrong_field_is_listed_without_its_value() -> None:
    found = validate("booking.created", {"phone": "666"}, ID)

    assert isinstance(found, Invalid)
    assert {"firstName", "lastName", "phone", "email", "zip"} <= {error.field for error in found.errors}
    assert "firstName: Field required; lastName: Field required; phone: must have" in str(found)
    assert "666" not in str(found)


@pytest.mark.parametrize("data", [[], "text", 1])
def test_data_that_is_no_object_is_invalid(data: object) -> None:
    found = validate("booking.cancelled", data, ID)

    assert isinstance(found, Invalid)
    assert found.errors[0].field == "data"


def test_data_too_deep_to_be_written_again_is_invalid() -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]

    found = validate("booking.cancelled", deep, ID)

    assert str(found) == "data: must be a JSON object"


def test_fields_left_out_have_their_defaults_and_unknown_ones_are_ignored() -> None:
    found = booking(colour="red", bookingId=ID)

    assert (found.door_count, found.is_renter, found.door_age) == (1, False, None)
    assert validate("booking.cancelled", {}, ID) == Cancelled(reason="Customer request")


def test_a_status_with_technicians() -> None:
    found = validate("booking.status_changed", {"status": "dispatched", "technicianIds": [1, 2]}, ID)

    assert found == StatusChanged(status=Status.DISPATCHED, technician_ids=(1, 2))


def test_two_bookings_are_the_same_however_the_id_was_written() -> None:
    assert booking().same_as(booking(bookingId=ID))
    assert not booking().same_as(booking(firstName="Grace"))


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("(602) 555-0123", "+16025550123"),
        ("+1 602.555.0123", "+16025550123"),
        ("1-602-555-0123", "+16025550123"),
        ("0000000000", "0000000000"),
        ("+44 20 7946 0958", "+442079460958"),
        ("no number", ""),
        ("+2012000000", "+12012000000"),
    ],
)
def test_one_phone_however_it_was_typed(typed: str, key: str) -> None:
    assert phone_key(typed) == key


@given(st.text("0123456789 ()-.+", max_size=25))
def test_the_key_of_a_phone_is_its_own_key(typed: str) -> None:
    assert phone_key(phone_key(typed)) == phone_key(typed)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
ANY_HEADERS = st.lists(
    st.tuples(st.sampled_from(["ce_id", "ce_specversion", "traceparent", "x"]), st.binary(max_size=8)),
    max_size=4,
)


@given(st.binary(max_size=200) | st.none(), st.binary(max_size=10) | st.none(), ANY_HEADERS)
def test_reading_any_bytes_never_raises(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    record = RawEvent(topic="t", partition=0, offset=0, key=key, value=value, headers=tuple(headers))

    assert isinstance(read(record), Unusable)


@given(
    st.sampled_from(
        ["booking.created", "booking.rescheduled", "booking.status_changed", "booking.cancelled"]
    ),
    ANY_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(BOOKED, ANY_JSON)),
)
def test_reading_any_data_never_raises(type_: str, data: object) -> None:
    document = {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": type_,
        "subject": ID,
        "time": NOW.isoformat(),
    }
    value = orjson.dumps(document | {"data": data}, option=orjson.OPT_NON_STR_KEYS) if _fits(data) else b"{}"

    assert isinstance(read(changed(value)), BookingEvent | Unusable)


def _fits(data: object) -> bool:
    try:
        orjson.dumps(data)
    except TypeError:
        return False
    return True


@given(st.datetimes(), st.sampled_from(["Z", "+14:00", "-12:00", "+00:30"]))
def test_every_date_that_is_taken_can_be_made_an_appointment(when: datetime, offset: str) -> None:
    text = when.replace(tzinfo=None).isoformat(timespec="seconds") + offset
    data = validate("booking.rescheduled", {"scheduledDate": text}, ID)
    if isinstance(data, Rescheduled):
        for slot in (None, "9:00 AM - 11:00 PM"):
            found = appointment(data.scheduled_date, slot, 240, ZoneInfo("Pacific/Kiritimati"))
            assert found.start < found.end


def test_the_data_of_a_creation_is_a_booking() -> None:
    assert isinstance(validate("booking.created", BOOKED, ID), Booking)


def test_a_header_without_a_value_is_an_empty_one() -> None:
    assert with_values([("a", b"1"), ("b", None), ("a", b"")]) == (("a", b"1"), ("b", b""), ("a", b""))
