"""The description of the topics: valid AsyncAPI 3, and true to topics, headers and events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from app.batches import Broken
from app.booking.reasons import Reason
from app.booking.record import SendDeadLetter, SendTimer, Trouble
from app.commands.asyncapi import FAILURE_HEADERS, RETRY_HEADERS, document
from app.commands.published import Published, asyncapi_events, events, files
from app.settings import load
from app.stream import codec
from app.stream.topology import topics
from tests.support.rows import NOW, a_head

OFFICIAL = orjson.loads((Path(__file__).parents[2] / "asyncapi" / "3.0.0.json").read_bytes())
TOPICS = topics(load({}))
DOCUMENT: dict[str, Any] = orjson.loads(files()["asyncapi.json"])


def resolved(reference: str) -> object:
    found = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(part: object) -> list[str]:
    match part:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [found for value in part.values() for found in references(value)]
        case list():
            return [found for value in part for found in references(value)]
        case _:
            return []


def test_the_official_schema_takes_it() -> None:
    jsonschema.Draft7Validator(OFFICIAL).validate(DOCUMENT)


def test_the_official_schema_refuses_what_is_wrong() -> None:
    channel = {**DOCUMENT["channels"]["booking-events"], "adress": "x"}
    wrong = {**DOCUMENT, "channels": {"booking-events": channel}}
    assert not jsonschema.Draft7Validator(OFFICIAL).is_valid(wrong)


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert len(found) > 50
    assert all(resolved(reference) for reference in found)


def test_every_topic_but_changelogs_is_a_channel_as_it_is_created() -> None:
    public = [topic for topic in TOPICS if topic not in TOPICS.changelogs]
    assert list(DOCUMENT["channels"]) == [topic.name for topic in public]
    for topic in public:
        kafka = DOCUMENT["channels"][topic.name]["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        configuration = kafka["topicConfiguration"]
        written = {**configuration, "cleanup.policy": ",".join(configuration["cleanup.policy"])}
        assert {name: str(value) for name, value in written.items()} == topic.must_be


def test_every_event_is_a_message_of_its_topic_with_its_schema() -> None:
    for event in events():
        assert event.type in DOCUMENT["channels"][event.topic]["messages"]
        message = DOCUMENT["components"]["messages"][event.type]
        assert message["payload"] == {"$ref": f"#/components/schemas/{event.type}"}


@pytest.mark.parametrize("event", list(events()), ids=lambda event: event.type)
def test_an_example_is_valid_by_the_schema_in_the_document(event: Published) -> None:
    schema = {**DOCUMENT["components"]["schemas"][event.type], "components": DOCUMENT["components"]}
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(event.example)
    assert not validator.is_valid({**event.example, "type": "other"})
    # Only a cancellation says all that is needed without any.
    without = {name: value for name, value in event.example.items() if name != "data"}
    assert validator.is_valid(without) is (event.type == "booking.cancelled")


def test_the_headers_are_those_that_the_codec_writes() -> None:
    trouble = Trouble(reason=Reason.REFUSED, detail="no", attempts=1, http_status=400, at=NOW)
    letter = SendDeadLetter(raw=a_head().raw, trouble=trouble, first_failed=NOW, trace_id="0" * 32)
    broken = Broken("", 1, "")
    assert {name for name, _ in codec.dead_letter(letter, broken)[2]} == set(FAILURE_HEADERS)
    timer = codec.timer_headers((), SendTimer(turn=1, delay=5, attempt=1, due=NOW))
    scanned = codec.scan_headers(1, "overdue")
    assert {name for name, _ in (*timer, *scanned)} == set(RETRY_HEADERS)


def test_headers_that_are_always_there_are_the_required_ones() -> None:
    trouble = Trouble(reason=Reason.UNREADABLE, detail="", attempts=0, http_status=None, at=NOW)
    letter = SendDeadLetter(raw=a_head().raw, trouble=trouble, first_failed=NOW)
    required = DOCUMENT["components"]["messages"]["dead-letter"]["headers"]["required"]
    assert set(required) <= {name for name, _ in codec.dead_letter(letter)[2]}
    required = DOCUMENT["components"]["messages"]["timer"]["headers"]["required"]
    assert set(required) <= {name for name, _ in codec.scan_headers(1, "expire")}


def test_one_name_for_two_definitions_is_noticed() -> None:
    first, second, *_ = asyncapi_events()
    clash = [
        replace(first, schema={**first.schema, "$defs": {"Same": {"type": "string"}}}),
        replace(second, schema={**second.schema, "$defs": {"Same": {"type": "integer"}}}),
    ]
    with pytest.raises(ValueError, match="Same is defined in two ways"):
        document(TOPICS, clash)
