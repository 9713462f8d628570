"""The lanes of phone numbers: gives each request to `customer_lane.resolve` and carries out its effects."""

from dataclasses import dataclass
from typing import Any

from app.booking.asks import CreateCustomer, CreateLocation
from app.booking.customer_lane import (
    CallCustomer,
    CustomerEffect,
    CustomerRequest,
    CustomerRow,
    IntendCustomer,
    Known,
    SaveCustomer,
    Unhappy,
    after_intent,
    after_row,
    decode_row,
    encode_row,
    is_open,
    resolve,
    row_of,
)
from app.booking.events import Unusable
from app.booking.inputs import Intent
from app.booking.outcomes import Unsure
from app.booking.record import with_generation
from app.stream import codec
from app.stream.booking_lanes import LaneParts, dead_letter
from app.stream.message import Message
from app.stream.partition import partition_for
from app.stream.sender import Outgoing


class CustomerLanes:
    """Works `customer-requests`, one at a time per phone; the dispatcher sees to that."""

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts

    async def on_request(self, message: Message) -> None:
        """Answer one request on `booking-signals`."""
        request = codec.read_customer_request(message)
        if isinstance(request, Unusable):
            letter = codec.letter_for(request, self._parts.now())
            await self._parts.app.publish_all([dead_letter(self._parts.topics, letter)])
            self._parts.narrator.turned_away(letter)
            return
        if isinstance(request, codec.CustomerForgotten):
            await self._forget(request, message.partition)
            return
        answer = await _PhoneLane(self._parts, request, message.partition).run()
        self._parts.narrator.customer(request, answer)
        key = request.booking_id.encode()
        signals = self._parts.topics.signals
        await self._parts.app.publish_all(
            [
                Outgoing(
                    signals.name,
                    key,
                    codec.encode_answer(request, answer, now=self._parts.now()),
                    codec.CLOUD_EVENT_HEADERS,
                    partition_for(key, signals.partitions),
                )
            ]
        )

    async def _forget(self, gone: codec.CustomerForgotten, partition: int) -> None:
        """The answer leaves with the last booking that used it; too early costs a search and no more."""
        if await self._parts.is_used(gone):
            return
        tables, phone = self._parts.tables, gone.phone.encode()
        intent = codec.decode_intent(tables.intents.get(partition, b"c/" + phone))
        if intent is not None and intent.what == gone.digest:
            await tables.intents.delete(partition, b"c/" + phone)
        row = phone + b"/" + gone.digest.encode()
        if tables.customers.get(partition, row) is not None:
            await tables.customers.delete(partition, row)


@dataclass(frozen=True, slots=True)
class _PhoneLane:
    """One request on its way."""

    parts: LaneParts
    request: CustomerRequest
    partition: int

    async def run(self) -> Known | Unhappy:
        lane = self._lane
        row = self._row(self.request.digest)
        intent = self._intent()
        under_way = is_open(intent, None if intent is None else self._row(intent.what))
        if not under_way:
            self.parts.settling.forget(lane)
        running = under_way and self.parts.settling.left(lane) > 0
        policy = self.parts.policy
        steps = resolve(
            self.request,
            row,
            now=self.parts.now(),
            under_way=running,
            by_name=policy.business.customers.by_name,
        )
        result: Any = None
        while True:
            try:
                effect = steps.send(result)
            except StopIteration as ended:
                answer: Known | Unhappy = ended.value
                intent = self._intent()
                if not is_open(intent, None if intent is None else self._row(intent.what)):
                    self.parts.settling.forget(lane)
                return answer
            result = await self._carry_out(effect)

    @property
    def _lane(self) -> str:
        return f"phone/{self.request.order.phone}"

    @property
    def _intent_key(self) -> bytes:
        return b"c/" + self.request.order.phone.encode()

    def _intent(self) -> Intent | None:
        row = self.parts.tables.intents.get(self.partition, self._intent_key)
        return codec.decode_intent(row)

    def _row(self, digest: str) -> CustomerRow | None:
        row = self.parts.tables.customers.get(self.partition, self._row_key(digest))
        return None if row is None else decode_row(row)

    def _row_key(self, digest: str) -> bytes:
        return f"{self.request.order.phone}/{digest}".encode()

    async def _carry_out(self, effect: CustomerEffect) -> Any:  # noqa: ANN401 - each effect says what it is answered with
        match effect:
            case IntendCustomer(digest=digest):
                at = after_row(self.parts.now(), self._row(digest))
                intent = Intent(turn=0, what=digest, at=at)
                generation = self.parts.tables.intents.generation(self.partition, self._intent_key)
                row = with_generation(codec.encode_intent(intent), generation)
                return await self.parts.tables.intents.put(self.partition, self._intent_key, row)
            case SaveCustomer(digest=digest, known=known):
                return await self._save(digest, known)
            case CallCustomer():
                return await self._call(effect)

    async def _save(self, digest: str, known: Known | None) -> None:
        at = after_intent(self.parts.now(), self._intent())
        row = row_of(known, at)
        await self.parts.tables.customers.put(self.partition, self._row_key(digest), encode_row(row))

    async def _call(self, call: CallCustomer) -> Any:  # noqa: ANN401 - each ask has its own value
        came = await self.parts.calls.perform(
            call.ask, lane=self._lane, partition=self.partition, traceparent=self._traceparent()
        )
        creates = isinstance(call.ask, (CreateCustomer, CreateLocation))
        if creates and not self.parts.app.still_mine(self.partition):
            self.parts.narrator.sent_late(self.request.booking_id, call.ask)
        if creates and isinstance(came.outcome, Unsure) and came.sent_at is not None:
            if came.outcome.http_status is None:
                self.parts.settling.sent(self._lane, came.sent_at)
            else:
                # It has settled by the next retry.
                self.parts.settling.answered(self._lane, float(self.parts.policy.retry_delays[0]))
        return came.outcome

    def _traceparent(self) -> str | None:
        trace = self.request.trace_id
        return None if trace is None else codec.traceparent(trace, self.request.booking_id)
