"""Faust's Kafka consumer, with a ledger instead of its bookkeeping, and at rest when its flow is stopped.

Written against faust-streaming 0.15.3 and aiokafka 0.14, whose private names it uses: the kill trials of
tests/slow have to pass before either is raised.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import ConsumerStoppedError
from faust.transport.consumer import Fetcher, RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from app import batches
from app.booking.events import HEADER_BYTES
from app.stream import faults
from app.stream.clock import elapsed
from app.stream.delay import DelayGate
from app.stream.ledger import Intake, Ledger

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord
    from faust.types import Message as FaustMessage
    from faust.types.transports import TPorTopicSet

    from app.stream.faust_app import StreamApp
    from app.stream.ownership import Membership

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
"""The longest a fetch goes on without looking whether other partitions may be fetched."""
_DELIVERED_AT_ONCE = 32
"""Messages that are handed over in one round of the event loop."""
_MOST_TO_REPLAY = 16_384
"""Changelog records in memory, beyond which no more are fetched."""
_NOWHERE = TP("", -1)
"""Asked for in every fetch: aiokafka takes an empty set for all partitions, and a member without fetches for
dead."""
_RELEASED_AT_ONCE = 50
_LONGEST_FETCH_MS = 200
"""How long the broker may hold a fetch open. What is asked behind it on its connection waits as long, and a
recovery asks for the ends and beginnings of changelogs. Faust has 1,500."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, which tells the membership what the group coordinator answers."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - handed on to Faust
        self.read: dict[TP, int] = {}
        """Up to where each partition was read on from where it was last set, be it over what is never handed
        out: markers of transactions and what was rolled back."""
        super().__init__(*args, **options)

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:  # noqa: ANN401 - aiokafka has no types
        batches.install()
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _LONGEST_FETCH_MS  # noqa: SLF001 - Faust has no setting for it
        # Faust's setting for it would have this worker send in transactions as well.
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - as above
        return consumer

    async def on_start(self) -> None:
        """Listen to the coordinator from before the first join."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - aiokafka shows it nowhere else
        listen(coordinator, self._membership)
        end_with(coordinator, self._group_failed)
        succession = cast("StreamApp", self.app).succession
        if succession is not None:
            await succession.take_out_former(coordinator)

    async def on_thread_stop(self) -> None:
        """Stop to the end: aiokafka's own stop goes no further than to a fetch that waits for its broker."""
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    async def _gather_remaining_tasks(self) -> None:
        """Close what is left open, also by a question that was asked while the consumer was closing."""
        await super()._gather_remaining_tasks()
        if self._consumer is not None:
            await self._consumer._client.close()  # noqa: SLF001 - the consumer counts as closed, and does no more

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Ask for the first heartbeat at once, so that no work has to wait for one.

        Nothing is fetched before its position is set: a fetch that waits for records holds up all questions.
        """
        _log.info("%d partitions were assigned in generation %d", len(assigned), generation_id)
        self._membership.joined(generation_id)
        consumer = self._ensure_consumer()
        consumer.pause(*consumer.assignment())
        succession = cast("StreamApp", self.app).succession
        if succession is not None:
            succession.note(consumer._coordinator.member_id)  # noqa: SLF001 - as above
        await consumer._coordinator._do_heartbeat()  # noqa: SLF001 - as above
        await super().on_partitions_assigned(assigned, generation_id)

    async def first_records(self, places: Mapping[TP, int]) -> "dict[TP, ConsumerRecord[bytes, bytes]]":
        """The first record at or behind each offset; fewer when the partitions are taken away meanwhile."""
        found: dict[TP, ConsumerRecord[bytes, bytes]] = await self.call_thread(self._first_records, places)
        return found

    async def _first_records(self, places: Mapping[TP, int]) -> "dict[TP, ConsumerRecord[bytes, bytes]]":
        consumer = self._ensure_consumer()
        for tp, offset in places.items():
            consumer.seek(TopicPartition(*tp), offset)
        consumer.resume(*(TopicPartition(*tp) for tp in places))
        assignment = consumer._subscription.subscription.assignment  # noqa: SLF001 - aiokafka shows it nowhere else
        found: dict[TP, ConsumerRecord[bytes, bytes]] = {}
        while assignment.active and (left := places.keys() - found.keys()):
            fetched = await consumer._fetcher.fetched_records(left, timeout=_POLL_SECONDS)  # noqa: SLF001 - as above
            consumer.pause(*fetched)
            found |= {TP(*tp): records[0] for tp, records in fetched.items()}
        return found

    async def leave_out(self, partitions: Iterable[TP]) -> None:
        """Fetch these no further, until the next assignment."""
        await self.call_thread(self._pause, [TopicPartition(*tp) for tp in partitions])

    async def seek_to_starts(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Have each read on from where the group has committed it; gives these offsets.

        Where nothing is committed, or the broker has deleted what would come next, it is where the log
        begins. aiokafka's own leaves out partitions of which nothing is committed: a record of theirs that
        was fetched and dropped would never come again.
        """
        starts: dict[TP, int] = await self.call_thread(
            self._seek_to_starts, [TopicPartition(*tp) for tp in partitions]
        )
        return starts

    async def _seek_to_starts(self, partitions: list[TopicPartition]) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        # The public `committed` asks for one partition at a time.
        committed = await consumer._coordinator.fetch_committed_offsets(partitions)  # noqa: SLF001 - as above
        begins = await consumer.beginning_offsets(partitions)
        starts: dict[TP, int] = {}
        for tp in partitions:
            start = max(committed[tp].offset, 0) if tp in committed else 0
            if 0 < start < begins[tp]:
                _log.error("%d records of %s[%d] were deleted unread", begins[tp] - start, *tp)
            starts[TP(*tp)] = max(start, begins[tp])
            consumer.seek(tp, starts[TP(*tp)])
        self._follow(starts)
        consumer.resume(*partitions)
        return starts

    async def _highwaters(self, partitions: list[TP]) -> Mapping[TP, int]:
        """The ends of changelogs. What stands behind an open transaction counts: it may be rows of ours."""
        asking = copy(self._ensure_consumer()._fetcher)  # noqa: SLF001 - aiokafka's own asks as it reads
        asking._isolation_level = READ_UNCOMMITTED  # noqa: SLF001 - as above
        ends: Mapping[TP, int] = await asking.end_offsets(partitions, None)
        return ends

    def stable_end(self, tp: TP) -> int | None:
        """Up to where a partition can be read: an open transaction and all behind it cannot."""
        end: int | None = self._ensure_consumer().last_stable_offset(tp)
        return end

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:  # noqa: ANN401 - as above
        await super()._seek_wait(consumer, partitions)
        self._follow(partitions)
        consumer.resume(*(TopicPartition(*tp) for tp in partitions))

    def _follow(self, places: Mapping[TP, int]) -> None:
        """Note how far each is read on from here. A later seek leaps: what it leaves out was not read."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment  # noqa: SLF001 - as above
        for tp, offset in places.items():
            self.read[tp] = offset
            state = assignment.state_value(tp)
            state.consumed_to = partial(self._consumed_to, tp, state)

    def _consumed_to(self, tp: TP, state: Any, offset: int) -> None:  # noqa: ANN401 - as above
        # Of a log that was cut aiokafka reads on from its beginning: below what was committed.
        if state.position == self.read[tp] or offset < self.read[tp]:
            self.read[tp] = offset
        type(state).consumed_to(state, offset)

    async def _pause(self, partitions: list[TopicPartition]) -> None:
        consumer = self._ensure_consumer()
        consumer.pause(*consumer.assignment().intersection(partitions))

    def _group_failed(self, wrong: BaseException) -> None:
        app = cast("StreamApp", self.app)
        app.loop.call_soon_threadsafe(app.give_up, f"this worker cannot be in its group: {wrong!r}")

    @property
    def _membership(self) -> "Membership":
        return cast("StreamApp", self.app).ownership.membership


def listen(
    coordinator: Any,  # noqa: ANN401 - aiokafka has no types
    membership: "Membership",
    clock: Callable[[], float] = elapsed,
) -> None:
    """Let the membership hear of every answered heartbeat and of every loss of the generation."""
    heartbeat, reset = coordinator._do_heartbeat, coordinator.reset_generation  # noqa: SLF001 - as above

    async def heard_heartbeat() -> bool:
        sent_at = clock()
        answered: bool = await heartbeat()
        if answered:
            membership.heartbeat_answered(sent_at)
        return answered

    def heard_reset() -> None:
        membership.reset()
        reset()

    coordinator._do_heartbeat = heard_heartbeat  # noqa: SLF001 - as above
    coordinator.reset_generation = heard_reset


def end_with(coordinator: Any, failed: Callable[[BaseException], None]) -> None:  # noqa: ANN401 - as above
    """Have `failed` called with what aiokafka's coordination does not go on after by itself.

    It waits then until a fetch takes its error, and nothing is fetched while no partitions are assigned.
    """
    push = coordinator._push_error_to_user  # noqa: SLF001 - as above

    async def heard_error(wrong: BaseException) -> None:
        failed(wrong)
        await push(wrong)

    def heard_end(task: "asyncio.Task[None]") -> None:
        wrong = None if task.cancelled() else task.exception()
        if wrong is not None:
            failed(wrong)

    coordinator._push_error_to_user = heard_error  # noqa: SLF001 - as above
    coordinator._coordination_task.add_done_callback(heard_end)  # noqa: SLF001 - as above


class LedgerConsumer(driver.Consumer):
    """Delivers what it fetches, and commits what the ledgers say."""

    app: "StreamApp"

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - handed on to Faust
        self.ledgers: dict[TP, Ledger] = {}
        self._gates: dict[TP, DelayGate[Any]] = {}
        self.handed_over: dict[TP, int] = {}
        """Up to where each partition was read and handed over since its position was last set."""
        self._at_rest = asyncio.Event()
        self._one_commit = asyncio.Lock()
        super().__init__(*args, **options)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _reader(self) -> ConsumerThread:
        return cast("ConsumerThread", self._thread)

    # Fetching --------------------------------------------------------------------------------------------

    async def deliver(self, ended: Callable[[], bool]) -> None:
        """Fetch, and hand over what was fetched, until it has ended.

        Faust's own loop hands over what it fetched before the flow was stopped, and seeks by itself when it
        finds it stopped. Here nothing is handed over while the flow is stopped, and what was fetched then is
        dropped: whoever resumes the flow seeks first.
        """
        while not ended():
            records = self.scheduler.iterate(await self._next_records())
            for number, (tp, record) in enumerate(records):
                if number % _DELIVERED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if not self.flow_active:
                    break
                await self.callback(self._to_message(tp, record))
            if self.flow_active:
                self.handed_over = dict(self._reader.read)

    async def _next_records(self) -> RecordMap:
        if not self.flow_active:
            await self._rest()
            return {}
        records = await self._getmany(set(self._to_fetch()), _POLL_SECONDS)
        if not self._flows():
            return {}
        admitted = dict(self._admit(records))
        self._pass_over()
        return admitted

    def _flows(self) -> bool:
        # Asked again behind an await, where mypy takes the attribute for unchanged.
        return self.flow_active

    async def _rest(self) -> None:
        self._at_rest.set()
        try:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # mode means any event, asyncio's too
        finally:
            self._at_rest.clear()

    async def _settle(self) -> None:
        """Stop the flow, and return when no fetch is under way any more.

        Such a fetch takes records of a new assignment too, if it comes soon enough, and they are dropped: it
        has to end before a position is set.
        """
        self.stop_flow()
        self.handed_over = {}
        fetcher = self.app._fetcher  # noqa: SLF001 - Faust shows it nowhere else
        if fetcher.started and not fetcher.should_stop:
            await self._at_rest.wait()

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Set the position of each, as Faust's recovery does for changelogs, when no fetch is under way."""
        await self._settle()
        await super().seek_wait(partitions)

    async def first_records(self, places: Mapping[TP, int]) -> "dict[TP, ConsumerRecord[bytes, bytes]]":
        """The first record at or behind each offset, when no fetch is under way."""
        await self._settle()
        return await self._reader.first_records(places)

    async def seek_sources(self, sources: Iterable[TP]) -> dict[TP, int]:
        """Have each read on from where it is committed, when no fetch is under way; gives these offsets."""
        await self._settle()
        return await self._reader.seek_to_starts(sources)

    def _to_fetch(self) -> Iterator[TP]:
        yield _NOWHERE
        replay = self.app.tables.changelog_queue.qsize() < _MOST_TO_REPLAY
        for tp in self._get_active_partitions():
            ledger = self.ledgers.get(tp)
            if ledger is None:
                if replay:
                    yield tp
            elif not (ledger.crowded or self._held_out(tp)):
                yield tp

    async def leave_out(self, changelogs: Iterable[TP]) -> None:
        """Fetch no changelog any more, its table being complete.

        Faust leaves that to not reading what was fetched. aiokafka then fetches nothing from a broker for 0.1
        s, for each partition of which something lies there unread, and asks for all of them each time.
        """
        await self._reader.leave_out(changelogs)

    def _held_out(self, tp: TP) -> bool:
        gate = self._gates.get(tp)
        return tp.topic in self.app.paused_topics or (gate is not None and gate.holding)

    def _admit(self, records: RecordMap) -> Iterator[tuple[TP, list[Any]]]:
        """What is to be delivered now: what was fetched, but of a delayed topic what is due of it."""
        for tp, fetched in records.items():
            gate = self._gates.get(tp)
            if gate is not None:
                gate.hold(fetched, wall=time.time(), now=time.monotonic())
            elif fetched:
                yield tp, self._entered(tp, fetched)
        for tp, gate in self._gates.items():
            if self.ledgers[tp].crowded or tp.topic in self.app.paused_topics:
                continue
            due = gate.release(time.monotonic(), _RELEASED_AT_ONCE)
            if due:
                yield tp, self._entered(tp, due)

    def _entered(self, tp: TP, records: list[Any]) -> list[Any]:
        ledger = self.ledgers.get(tp)
        if ledger is not None and ledger.accepting:
            for record in records:
                ledger.fetched(record.offset, _size_of(record))
        return records

    def _pass_over(self) -> None:
        """Have the ledgers in which nothing is pending stand behind what is never handed out."""
        for tp, ledger in self.ledgers.items():
            gate = self._gates.get(tp)
            if gate is None or not gate.holding:
                ledger.read_to(self._reader.read[tp])

    # Ownership -------------------------------------------------------------------------------------------

    def open_ledgers(self, starts: Mapping[TP, int], epoch: int, delays: Mapping[str, float]) -> None:
        """Begin a new ownership of these partitions at these offsets; nothing may be in flight."""
        config = self.app.config
        self.ledgers = {
            tp: Ledger(
                start,
                epoch=epoch,
                room=config.delayed_room if tp.topic in delays else config.room,
            )
            for tp, start in starts.items()
        }
        self._gates = {tp: DelayGate(delays[tp.topic]) for tp in self.ledgers if tp.topic in delays}

    def stop_intake(self) -> None:
        """Fetch nothing more; handlers start only where something behind is done already."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        for ledger in self.ledgers.values():
            if ledger.accepting:
                ledger.intake = Intake.DRAINING
        self._gates = {}

    def close_intake(self) -> None:
        """Let no handler start any more; running handlers may finish and are committed."""
        for ledger in self.ledgers.values():
            ledger.intake = Intake.CLOSED

    def ledger_of(self, message: "FaustMessage") -> Ledger | None:
        """The ledger in which a delivered message stands, None when it is of an earlier ownership."""
        ledger = self.ledgers.get(message.tp)
        current = message.generation_id == self.app.consumer_generation_id
        return ledger if ledger is not None and ledger.accepting and current else None

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit what is running before the group gives the partitions to others."""
        await self.app.give_back("rebalance")
        self.ledgers = {}
        await super().on_partitions_revoked(revoked)

    # Committing ------------------------------------------------------------------------------------------

    async def force_commit(
        self,
        topics: "TPorTopicSet | None" = None,
        start_new_transaction: bool = True,
    ) -> bool:
        """Commit where the ledgers stand; one at a time, so that none overtakes a later one."""
        async with self._one_commit:
            committed: bool = await super().force_commit(topics, start_new_transaction)
            return committed

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        faults.reach("before-commit")
        if not await super()._commit(offsets):
            return False
        faults.reach("after-commit")
        for tp, offset in offsets.items():
            if tp in self.ledgers:
                self.ledgers[tp].commit_answered(offset)
        return True

    def _filter_tps_with_pending_acks(self, topics: "TPorTopicSet | None" = None) -> Iterator[TP]:
        return (tp for tp in self.ledgers if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.ledgers[tp].committable

    def _should_commit(self, tp: TP, offset: int) -> bool:  # noqa: ARG002 - the ledger has decided
        return True

    def ack(self, message: "FaustMessage") -> bool:
        """Nothing: what Faust thinks finished is not what is."""
        self._unacked_messages.discard(message)
        return False

    async def verify_all_partitions_active(self) -> None:
        """Nothing: Faust's check takes a partition that is held out for a stuck one."""

    # Facts -----------------------------------------------------------------------------------------------

    def lag(self) -> dict[TP, int]:
        """How many records of each source partition are not done, as far as the broker told."""
        return self._left(self.highwater)

    def readable(self) -> dict[TP, int]:
        """The same, without an open transaction and all behind it: what cannot be read, nobody can do."""
        return self._left(self._reader.stable_end)

    def _left(self, end_of: Callable[[TP], int | None]) -> dict[TP, int]:
        ends = {tp: end_of(tp) for tp in self.ledgers}
        return {
            tp: max(0, end - self.ledgers[tp].next_needed()) for tp, end in ends.items() if end is not None
        }

    def unread(self) -> dict[TP, int]:
        """The next offset of each source partition that is fetched, and of which the broker has more."""
        return {
            tp: self.ledgers[tp].next_needed()
            for tp, left in self.readable().items()
            if left and self.ledgers[tp].head is None and not self._held_out(tp)
        }


def _size_of(record: Any) -> int:  # noqa: ANN401 - aiokafka has no types
    around = sum(len(name) + len(text or b"") + HEADER_BYTES for name, text in record.headers)
    return len(record.key or b"") + len(record.value or b"") + around


class RestingFetcher(Fetcher):
    """Faust's fetcher without its restart in a rebalance: cancelled there, it would end the worker."""

    @Service.task
    async def _fetcher(self) -> None:
        try:
            consumer = cast("LedgerConsumer", self.app.consumer)
            await consumer.deliver(lambda: consumer.should_stop or self.should_stop)
        except ConsumerStoppedError:
            if not self.app.should_stop:
                raise
        finally:
            self.set_shutdown()
