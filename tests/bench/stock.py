"""Bookings that have their job, and events for them, made by the hundred thousand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
from aiokafka import AIOKafkaProducer

from app.booking.events import Booking
from app.booking.identity import NOTHING_SEEN, Identity, Progress, mark
from app.booking.record import Customer, Entry, Job, Lane, Record, State, encode
from app.booking.status import Status
from app.stream.partition import partition_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = "/booking-system"
_BATCH_BYTES = 200_000
_VISIT = datetime(2027, 3, 2, 16, tzinfo=UTC)

BOOKED = {
    "firstName": "Ana",
    "lastName": "Lopez",
    "phone": "(602) 555-0123",
    "email": "ana@example.com",
    "address": "12 W Camelback Rd",
    "city": "Phoenix",
    "state": "AZ",
    "zip": "85016",
    "problemType": "broken_spring",
    "scheduledDate": "2027-03-02T00:00:00Z",
    "timeSlot": "9:00 AM - 11:00 AM",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A booking whose job stands in ServiceTitan, by their ids."""

    booking: str
    job: int
    customer: int = 1
    location: int = 1
    appointment: int = 1


def known(count: int) -> list[Known]:
    """So many of them, for an upstream that believes any id."""
    return [Known(f"b-{number:07}", 1_000_000 + number, appointment=number + 1) for number in range(count)]


def row(one: Known) -> bytes:
    """Its row as a worker wrote it when the job was made."""
    start = _VISIT + timedelta(minutes=one.job % 500_000)
    job = Job(
        id=one.job,
        number=str(one.job),
        customer_id=one.customer,
        location_id=one.location,
        appointment_id=one.appointment,
        business_unit="Phoenix_Central",
        status=Status.SCHEDULED,
        status_at=NOW,
        scheduled_date=str(BOOKED["scheduledDate"]),
        time_slot=str(BOOKED["timeSlot"]),
        start=start,
        end=start + timedelta(hours=2),
        minutes=120,
        created_at=NOW,
        updated_at=NOW,
    )
    digest = Identity(source=SOURCE, id=f"{one.booking}/created").digest()
    record = Record(
        booking_id=one.booking,
        generation=1,
        sequence=3,
        state=State.ACTIVE,
        booking=Booking.model_validate(BOOKED),
        customer=Customer(digest=digest, customer_id=one.customer, location_id=one.location),
        job=job,
        lane=Lane(turn=3),
        seen=mark(NOTHING_SEEN, digest, Progress.WORKED),
        timeline=tuple(_lines(one)),
        changed_at=NOW,
        caused_by=f"{one.booking}/created",
    )
    return encode(record)


def _lines(one: Known) -> Iterator[Entry]:
    for asked, decision in (("-", "customer asked for"), ("CreateJob", f"job {one.job} created")):
        yield Entry(
            at=NOW,
            event=f"{one.booking}/created",
            asked=asked,
            outcome="Accepted",
            decision=decision,
            http_status=200,
            duration_ms=120,
        )


def first_visit() -> datetime:
    """The earliest visit that `row` gives out."""
    return _VISIT


def reschedule(booking: str, number: int, *, event_id: str = "") -> bytes:
    """A `booking.rescheduled`; each number is another time."""
    hour = number % 8
    return _event(
        "booking.rescheduled",
        booking,
        event_id or f"{booking}/{number}",
        {
            "scheduledDate": f"2027-03-{10 + number % 10}T00:00:00Z",
            "timeSlot": f"{hour + 1}:00 AM - 11:00 AM",
        },
    )


def creation(booking: str, phone: str) -> bytes:
    """A `booking.created` of the customer with this phone."""
    return _event("booking.created", booking, f"{booking}/created", BOOKED | {"phone": phone})


def _event(kind: str, booking: str, event_id: str, data: object) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": SOURCE,
            "type": kind,
            "subject": booking,
            "time": NOW.isoformat(),
            "data": data,
        }
    )


async def pour(servers: str, topic: str, partitions: int, records: Iterable[tuple[str, bytes]]) -> None:
    """Produce (booking id, value) pairs as fast as it goes, each into the partition of its booking."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", max_request_size=4_000_000, max_batch_size=_BATCH_BYTES
    )
    await producer.start()
    sent = []
    try:
        batches = {number: producer.create_batch() for number in range(partitions)}
        for booking, value in records:
            key = booking.encode()
            partition = partition_for(key, partitions)
            if batches[partition].append(key=key, value=value, timestamp=None) is None:
                sent.append(await producer.send_batch(batches[partition], topic, partition=partition))
                batches[partition] = producer.create_batch()
                batches[partition].append(key=key, value=value, timestamp=None)
        for partition, batch in batches.items():
            if batch.record_count():
                sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
