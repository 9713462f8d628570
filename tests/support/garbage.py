"""Records and batches that nobody should send, made from a seed."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from tests.support.flow import booking, event

if TYPE_CHECKING:
    from random import Random

    from aiokafka import AIOKafkaProducer

_ODD: tuple[object, ...] = (
    *(None, True, 0, -1, 1e300, 2**63, 2**64, -(2**63), 0.5, "", " ", "\x00", "é\u202e", "x" * 5000, [], {}),
    *("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2026-11-24T12:00:00Z", "²", "1" * 5000),
)
_HEADERS = (
    "x-kind",
    "x-turn",
    "x-attempt",
    "x-reason",
    "ce_id",
    "ce_specversion",
    "content-type",
    "traceparent",
)
_TYPES = (
    *(
        "booking.created",
        "booking.rescheduled",
        "booking.status_changed",
        "booking.cancelled",
        "customer.requested",
    ),
    *("action.retry", "action.repair", "action.discard", "action.note", "job.observed"),
    *("customer.resolved", "customer.failed", "job.completed", ""),
)


@dataclass(frozen=True, slots=True)
class Bad:
    """One record."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


def bad(random: Random) -> Bad:
    """A record of bytes, of JSON, or one like ours with something wrong in it."""
    headers = [_header(random) for _ in range(random.choice((0, 0, 1, 5)))]
    key = random.choice((b"b-1", b"b-1", b"b-2", b"6025550123", b"", b"\xff", random.randbytes(20), None))
    match random.randrange(4):
        case 0:
            value = random.choice((None, b"", random.randbytes(random.randrange(200)), b"[" * 5000))
        case 1:
            value = orjson.dumps(_json(random))
        case _:
            value = _like_ours(random)
    return Bad(key, value, headers)


def _header(random: Random) -> tuple[str, bytes | None]:
    texts = (b"expire", b"recheck", b"restate", b"overdue", b"1", b"9" * 5000, b"\xff", b"1.0", None)
    return random.choice(_HEADERS), random.choice(texts)


def _json(random: Random, depth: int = 3) -> object:
    if depth == 0 or random.random() < 0.5:
        return _small(random.choice(_ODD))
    if random.random() < 0.5:
        return [_json(random, depth - 1) for _ in range(3)]
    names = ("data", "jobId", "status", "turn", "letters", "closes", "plan", "reason")
    return {random.choice(names): _json(random, depth - 1) for _ in range(3)}


def _small(value: object) -> object:
    return float(value) if isinstance(value, int) and abs(value) >= 2**63 else value


def _like_ours(random: Random) -> bytes:
    """One of our events, with up to three fields changed to something odd."""
    data: dict[str, Any] = booking() | {
        "by": "ops",
        "why": "because",
        "jobId": 1001,
        "status": "completed",
        "at": "2026-11-24T12:00:00Z",
        "seenBy": "sweep",
        "turn": 1,
        "digest": "d",
        "customerId": 5,
        "locationId": 6,
        "outcome": "failed",
        "detail": "no",
        "reason": "refused",
        "text": "note",
        "occurredAt": "2026-11-24T12:00:00Z",
        "data": random.choice((None, booking(), {"reveals": True}, _json(random))),
        "order": dict.fromkeys(("name", "phone", "email", "street", "city", "state", "zip"), "x"),
        "booking_id": "b-1",
        "fresh": False,
        "trace_id": "0" * 32,
        "httpStatus": 500,
    }
    document = orjson.loads(event("x", "b-1", data)) | {"type": random.choice(_TYPES)}
    for _ in range(random.randrange(4)):
        place = random.choice((document, data))
        place[random.choice(list(place))] = _small(random.choice(_ODD))
    if isinstance(document["data"], dict):
        document["data"] = data
    return orjson.dumps(document)


def row(random: Random) -> bytes:
    """What is no row of ours, in a changelog."""
    return random.choice(
        (random.randbytes(50), b"", b"7", b"[]", b"{}", b'{"generation":"x"}', b'{"sequence":1e99}')
    )


# Batches --------------------------------------------------------------------------------------------------


def batch(records: list[Bad], codec: int = 0) -> bytes:
    """A batch as it is stored."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=2**30,
    )
    for number, one in enumerate(records):
        builder.append(number, timestamp=1_700_000_000_000, key=one.key, value=one.value, headers=one.headers)
    return bytes(builder.build())


def with_checksum(data: bytes) -> bytes:
    """The same with the checksum that it should have."""
    made = bytearray(data)
    struct.pack_into(">I", made, 17, calc_crc32c(bytes(made[21:])))
    return bytes(made)


async def send_batch(producer: AIOKafkaProducer, topic: str, partition: int, data: bytes) -> None:
    """Send a batch to the byte. Raises KafkaError when the broker will not have it."""
    made = producer.create_batch()
    made.append(key=b"k", value=b"v", timestamp=None)
    made.close()
    made._build = lambda: bytearray(data)
    await (await producer.send_batch(made, topic, partition=partition))
