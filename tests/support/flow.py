"""One test's world: its own topics on the shared Kafka, a simulator, and everything that is said in them.

Every record of every topic of the prefix is read into memory as it comes, so that tests wait for what they
mean: `await flow.view("b-1", lambda view: view["state"] == "active")`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.booking.inputs import Action
from app.booking.record import decode
from app.local.kafka import free_port
from app.settings import Settings, load
from app.simulator.faults import FaultRequest
from app.simulator.server import RunningSimulator, start
from app.simulator.simulation import SimulatorConfig
from app.simulator.tenants import A1
from app.stream import codec
from app.stream.kafka import connection
from app.stream.provision import ensure
from app.stream.topology import Topics, topics
from tests.support.topics import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from app.booking.record import Record as BookingRecord
    from app.simulator.faults import FaultRule
    from app.simulator.state.records import JobRow
    from app.simulator.tenant import Tenant
    from tests.support.garbage import Bad

PATIENCE_SECONDS = 45
SOURCE = "/tests"
PARTITIONS = 2
CREATE_JOB = "/jpm/v2/tenant/*/jobs"
_POLL_SECONDS = 0.02

BOOKING = {
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


def booking(**changes: object) -> dict[str, object]:
    """The data of a good creation, with these fields changed; None takes a field out."""
    return {name: value for name, value in {**BOOKING, **changes}.items() if value is not None}


def event(kind: str, booking_id: str, data: object, event_id: str | None = None, **more: object) -> bytes:
    """A booking event of the type `booking.{kind}`, with these attributes changed."""
    document = {
        "specversion": "1.0",
        "id": event_id or str(uuid4()),
        "source": SOURCE,
        "type": f"booking.{kind}",
        "subject": booking_id,
        "time": "2026-11-24T12:00:00Z",
        "data": data,
    }
    return orjson.dumps(document | more)


def environment(
    servers: str, prefix: str, folder: Path, simulator: RunningSimulator, **changes: str
) -> dict[str, str]:
    """The settings of a worker that loses no time."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        "TOPIC_PREFIX": prefix,
        "TOPIC_PARTITIONS": str(PARTITIONS),
        "SERVICETITAN_API_URL": simulator.url,
        "SERVICETITAN_CALLS_PER_SECOND": "1000",
        "SERVICETITAN_TIMEOUT_SECONDS": "3",
        "SERVICETITAN_SETTLE_SECONDS": "2",
        "SERVICETITAN_SWEEP_SECONDS": "0",
        "RETRY_DELAYS": "1,1,1",
        "STORE": "memory",
        "WEB_PORT": str(free_port()),
        "DATA_DIR": str(folder / "data"),
        **changes,
    }


@dataclass(slots=True)
class Flow:
    """What a test does and sees."""

    settings: Settings
    topics: Topics
    simulator: RunningSimulator
    environ: Mapping[str, str]
    records: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    """By full topic name, in the order read."""
    _producer: AIOKafkaProducer = None

    # What is sent ------------------------------------------------------------------------------------------

    async def send(self, kind: str, booking_id: str, data: object = None, event_id: str | None = None) -> str:
        """A booking event; a good creation when no data is given. Gives the event's id."""
        event_id = event_id or str(uuid4())
        value = event(kind, booking_id, booking() if data is None else data, event_id)
        await self.send_raw(booking_id.encode(), value)
        return event_id

    async def send_raw(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
        topic: str | None = None,
    ) -> tuple[str, int, int]:
        """A record for `booking-events`, or another topic; gives where it stands."""
        written = await self._producer.send_and_wait(
            topic or self.topics.booking_events.name,
            value,
            key=key,
            partition=partition,
            headers=list((headers or {}).items()),
        )
        return written.topic, written.partition, written.offset

    async def send_record(self, topic: str, record: Bad, partition: int) -> None:
        """Any record, to any topic; what aiokafka will not send is left out."""
        if record.key is None and record.value is None:
            return
        headers = [(name, text or b"") for name, text in record.headers]
        await self._producer.send_and_wait(
            topic, record.value, key=record.key, partition=partition, headers=headers
        )

    async def send_many(self, records: list[tuple[bytes, bytes]]) -> None:
        """Many records for `booking-events`, in order."""
        sent = [
            await self._producer.send(self.topics.booking_events.name, value, key=key)
            for key, value in records
        ]
        await asyncio.gather(*sent)

    async def act(
        self,
        kind: Literal["retry", "repair", "discard"],
        booking_id: str,
        *,
        data: dict[str, Any] | None = None,
        event: str | None = None,
    ) -> str:
        """An operator's action; gives the signal's id."""
        signal_id = str(uuid4())
        action = Action(kind=kind, by="ops", why="because", event=event, data=data)
        value = codec.encode_action(booking_id, action, event_id=signal_id, now=datetime.now(UTC))
        await self.send_raw(booking_id.encode(), value, topic=self.topics.signals.name)
        return signal_id

    # What is seen ------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
        """Returns when the condition holds; else the test fails and shows what was announced."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            shown = [one.value for one in self.of(self.topics.jobs.name)]
            raise AssertionError(f"not so after {seconds} s; announced: {shown}") from None

    def of(self, topic: str, key: str | None = None) -> list[Record]:
        """The records of a topic, in the order read; of one key."""
        wanted = None if key is None else key.encode()
        return [one for one in self.records[topic] if wanted is None or one.key == wanted]

    def announced(self, booking_id: str) -> list[dict[str, Any]]:
        """The CloudEvents about a booking on `servicetitan-jobs`."""
        return [orjson.loads(one.value or b"null") for one in self.of(self.topics.jobs.name, booking_id)]

    def types(self, booking_id: str) -> list[str]:
        """Their types."""
        return [one["type"] for one in self.announced(booking_id)]

    def latest(self, booking_id: str) -> dict[str, Any]:
        """The booking's latest view, empty before the first."""
        said = self.announced(booking_id)
        return said[-1]["data"] if said else {}

    async def view(self, booking_id: str, **fields: object) -> dict[str, Any]:
        """The booking's latest view once it has these values (`status` is the job's)."""

        def is_so() -> bool:
            view = self.latest(booking_id)
            seen = {**view, "status": (view.get("job") or {}).get("status")}
            return bool(view) and all(seen[name] == value for name, value in fields.items())

        await self.until(is_so)
        return self.latest(booking_id)

    async def dead(self, key: str, count: int = 1) -> list[Record]:
        """The dead letters with this key, once there are so many."""
        await self.until(lambda: len(self.of(self.topics.dead_letter.name, key)) >= count)
        return self.of(self.topics.dead_letter.name, key)

    def reasons(self, key: str) -> list[str]:
        """The reasons of the dead letters with this key."""
        return [one.headers["x-reason"].decode() for one in self.of(self.topics.dead_letter.name, key)]

    def timers(self, booking_id: str) -> list[Record]:
        """The records of the retry topics with this key."""
        return [one for topic in self.topics.retry for one in self.of(topic.name, booking_id)]

    def row(self, booking_id: str) -> BookingRecord | None:
        """The booking's row as its changelog has it."""
        rows = self.of(self.topics.changelog("bookings").name, booking_id)
        return decode(rows[-1].value) if rows and rows[-1].value else None

    def decisions(self, booking_id: str) -> list[str]:
        """What was decided for a booking, line by line."""
        row = self.row(booking_id)
        return [] if row is None else [entry.decision for entry in row.timeline]

    async def decided(self, booking_id: str, beginning: str) -> None:
        """Returns when a decision that begins so stands in the booking's timeline."""
        await self.until(lambda: any(one.startswith(beginning) for one in self.decisions(booking_id)))

    # What ServiceTitan does --------------------------------------------------------------------------------

    def fault(self, kind: str, path: str, method: str = "POST", **more: object) -> FaultRule:
        """Let calls go wrong, from now on."""
        state = self.simulator.state
        fields = {"kind": kind, "path": path, "method": method, **more}
        request = FaultRequest.model_validate(fields)
        return state.faults.add(request, state.monotonic())

    def well_again(self) -> None:
        """Take all faults back."""
        self.simulator.state.faults.clear()

    def jobs(self, booking_id: str) -> list[JobRow]:
        """The booking's jobs in ServiceTitan."""
        return [row for row in self.simulator.state.world.jobs.in_order if row.booking_key == booking_id]

    def effects(self, booking_id: str) -> list[str]:
        """What was done to the booking's jobs, in order, without the appointment that comes with each."""
        world = self.simulator.state.world
        return [
            effect.kind
            for effect in world.effects
            if effect.booking == booking_id and effect.kind != "appointment.created"
        ]

    def calls(self, method: str, route: str) -> int:
        """How many calls of a route there were (`POST /jpm/v2/tenant/{tenant}/jobs`)."""
        return self.simulator.state.journal.by_route[f"{method} {route}"]

    # Reading -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        arguments = connection(self.settings)
        self._producer = AIOKafkaProducer(**arguments, acks="all", max_request_size=3_000_000)
        reader = AIOKafkaConsumer(
            **arguments,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=3_000_000,
            fetch_max_wait_ms=50,
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._producer.stop)
            await self._producer.start()
            stack.push_async_callback(reader.stop)
            await reader.start()
            reader.assign(
                [TopicPartition(topic.name, n) for topic in self.topics for n in range(topic.partitions)]
            )
            reading = asyncio.create_task(self._read(reader))
            stack.callback(reading.cancel)
            yield

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        async for one in reader:
            self.records[one.topic].append(
                Record(
                    topic=one.topic,
                    partition=one.partition,
                    offset=one.offset,
                    timestamp=one.timestamp,
                    key=one.key,
                    value=one.value,
                    headers=dict(one.headers),
                )
            )


@asynccontextmanager
async def simulated(tenant: Tenant = A1) -> AsyncIterator[RunningSimulator]:
    """A simulator without delays, failures and limits."""
    running = await start(
        SimulatorConfig(
            tenant=tenant,
            port=0,
            seed=1,
            failure_rate=0,
            delays="none",
            calls_per_second=0,
            token_calls_per_second=0,
        )
    )
    try:
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def flow_on(
    servers: str, prefix: str, folder: Path, simulator: RunningSimulator, **changes: str
) -> AsyncIterator[Flow]:
    """A world without a worker yet; topics are made."""
    environ = environment(servers, prefix, folder, simulator, **changes)
    settings = load(environ)
    found = await ensure(topics(settings), connection(settings))
    flow = Flow(settings=settings, topics=found.topics, simulator=simulator, environ=environ)
    async with flow.open():
        yield flow
