"""The lanes of bookings: gives each input to `protocol.handle` and carries out the effects it yields."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.batches import Broken
from app.booking.asks import Ask, CreateJob, FindJob
from app.booking.customer_lane import CustomerRequest
from app.booking.customers import customer_order, customers_of, order_digest
from app.booking.events import BookingEvent, RawEvent, Unusable, read
from app.booking.inputs import (
    Answered,
    Arrived,
    Expire,
    Facts,
    Fired,
    Given,
    Intent,
    Overdue,
    Policy,
    Recheck,
    Restate,
)
from app.booking.protocol import (
    Call,
    Effect,
    Intend,
    Keep,
    Look,
    Publish,
    Read,
    Remove,
    Save,
    handle,
    needs_settling,
)
from app.booking.reasons import Reason
from app.booking.record import (
    Announce,
    Drop,
    Head,
    Owed,
    Record,
    RequestCustomer,
    SendDeadLetter,
    SendTimer,
    decode,
    decode_head,
    encode,
    encode_head,
    with_generation,
)
from app.stream import codec, faults
from app.stream.cache import Recent
from app.stream.calls import LaneCalls
from app.stream.faust_app import StreamApp
from app.stream.message import Message
from app.stream.narrator import Narrator
from app.stream.partition import partition_for
from app.stream.sender import Outgoing
from app.stream.settling import Settling
from app.stream.tables import OwnedTable
from app.stream.topology import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of the lanes, by name."""

    bookings: OwnedTable
    intents: OwnedTable
    behind: OwnedTable
    customers: OwnedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParts:
    """What lanes are made of. `me` names this assignment of this process; `now` gives the wall clock.

    `is_used` says whether another booking is of the customer that a leaving one was of.
    """

    app: StreamApp
    topics: Topics
    tables: Tables
    calls: LaneCalls
    settling: Settling
    policy: Policy
    narrator: Narrator
    me: Callable[[], str]
    is_used: Callable[[codec.CustomerForgotten], Awaitable[bool]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


_TOUCHED_BYTES = 32 * 1024 * 1024
"""Of rows as they are stored; a record takes some times that in memory."""
_NO_ROW_BYTES = 200


class BookingLanes:
    """Works events, timers and signals of bookings; the dispatcher gives one at a time per booking."""

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts
        self._app = parts.app
        self._topics = parts.topics
        self._tables = parts.tables
        self._touched: Recent[str, Record | None] = Recent(_TOUCHED_BYTES)
        self._interrupted: set[str] = set()
        """Bookings of which an input did not come to its end: their rows may owe what was not sent."""

    # Inputs ------------------------------------------------------------------------------------------------

    async def on_event(self, message: Message) -> None:
        """A record of `booking-events`."""
        event = read(codec.raw_event(message), self._parts.policy.business.problem_types)
        match event:
            case Unusable():
                await self.dead_letter_alone(event)
            case BookingEvent() if self._misplaced(message):
                detail = f"partition {message.partition} is not murmur2 of the key"
                await self.dead_letter_alone(
                    Unusable(reason=Reason.WRONG_PARTITION, detail=detail, raw=event.raw)
                )
            case BookingEvent():
                await self._work(event.booking_id, Arrived(event=event), message)

    async def on_timer(self, message: Message) -> None:
        """A record of a retry topic that is due."""
        timer = codec.read_timer(message)
        if isinstance(timer, Unusable):
            await self.dead_letter_alone(timer)
            return
        given: Given
        match timer.kind:
            case "timer":
                given = Fired(turn=timer.turn)
            case "overdue":
                given = Overdue(turn=timer.turn)
            case "expire":
                given = Expire()
            case "restate":
                given = Restate()
            case "recheck":
                given = Recheck()
        await self._work(timer.booking_id, given, message)

    async def on_signal(self, message: Message) -> None:
        """A record of `booking-signals`."""
        signal = codec.read_signal(message)
        match signal:
            case codec.NoteSignal():
                return
            case Unusable():
                await self.dead_letter_alone(signal)
            case _ if self._misplaced(message):
                detail = f"partition {message.partition} is not murmur2 of the key"
                await self.dead_letter_alone(
                    Unusable(reason=Reason.WRONG_PARTITION, detail=detail, raw=signal.raw)
                )
            case _:
                await self._work(signal.booking_id, signal, message)

    def forget(self) -> None:
        """The partitions went: every row is touched for the first time again, by whoever worked it last."""
        self._touched.clear()
        self._interrupted.clear()
        self._parts.settling.start_over()

    def _misplaced(self, message: Message) -> bool:
        return message.partition != partition_for(message.key or b"", self._topics.booking_events.partitions)

    async def dead_letter_alone(self, unusable: Unusable, broken: Broken | None = None) -> None:
        """Send what belongs to no booking to the dead letter topic.

        `broken` says that the record stands for bytes that cannot be read.
        """
        letter = codec.letter_for(unusable, self._parts.now())
        await self._app.publish_all([dead_letter(self._topics, letter, broken)])
        self._parts.narrator.turned_away(letter)

    # One input ---------------------------------------------------------------------------------------------

    async def _work(self, booking_id: str, given: Given, message: Message) -> None:
        if message.again:
            self._touched.drop(booking_id)
            self._interrupted.add(booking_id)
        key = booking_id.encode()
        if booking_id in self._touched:
            record, size = self._touched.get(booking_id)
            first_touch = False
        else:
            row = self._tables.bookings.get(message.partition, key)
            record, size = (None, _NO_ROW_BYTES) if row is None else (_decoded(row, booking_id), len(row))
            # What it has written itself it has sent as well, however long ago it forgot that.
            own = record is not None and record.written_by == self._parts.me()
            first_touch = not own or booking_id in self._interrupted
        intent = self._intent(message.partition, key)
        if not needs_settling(record, intent):
            self._parts.settling.forget(booking_id)
        lane = _Lane(self._parts, booking_id, message.partition, record, size)
        try:
            record = await lane.run(given, intent, first_touch=first_touch)
        except BaseException:
            # What stands in the store is all that is known now.
            self._touched.drop(booking_id)
            self._interrupted.add(booking_id)
            raise
        self._interrupted.discard(booking_id)
        if not needs_settling(record, lane.intent):
            # Else an entry would stand for each job that was made, until its booking's next input.
            self._parts.settling.forget(booking_id)
        self._touched.put(booking_id, record, lane.size)

    def _intent(self, partition: int, key: bytes) -> Intent | None:
        row = self._tables.intents.get(partition, b"b/" + key)
        return codec.decode_intent(row)


class _Lane:
    """One input of one booking on its way."""

    def __init__(
        self, parts: LaneParts, booking_id: str, partition: int, record: Record | None, size: int
    ) -> None:
        self.size = size
        """Of the row as it was read or last written, in bytes."""
        self.intent: Intent | None = None
        """As it stands now; what is decided is decided by what it was when the input came."""
        self._parts = parts
        self._tables = parts.tables
        self._booking_id = booking_id
        self._key = booking_id.encode()
        self._partition = partition
        self._told = record

    async def run(self, given: Given, intent: Intent | None, *, first_touch: bool) -> Record | None:
        steps = handle(self._told, given, intent, first_touch=first_touch)
        self._intent = self.intent = intent
        result: Any = None
        while True:
            try:
                effect = steps.send(result)
            except StopIteration as ended:
                record: Record | None = ended.value
                return record
            result = await self._carry_out(effect)

    async def _carry_out(self, effect: Effect) -> Any:  # noqa: ANN401 - each effect says what it is answered with
        match effect:
            case Look(record=record):
                return self._facts(record)
            case Save(record=record, along=along):
                return await self._save(record, along)
            case Publish(record=record, owed=owed):
                return await self._publish(record, owed)
            case Keep(rows=rows):
                kept = {self._slot(slot): self._kept(slot, head) for slot, head in rows}
                return await self._tables.behind.put_many(self._partition, kept)
            case Read(slot=slot):
                row = self._tables.behind.get(self._partition, self._slot(slot))
                return None if row is None else decode_head(row)
            case Intend(intent=intent):
                self.intent = intent
                key = b"b/" + self._key
                generation = self._tables.intents.generation(self._partition, key)
                row = with_generation(codec.encode_intent(intent), generation)
                return await self._tables.intents.put(self._partition, key, row)
            case Call():
                return await self._call(effect)
            case Remove(record=record):
                return await self._remove(record)

    def _kept(self, slot: str, head: Head) -> bytes:
        generation = self._tables.behind.generation(self._partition, self._slot(slot))
        return with_generation(encode_head(head), generation)

    def _facts(self, record: Record | None) -> Facts:
        parts = self._parts
        waits = needs_settling(record, self._intent)
        left = parts.settling.left(self._booking_id) if waits else 0.0
        return Facts(now=parts.now(), me=parts.me(), settle_left=left, policy=parts.policy)

    async def _save(self, record: Record, along: tuple[Announce, ...]) -> Record:
        # A group's generation can begin again at 1: a row's own is never lowered.
        generation = max(self._parts.app.generation, record.generation)
        stamped = replace(
            record, generation=generation, sequence=record.sequence + 1, written_by=self._parts.me()
        )
        faults.reach("before-record", stamped.state)
        sends = [self._announcement(stamped, owed) for owed in along]
        row = encode(stamped)
        await self._tables.bookings.put(self._partition, self._key, row, along=sends)
        self.size = len(row)
        faults.reach("after-record", stamped.state)
        self._parts.narrator.saved(self._told, stamped)
        self._told = stamped
        return stamped

    async def _publish(self, record: Record | None, owed: tuple[Owed, ...]) -> None:
        records = [self._outgoing(record, thing) for thing in owed if not isinstance(thing, Drop)]
        if records:
            faults.reach("before-owed", owed[0].kind)
            await self._parts.app.publish_all(records)
            faults.reach("after-owed", owed[0].kind)
            if record is None:
                self._tell_turned_away(owed)
        slots = [slot for thing in owed if isinstance(thing, Drop) for slot in thing.slots]
        if slots:
            await self._tables.behind.put_many(
                self._partition, dict.fromkeys(self._slot(slot) for slot in slots)
            )

    def _tell_turned_away(self, owed: tuple[Owed, ...]) -> None:
        """What a row owes is told with the row; these have none."""
        for thing in owed:
            if isinstance(thing, SendDeadLetter):
                self._parts.narrator.turned_away(thing)

    def _outgoing(self, record: Record | None, owed: Owed) -> Outgoing:
        topics = self._parts.topics
        match owed:
            case SendDeadLetter():
                return dead_letter(topics, owed)
            case Announce() if record is not None:
                return self._announcement(record, owed)
            case SendTimer() if record is not None:
                return self._timer(record, owed)
            case RequestCustomer() if record is not None:
                return self._request(record, owed)
            case _:
                raise TypeError(f"{owed.kind} is owed by no record")

    def _announcement(self, record: Record, owed: Announce) -> Outgoing:
        value = codec.announcement(record, owed)
        return Outgoing(self._parts.topics.jobs.name, self._key, value, codec.CLOUD_EVENT_HEADERS)

    def _timer(self, record: Record, owed: SendTimer) -> Outgoing:
        head = record.lane.head
        raw = head.raw if head is not None else _nothing(self._key)
        topic = self._parts.topics.retry_after(owed.delay).name
        headers = codec.timer_headers(raw.headers, owed)
        return Outgoing(topic, self._key, raw.value, headers, self._partition)

    def _request(self, record: Record, owed: RequestCustomer) -> Outgoing:
        head = record.lane.head
        request = CustomerRequest(
            booking_id=record.booking_id,
            turn=owed.turn,
            fresh=owed.fresh,
            order=customer_order(record.booked),
            trace_id=head.trace_id if head is not None else None,
        )
        value = codec.encode_customer_request(request, now=self._parts.now())
        key = request.order.phone.encode()
        return Outgoing(self._parts.topics.customer_requests.name, key, value, codec.CLOUD_EVENT_HEADERS)

    async def _call(self, call: Call) -> Answered:
        trace = None if call.trace_id is None else codec.traceparent(call.trace_id, call.cause)
        came = await self._parts.calls.perform(
            call.ask,
            lane=self._booking_id,
            partition=self._partition,
            traceparent=trace,
            live=call.live,
            again=call.again,
        )
        if not self._parts.app.still_mine(self._partition):
            await self._sent_late(call.ask)
        sent_at = came.sent_at if isinstance(call.ask, CreateJob) else came.unanswered_at
        if sent_at is not None:
            # A second job is looked for from the send of the first, whatever that came to.
            self._parts.settling.sent(self._booking_id, sent_at)
        return Answered(
            ask=call.ask,
            outcome=came.outcome,
            duration_ms=round(came.seconds * 1000),
            unanswered=came.unanswered_at is not None,
        )

    async def _sent_late(self, ask: Ask) -> None:
        """This process slept between its last check and its socket: another one may have gone on.

        A second job is looked for by the booking's owner. Any other write can only be told of: its owner
        has no reason to doubt what it wrote itself.
        """
        match ask:
            case FindJob():
                return
            case CreateJob():
                await self._tell_the_owner()
            case _:
                self._parts.narrator.sent_late(self._booking_id, ask)

    async def _tell_the_owner(self) -> None:
        headers = codec.scan_headers(0, "recheck")
        topic = self._parts.topics.retry[0].name
        await self._parts.app.tell(Outgoing(topic, self._key, b"", headers, self._partition))

    async def _remove(self, record: Record) -> None:
        slots = {self._slot(failed.slot): None for failed in record.failed}
        if slots:
            await self._tables.behind.put_many(self._partition, slots)
        await self._parts.app.publish(self._parts.topics.jobs.name, self._key, None)
        await self._parts.app.publish_all(self._forgotten(record))
        await self._tables.intents.delete(self._partition, b"b/" + self._key)
        await self._tables.bookings.delete(self._partition, self._key)
        self._parts.narrator.left(record)

    def _forgotten(self, record: Record) -> list[Outgoing]:
        now, topic = self._parts.now(), self._parts.topics.customer_requests.name
        gone = {
            order_digest(order): codec.CustomerForgotten(
                booking_id=self._booking_id, phone=order.phone, digest=order_digest(order)
            )
            for order in customers_of(record)
        }
        return [
            Outgoing(
                topic, one.phone.encode(), codec.encode_forgotten(one, now=now), codec.CLOUD_EVENT_HEADERS
            )
            for one in gone.values()
        ]

    def _slot(self, slot: str) -> bytes:
        return f"{self._booking_id}/{slot}".encode()


def _decoded(row: bytes, booking_id: str) -> Record:
    """Raises ValueError when this is no row of this booking."""
    record = decode(row)
    if record.booking_id != booking_id:
        raise ValueError("the row is another booking's")
    return record


def dead_letter(topics: Topics, letter: SendDeadLetter, broken: Broken | None = None) -> Outgoing:
    """A dead letter as a record: the event's own key, bytes and headers, with failure headers."""
    key, value, headers = codec.dead_letter(letter, broken)
    return Outgoing(topics.dead_letter.name, key, value, headers)


def _nothing(key: bytes) -> RawEvent:
    return RawEvent(topic="", partition=0, offset=0, key=key, value=None)
