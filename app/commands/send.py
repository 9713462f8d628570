"""The command `send`: example or given booking events to Kafka."""

import asyncio
import logging
import os
from datetime import UTC, datetime
from random import Random
from typing import IO, Any
from uuid import uuid4

import click
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.booking.business import Business
from app.booking.events import BookingEvent, Invalid, RawEvent, Unusable, read
from app.commands.topic_there import require_topic
from app.local.examples import SLOTS, Examples
from app.settings import Settings, load
from app.stream.kafka import connection, wait_for_kafka
from app.stream.partition import partition_for
from app.stream.topology import topics

_KINDS = ("created", "rescheduled", "status-changed", "cancelled")
_SOURCE = "/servicetitan-stream/cli"
_LARGEST_REQUEST = 1_100_000
_EXAMPLES = """\b
Examples:
  servicetitan-stream send example
  servicetitan-stream send created --booking-id BK-7 --json booking.json
  echo '{"scheduledDate": "2027-03-02T00:00:00Z"}' |
    servicetitan-stream send rescheduled --booking-id BK-7 --json -
  servicetitan-stream send cancelled --booking-id BK-7
  servicetitan-stream send event --json cloudevent.json
"""


class _Wrong(click.UsageError):
    """What was given cannot be sent; the text says what to change."""


@click.command(epilog=_EXAMPLES)
@click.argument("what", type=click.Choice(["example", *_KINDS, "event"]))
@click.option("--booking-id", help="The booking; a new one for an example when not given.")
@click.option(
    "--json", "file", type=click.File("rb"), help="The event's data, or the whole event; - is stdin."
)
@click.option("--id", "event_id", help="The event's id; a random one when not given.")
@click.option("--source", default=_SOURCE, show_default=True, help="The event's source.")
@click.option(
    "--wait", default=30.0, show_default=True, type=click.FloatRange(0), help="Seconds to wait for Kafka."
)
def send(
    *,
    what: str,
    booking_id: str | None,
    file: IO[bytes] | None,
    event_id: str | None,
    source: str,
    wait: float,
) -> None:
    """Send one booking event: an example booking, data of one of the four types, or a whole CloudEvent.

    It is checked as a worker would check it before it is sent, and goes to its booking's partition.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    given = None if file is None else _json(file)
    settings = load(os.environ)
    if what == "event":
        document = _whole(given)
    else:
        document = {
            "specversion": "1.0",
            "id": event_id or str(uuid4()),
            "source": source,
            "type": f"booking.{'created' if what == 'example' else what.replace('-', '_')}",
            "subject": booking_id or _new_id(what),
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "data": _data(what, given, settings.business),
        }
    key, value = str(document.get("subject", "")).encode(), orjson.dumps(document)
    _check(key, value, settings.business)
    topic, partition, offset = asyncio.run(_send(settings, key, value, wait))
    click.echo(
        f"sent {document['type']} {document['id']} of booking {document['subject']} "
        f"to {topic}, partition {partition}, offset {offset}"
    )


def _json(file: IO[bytes]) -> Any:  # noqa: ANN401 - JSON
    try:
        return orjson.loads(file.read())
    except orjson.JSONDecodeError as wrong:
        raise _Wrong(f"--json {file.name}: not JSON: {wrong}") from None


def _whole(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _Wrong("event needs --json with a whole CloudEvent, a JSON object")
    return given


def _new_id(what: str) -> str:
    if what != "example":
        raise _Wrong(f"{what} needs --booking-id")
    return f"example-{uuid4().hex[:8]}"


def _data(what: str, given: object, business: Business) -> object:
    """The event's data; a cancellation needs none, and an example draws its own."""
    if given is not None:
        return given
    match what:
        case "example":
            random = Random()  # noqa: S311 - made-up people, no secret
            slots = business.slots or SLOTS
            examples = Examples(random, datetime.now(UTC), business.problem_types, slots)
            return examples.booking(examples.person())
        case "cancelled":
            return {}
        case _:
            raise _Wrong(f"{what} needs --json with the event's data")


def _check(key: bytes, value: bytes, business: Business) -> None:
    """Raises what a worker would say of the event."""
    event = read(RawEvent(topic="", partition=0, offset=0, key=key, value=value), business.problem_types)
    match event:
        case Unusable():
            raise _Wrong(f"{event.reason}: {event.detail}")
        case BookingEvent(data=Invalid() as invalid):
            lines = "\n".join(f"  {error.field}: {error.message}" for error in invalid.errors)
            raise _Wrong(f"the data of {event.type} is invalid:\n{lines}")
        case BookingEvent(data=None):
            raise _Wrong(f"unknown type {event.type}")
        case BookingEvent():
            return


async def _send(settings: Settings, key: bytes, value: bytes, wait: float) -> tuple[str, int, int]:
    """Sends the record; gives where it stands."""
    arguments = connection(settings)
    await wait_for_kafka(arguments, seconds=wait, say=lambda text: click.echo(text, err=True))
    topic = topics(settings).booking_events
    await require_topic(topic, arguments)
    producer = AIOKafkaProducer(**arguments, acks="all", max_request_size=_LARGEST_REQUEST)
    await producer.start()
    try:
        partition = partition_for(key, topic.partitions)
        headers = [("content-type", b"application/cloudevents+json")]
        written = await producer.send_and_wait(
            topic.name, value, key=key, partition=partition, headers=headers
        )
    except KafkaError as wrong:
        raise click.ClickException(f"Kafka did not take it: {wrong}") from None
    finally:
        await producer.stop()
    return topic.name, written.partition, written.offset
