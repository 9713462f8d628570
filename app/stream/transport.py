"""Plugs this project's consumer and producer into Faust."""

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from faust.transport.drivers import aiokafka as driver

from app.stream.consumer import LedgerConsumer, RestingFetcher

if TYPE_CHECKING:
    from faust.types.core import HeadersArg
    from faust.types.tuples import RecordMetadata


class AcknowledgedProducer(driver.Producer):
    """Faust's producer, idempotent.

    A record that a dead connection brings in late does not stand in the log behind its successor, where
    compaction would keep it.
    """

    @property
    def client(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        """Its connections."""
        return self._ensure_producer().client

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def send(  # noqa: PLR0917 - as Faust calls it
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: "HeadersArg | None",
        *,
        transactional_id: str | None = None,
    ) -> "Awaitable[RecordMetadata]":
        """Send as Faust does, and also what aiokafka refuses: a record with neither key nor value."""
        if key is None and value is None:
            return await self._send_nothing(topic, partition, timestamp, headers)
        return await super().send(
            topic, key, value, partition, timestamp, headers, transactional_id=transactional_id
        )

    async def _send_nothing(
        self, topic: str, partition: int | None, timestamp: float | None, headers: "HeadersArg | None"
    ) -> "Awaitable[RecordMetadata]":
        producer = self._ensure_producer()
        if partition is None:
            partition = min(await producer.partitions_for(topic))
        batch = producer.create_batch()
        milliseconds = None if timestamp is None else int(timestamp * 1000)
        batch.append(key=None, value=None, timestamp=milliseconds, headers=headers)
        sent: Awaitable[RecordMetadata] = await producer.send_batch(batch, topic, partition=partition)
        return sent


class LedgerTransport(driver.Transport):
    """Faust's Kafka transport with our parts."""

    Consumer = LedgerConsumer
    Producer = AcknowledgedProducer
    Fetcher = RestingFetcher
