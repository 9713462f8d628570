"""The topics as an AsyncAPI 3 document, made from the table of topics and the published events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any, Literal

from app.booking.reasons import Reason
from app.stream.topology import Topic, Topics

JSON_EVENT = "application/cloudevents+json"
_BINDING = "0.5.0"
_TEXT = {"type": "string"}
_WHOLE = {"type": "string", "pattern": "^[0-9]+$"}
_INSTANT = {"type": "string", "format": "date-time"}

RETRY_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "x-attempt": {**_WHOLE, "description": "Attempts made."},
    "x-due": {**_INSTANT, "description": "When it is tried again."},
    "x-turn": {**_WHOLE, "description": "The lane's turn; a timer of another turn does nothing."},
    "x-kind": {**_TEXT, "description": "On a record that the scan sent, which carries no event."},
}
FAILURE_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "x-attempt": {**_WHOLE, "description": "Attempts made."},
    "x-reason": {"type": "string", "enum": list(Reason), "description": "Why it failed for good."},
    "x-detail": {**_TEXT, "description": "What exactly, at most 4 KB."},
    "x-first-failed": _INSTANT,
    "x-original-topic": _TEXT,
    "x-original-partition": _WHOLE,
    "x-original-offset": _WHOLE,
    "x-http-status": {**_WHOLE, "description": "ServiceTitan's answer, if there was one."},
    "x-trace-id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "x-length": {**_WHOLE, "description": "Of what does not stand here whole: how many bytes its value has."},
    "x-sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "And their SHA-256."},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One type of event: its name, what its key is, its JSON Schema, and a whole event as an example."""

    type: str
    topic: str
    key: str
    schema: Mapping[str, Any]
    example: Mapping[str, Any]


def document(topics: Topics, events: Iterable[Event]) -> dict[str, Any]:
    """The whole document, for topics without a prefix. The tables' changelogs are nobody else's and left out.

    Raises ValueError when two events use one name for different definitions.
    """
    events = tuple(events)
    public = [topic for topic in topics if topic not in topics.changelogs]
    messages = {topic.name: _messages(topics, topic, events) for topic in public}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "servicetitan-stream",
            "version": version("servicetitan-stream"),
            "description": (
                "Turns each online booking into exactly one ServiceTitan job. TOPIC_PREFIX stands in front "
                "of every topic. The partition is murmur2 of the key: the default of Java, aiokafka and "
                "kafkajs; librdkafka needs partitioner=murmur2_random. Booking events may also come in "
                "CloudEvents' binary mode, with ce_ headers."
            ),
            "license": {"name": "MIT"},
        },
        "defaultContentType": JSON_EVENT,
        "channels": {topic.name: _channel(topic, messages[topic.name]) for topic in public},
        "operations": dict(_operations(topics, messages)),
        "components": {
            "messages": {name: found for each in messages.values() for name, found in each.items()},
            "schemas": _schemas(events),
        },
    }


def _channel(topic: Topic, messages: Iterable[str]) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{topic.holds[:1].upper()}{topic.holds[1:]}. The key is {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": _BINDING,
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    kept = {"retention.ms": topic.retention // timedelta(milliseconds=1)} if topic.retention else {}
    return {"cleanup.policy": [topic.cleanup], "max.message.bytes": topic.max_message_bytes, **kept}


def _messages(topics: Topics, topic: Topic, events: Iterable[Event]) -> dict[str, Any]:
    """The messages on one topic, by name."""
    if topic in topics.retry_read:
        return {
            "timer": _as_it_came(
                "An event to be tried again: its own key, value and headers, and these.",
                headers=RETRY_HEADERS,
                required=("x-turn",),
            )
        }
    if topic == topics.dead_letter:
        return {
            "dead-letter": _as_it_came(
                "What could not be worked: its own key, value and headers as they came, and these.",
                headers=FAILURE_HEADERS,
                required=("x-attempt", "x-reason", "x-first-failed", "x-original-topic"),
            )
        }
    if topic == topics.webhooks:
        return {"webhook": _as_it_came("The body and headers of a webhook as they were received.")}
    return {event.type: _event(event) for event in events if event.topic == topic.name}


def _event(event: Event) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.type,
        "contentType": JSON_EVENT,
        "payload": {"$ref": f"#/components/schemas/{event.type}"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": event.key}, "bindingVersion": _BINDING}
        },
        "examples": [{"name": event.type, "payload": dict(event.example)}],
    }


def _as_it_came(
    says: str, *, headers: Mapping[str, Mapping[str, Any]] | None = None, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A message whose value is somebody else's, with headers of ours."""
    found: dict[str, Any] = {"summary": says, "contentType": "application/octet-stream"}
    if headers is not None:
        properties = {name: dict(schema) for name, schema in headers.items()}
        found["headers"] = {"type": "object", "properties": properties, "required": list(required)}
    return found


def _operations(topics: Topics, messages: Mapping[str, Iterable[str]]) -> Iterable[tuple[str, Any]]:
    """What this service does: it reads some topics, writes others, and some are its own both ways."""
    read = (
        topics.booking_events,
        topics.signals,
        *topics.retry_read,
        topics.customer_requests,
        topics.webhooks,
    )
    written = (
        *topics.retry,
        topics.dead_letter,
        topics.signals,
        topics.customer_requests,
        topics.webhooks,
        topics.jobs,
    )
    for topic in read:
        yield f"read-{topic.name}", _operation("receive", topic, messages[topic.name])
    for topic in written:
        yield f"write-{topic.name}", _operation("send", topic, messages[topic.name])


def _operation(action: Literal["send", "receive"], topic: Topic, messages: Iterable[str]) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in messages],
    }


def _schemas(events: Iterable[Event]) -> dict[str, Any]:
    """Every event's schema and what these define, each once."""
    found: dict[str, Any] = {}
    for event in events:
        own = {name: part for name, part in event.schema.items() if name not in {"$schema", "$id", "$defs"}}
        for name, schema in {event.type: own, **event.schema.get("$defs", {})}.items():
            relocated = _relocated(schema)
            if found.setdefault(name, relocated) != relocated:
                raise ValueError(f"{name} is defined in two ways")
    return dict(sorted(found.items()))


def _relocated(part: Any) -> Any:  # noqa: ANN401 - JSON
    """The same with its references pointing to where the definitions stand in the document."""
    match part:
        case dict():
            return {name: _relocated(value) for name, value in part.items()}
        case list():
            return [_relocated(value) for value in part]
        case str() if part.startswith("#/$defs/"):
            return part.replace("#/$defs/", "#/components/schemas/")
        case _:
            return part
