"""A record as a handler gets it, free of Faust."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.batches import Broken
from app.booking.events import with_values

if TYPE_CHECKING:
    from faust.types import Message as FaustMessage


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka record: bytes as they came.

    `timestamp` is the record's own, in epoch seconds. `again` is true when this very message was given to its
    handler before, under the same ownership, and was interrupted (`NotMine`): its key is to be treated as
    touched for the first time.
    """

    topic: str
    partition: int
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    again: bool = False
    broken: Broken | None = None
    """The value is the first part of bytes that cannot be read, and this says why."""


def message_of(record: "FaustMessage") -> Message:
    """A record of Faust's as a handler gets it."""
    headers = record.headers or ()
    broken: object = record.checksum
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=with_values(headers.items() if isinstance(headers, Mapping) else headers),
        broken=broken if isinstance(broken, Broken) else None,
    )
