"""The published schemas: frozen, complete, and telling the same as what reads and writes the events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, FormatChecker

from app.booking.events import BookingEvent, Invalid, RawEvent, read
from app.booking.inputs import Signal
from app.business_file import load_business
from app.commands.published import Published, events, files, schema
from app.commands.schemas import schemas
from app.stream import codec
from app.stream.message import Message

FOLDER = Path(__file__).parents[3] / "schemas"
EVENTS = {event.type: event for event in events()}
OF_BOOKINGS = [event for event in EVENTS.values() if event.topic == "booking-events"]
OF_SIGNALS = [event for event in EVENTS.values() if event.topic == "booking-signals"]


def validator(event: Published) -> Draft202012Validator:
    return Draft202012Validator(schema(event), format_checker=FormatChecker())


def raw(document: dict[str, Any]) -> RawEvent:
    key = str(document["subject"]).encode()
    return RawEvent(topic="booking-events", partition=0, offset=0, key=key, value=orjson.dumps(document))


def message(document: dict[str, Any], key: str) -> Message:
    return Message("a-topic", 0, 0, 0.0, key.encode(), orjson.dumps(document))


def test_the_schemas_are_frozen() -> None:
    for name, text in files().items():
        assert (FOLDER / name).read_bytes() == text, (
            f"schemas/{name} differs from the code: if the contract was meant to change, "
            "run `servicetitan-stream schemas`"
        )
    assert {path.name for path in FOLDER.glob("events/*.json")} == {f"{kind}.json" for kind in EVENTS}


@pytest.mark.parametrize("kind", EVENTS)
def test_each_schema_is_one_and_its_example_is_right_by_it(kind: str) -> None:
    Draft202012Validator.check_schema(schema(EVENTS[kind]))
    validator(EVENTS[kind]).validate(EVENTS[kind].example)


@pytest.mark.parametrize("event", OF_BOOKINGS, ids=lambda event: event.type)
def test_the_service_reads_the_examples_of_booking_events(event: Published) -> None:
    seen = read(raw(event.example))
    assert isinstance(seen, BookingEvent)
    assert seen.type == event.type
    assert seen.data is not None
    assert not isinstance(seen.data, Invalid)


@pytest.mark.parametrize("event", OF_SIGNALS, ids=lambda event: event.type)
def test_the_service_reads_the_examples_of_signals(event: Published) -> None:
    seen = codec.read_signal(message(event.example, event.example["subject"]))
    assert isinstance(seen, Signal if event.key == "the booking id" else codec.NoteSignal)


def test_the_service_reads_the_example_of_a_customer_request() -> None:
    event = EVENTS["customer.requested"]
    seen = codec.read_customer_request(message(event.example, event.example["data"]["order"]["phone"]))
    assert codec.encode_customer_request(seen, now=_time(event)) == orjson.dumps(event.example)  # type: ignore[arg-type]  # else it is Unusable and the test fails


def _time(event: Published) -> Any:  # noqa: ANN401 - a datetime
    from datetime import datetime

    return datetime.fromisoformat(event.example["time"])


WRONG = [
    ("booking.created", {"firstName": ""}),
    ("booking.created", {"phone": "555-0123"}),
    ("booking.created", {"phone": None}),
    ("booking.created", {"email": 5}),
    ("booking.created", {"state": "Arizona"}),
    ("booking.created", {"zip": "8501"}),
    ("booking.created", {"problemType": "broken_window"}),
    ("booking.created", {"scheduledDate": "tomorrow"}),
    ("booking.created", {"doorCount": 11}),
    ("booking.created", {"doorCount": "2"}),
    ("booking.created", {"isRenter": "no"}),
    ("booking.created", {"specialInstructions": 5}),
    ("booking.rescheduled", {"scheduledDate": None}),
    ("booking.status_changed", {"status": "lost"}),
    ("booking.status_changed", {"technicianIds": ["501"]}),
    ("booking.cancelled", {"reason": 5}),
]


@pytest.mark.parametrize(("kind", "change"), WRONG, ids=lambda part: str(part)[:40])
def test_what_the_schema_refuses_the_service_refuses_too(kind: str, change: dict[str, Any]) -> None:
    example = EVENTS[kind].example
    wrong = {**example, "data": {**example["data"], **change}}
    assert not validator(EVENTS[kind]).is_valid(wrong)
    seen = read(raw(wrong), load_business().problem_types)
    assert isinstance(seen, BookingEvent)
    assert isinstance(seen.data, Invalid)


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "subject", "time", "data"])
def test_each_attribute_is_needed(attribute: str) -> None:
    event = EVENTS["booking.created"]
    without = {name: value for name, value in event.example.items() if name != attribute}
    assert not validator(event).is_valid(without)


def test_the_command_writes_what_is_missing_and_removes_what_is_no_schema(tmp_path: Path) -> None:
    runner = CliRunner()
    assert (
        runner.invoke(schemas, ["--folder", str(tmp_path), "--check"], standalone_mode=False).return_value
        == 1
    )
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "booking.exploded.json").write_text("{}")
    written = runner.invoke(schemas, ["--folder", str(tmp_path)], standalone_mode=False)
    assert written.return_value == 0
    assert "removed" in written.output
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")}
    assert found == files().keys()
    checked = runner.invoke(schemas, ["--folder", str(tmp_path), "--check"], standalone_mode=False)
    assert checked.return_value == 0
    (tmp_path / "events" / "job.created.json").write_text("{}")
    again = runner.invoke(schemas, ["--folder", str(tmp_path), "--check"], standalone_mode=False)
    assert (again.return_value, "job.created.json" in again.output) == (1, True)
