"""Bookings whose creation failed once, in Kafka as the worker left them that tried it: row, intent, timer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.booking.asks import CreateJob
from app.booking.customers import customer_order, order_digest
from app.booking.engine import decide
from app.booking.events import BookingEvent, RawEvent, read
from app.booking.identity import Identity
from app.booking.inputs import Answered, Arrived, CustomerResolved, Facts, Intent, Policy, Signal
from app.booking.lane import Perform
from app.booking.outcomes import Failed
from app.booking.record import Record, SendTimer, encode
from app.business_file import load_business
from app.stream.codec import encode_intent, timer_headers
from tests.support.simulated import add_customer

if TYPE_CHECKING:
    from app.booking.inputs import Given
    from app.simulator.state.records import CustomerRow
    from tests.kill.books import Produced
    from tests.kill.trial import Trial

PERSONS = 200
_POLICY = Policy(business=load_business(), retry_delays=(1, 2, 3))


async def leave(running: Trial) -> None:
    """Let each creation that was sent have failed once, with nothing of it left uncommitted."""
    topics = running.kafka.topics
    persons = [
        add_customer(running.upstream.world, phone=f"602{3000000 + number}", name=f"Known {number}")
        for number in range(PERSONS)
    ]
    async with AIOKafkaProducer(bootstrap_servers=running.kafka.servers, linger_ms=5) as producer:
        for one in running.produced:
            key, at = one.story.booking_id.encode(), one.partition
            row = _failed_once(one, topics.booking_events.name, persons[one.story.person])
            intent = Intent(turn=row.lane.turn - 1, what=CreateJob.__name__, at=row.changed_at)
            (timer,) = (owed for owed in row.owes if isinstance(owed, SendTimer))
            await producer.send(topics.changelog("intents").name, encode_intent(intent), b"b/" + key, at)
            await producer.send(topics.changelog("bookings").name, encode(row), key, at)
            await producer.send(
                topics.retry_after(timer.delay).name,
                one.story.value(one.step),
                key,
                at,
                headers=list(timer_headers((), timer)),
            )
    await _commit(running)


async def _commit(running: Trial) -> None:
    name = running.kafka.topics.booking_events.name
    consumer = AIOKafkaConsumer(
        bootstrap_servers=running.kafka.servers,
        group_id=running.kafka.topics.consumer_group,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(name, n) for n in range(running.kafka.topics.booking_events.partitions)]
        consumer.assign(partitions)
        await consumer.commit(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


def _failed_once(one: Produced, topic: str, customer: CustomerRow) -> Record:
    """The row of this creation, which waits for its second attempt."""
    key = one.story.booking_id.encode()
    event = read(
        RawEvent(
            topic=topic,
            partition=one.partition,
            offset=one.offset,
            key=key,
            value=one.story.value(one.step),
        )
    )
    assert isinstance(event, BookingEvent)
    row, _ = _after(None, Arrived(event=event))
    known = CustomerResolved(
        turn=row.lane.turn,
        digest=order_digest(customer_order(row.booked)),
        customer_id=customer.id,
        location_id=customer.location_ids[0],
    )
    row, asked = _after(row, _signal(event, known))
    assert isinstance(asked, Perform)
    assert isinstance(asked.ask, CreateJob)
    failed = Answered(ask=asked.ask, outcome=Failed(detail="no connection"), duration_ms=1)
    row, _ = _after(row, failed)
    return row


def _after(row: Record | None, given: Given) -> tuple[Record, object]:
    facts = Facts(now=datetime.now(UTC), me="an earlier worker", settle_left=0.0, policy=_POLICY)
    decision = decide(row if row is None else replace(row, owes=()), given, facts)
    assert decision.record is not None
    return replace(decision.record, generation=1, sequence=decision.record.sequence + 1), decision.then


def _signal(event: BookingEvent, says: CustomerResolved) -> Signal:
    # It came by a topic of that worker's day, so that no signal of the trial is taken for it.
    return Signal(
        booking_id=event.booking_id,
        event_id="answer",
        digest=Identity(source="/answers", id=event.booking_id).digest(),
        says=says,
        trace_id=None,
        raw=replace(event.raw, topic="earlier signals"),
    )
