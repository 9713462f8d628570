"""A record as a handler gets it, free of Faust."""

from dataclasses import dataclass


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
