"""Records to Kafka: nothing counts before the broker has acknowledged it.

Faust's own sends are not used for anything that matters: a failed one is only logged, and its event is
committed all the same.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from faust.exceptions import ProducerSendError

from app.stream import faults
from app.stream.errors import TooLarge, WriteLost
from app.stream.ownership import Ownership, current_work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faust.types.transports import ProducerT
    from faust.types.tuples import RecordMetadata

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_LARGEST_RECORD = 1024 * 1024

# With these a broker says that it did not write, and would not have before.
_NOT_WRITTEN = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send. Without a partition the key decides (murmur2); `timestamp` is epoch seconds."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    timestamp: float | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Where an acknowledged record stands."""

    topic: str
    partition: int
    offset: int


class Sender:
    """Sends with the app's one producer, and waits for the broker's acknowledgement.

    What a handler sends is sent on behalf of its message's partition: it raises NotMine when that is lost.
    """

    def __init__(
        self,
        producer: "Callable[[], ProducerT]",
        ownership: Ownership,
        largest: Mapping[str, int] | None = None,
    ) -> None:
        self._producer = producer
        self._ownership = ownership
        self._largest = largest or {}
        self.acknowledged = 0

    async def send(self, record: Outgoing, *, owner: int | None = None) -> Written:
        """Send one record on behalf of partition `owner`. Raises NotMine, WriteLost."""
        return (await self.send_all([record], owner=owner))[0]

    async def send_all(self, records: Sequence[Outgoing], *, owner: int | None = None) -> list[Written]:
        """Send records together and wait for all; gives them in the same order.

        Raises NotMine, WriteLost, and TooLarge before anything is sent: a broker that refuses a record takes
        none of an idempotent producer behind it.

        When the broker does not take one, it and all after it are sent again, so that the last record of a
        key stays the last: a record may then stand in the log twice.
        """
        for record in records:
            self._must_fit(record)
        written: list[Written] = []
        pause = _FIRST_PAUSE_SECONDS
        in_doubt = False
        while len(written) < len(records):
            await self._ensure(owner)
            acknowledged, failure, unanswered = await self._attempt(records[len(written) :])
            in_doubt |= unanswered
            written += acknowledged
            self.acknowledged += len(acknowledged)
            if failure is None:
                continue
            topic = records[len(written)].topic
            if not _passes(failure):
                raise WriteLost(f"{topic} refused a record: {failure!r}", in_doubt=in_doubt) from failure
            _log.warning("%s does not take a record (%r): again", topic, failure)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        return written

    def _must_fit(self, record: Outgoing) -> None:
        size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(
            record.key, record.value, list(record.headers)
        )
        most = self._largest.get(record.topic, _LARGEST_RECORD)
        if size > most:
            raise TooLarge(f"{size} bytes for {record.topic}, which takes {most}")

    async def _ensure(self, owner: int | None) -> None:
        work = current_work.get()
        if owner is None and work is not None:
            owner = work.partition
        if owner is not None:
            await self._ownership.ensure(owner)

    async def _attempt(self, records: Sequence[Outgoing]) -> tuple[list[Written], Exception | None, bool]:
        """What was acknowledged up to the first failure, that failure, and whether more may be written."""
        for record in records:
            faults.reach("before-publish", record.topic)
        futures, left_out = await self._hand_over(records)
        written: list[Written] = []
        failure: Exception | None = None
        in_doubt = False
        for future in futures:
            try:
                result = await future
            except Exception as wrong:  # noqa: BLE001 - which of them passes is judged by the caller
                failure = failure or wrong
                in_doubt |= not isinstance(wrong, _NOT_WRITTEN)
                continue
            if failure is None:
                written.append(Written(result.topic, result.partition, result.offset))
                faults.reach("after-publish", result.topic)
        return written, failure or left_out, in_doubt

    async def _hand_over(
        self, records: Sequence[Outgoing]
    ) -> "tuple[list[Awaitable[RecordMetadata]], Exception | None]":
        producer = self._producer()
        futures: list[Awaitable[RecordMetadata]] = []
        for record in records:
            try:
                futures.append(
                    await producer.send(
                        record.topic,
                        record.key,
                        record.value,
                        record.partition,
                        record.timestamp,
                        list(record.headers),
                    )
                )
            except ProducerSendError as wrapped:
                return futures, _cause(wrapped)
            except KafkaError as failure:
                return futures, failure
        return futures, None


def _cause(wrapped: ProducerSendError) -> Exception:
    cause = wrapped.__cause__
    return cause if isinstance(cause, Exception) else wrapped


def _passes(failure: Exception) -> bool:
    """Whether sending again may help."""
    # aiokafka's own time-out, of waiting for room or metadata, does not say of itself that it passes.
    return isinstance(failure, KafkaTimeoutError) or (isinstance(failure, KafkaError) and failure.retriable)
