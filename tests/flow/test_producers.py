"""Events as any producer sends them: with every codec of Kafka, by two families of clients."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from app.stream.kafka import connection
from tests.support.flow import booking, event

if TYPE_CHECKING:
    from tests.support.flow import Flow

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
EACH = 3
"""More than one, so that a batch is worth its codec."""


def events(client: str, codec: str) -> dict[bytes, bytes]:
    ids = [f"{client}-{codec}-{number}" for number in range(EACH)]
    return {one.encode(): event("created", one, booking(note="x" * 500)) for one in ids}


async def by_aiokafka(flow: Flow, codec: str) -> None:
    compression = None if codec == "none" else codec
    async with AIOKafkaProducer(
        **connection(flow.settings), compression_type=compression, linger_ms=20
    ) as producer:
        sent = [
            await producer.send(flow.topics.booking_events.name, value, key=key)
            for key, value in events("aiokafka", codec).items()
        ]
        await asyncio.gather(*sent)


def by_librdkafka(servers: str, topic: str, codec: str) -> None:
    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": servers,
        "compression.type": codec,
        "partitioner": "murmur2_random",
        "linger.ms": 20,
    }
    producer = Producer(settings)
    for key, value in events("librdkafka", codec).items():
        producer.produce(topic, value, key)
    assert producer.flush(30) == 0


@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
async def test_events_of_every_codec_become_jobs(flow: Flow, client: str) -> None:
    for codec in CODECS:
        if client == "aiokafka":
            await by_aiokafka(flow, codec)
        else:
            servers = ",".join(flow.settings.kafka_bootstrap_servers)
            await asyncio.to_thread(by_librdkafka, servers, flow.topics.booking_events.name, codec)
    for codec in CODECS:
        for key in events(client, codec):
            await flow.view(key.decode(), state="active")
