"""Answers to sends that a single broker does not give by itself, written in Kafka's protocol."""

from __future__ import annotations

from io import BytesIO

from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError
from aiokafka.protocol.api import RequestHeader_v1, ResponseHeader_v0
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7

_SIZE_BYTES = 4
_NOWHERE = -1


def refusal(request: bytes) -> bytes:
    """The answer NOT_ENOUGH_REPLICAS to a send (a whole frame) that no broker was given."""
    read = BytesIO(request[_SIZE_BYTES:])
    _, version, correlation, _ = (field.decode(read) for field in RequestHeader_v1.SCHEMA.fields)
    assert version == ProduceRequest_v7.API_VERSION, version
    asked = ProduceRequest_v7.decode(read)
    topics = [
        (topic, [(partition, NotEnoughReplicasError.errno, *[_NOWHERE] * 3) for partition, _ in partitions])
        for topic, partitions in asked.topics
    ]
    return _framed(correlation, topics)


def doubted(answer: bytes, version: int) -> bytes:
    """The same answer (a whole frame) with NOT_ENOUGH_REPLICAS_AFTER_APPEND for every partition."""
    assert version == ProduceRequest_v7.API_VERSION, version
    read = BytesIO(answer[_SIZE_BYTES:])
    (correlation,) = (field.decode(read) for field in ResponseHeader_v0.SCHEMA.fields)
    given = ProduceResponse_v7.decode(read)
    topics = [
        (
            topic,
            [
                (partition, NotEnoughReplicasAfterAppendError.errno, *[_NOWHERE] * 3)
                for partition, *_ in partitions
            ],
        )
        for topic, partitions in given.topics
    ]
    return _framed(correlation, topics)


def _framed(correlation: int, topics: object) -> bytes:
    header = ResponseHeader_v0.SCHEMA.encode([correlation])
    body: bytes = header + ProduceResponse_v7.SCHEMA.encode([topics, 0])
    return len(body).to_bytes(_SIZE_BYTES) + body
