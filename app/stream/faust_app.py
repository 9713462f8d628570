"""The stream app: Faust's App with the delivery guarantee of this project.

What reads from it may rely on: a message is acknowledged only when its handler has returned; messages of one
key are worked one at a time in the order of their arrival, whatever their topics; nothing is lost when a
worker, or the group's idea of who owns what, ends at any moment. Messages may come again.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import faust
from aiokafka.cluster import ClusterMetadata
from faust.types import TP

from app.stream import faults
from app.stream.config import AppConfig, credentials
from app.stream.consumer import LedgerConsumer
from app.stream.dispatcher import Dispatcher, Handler, Job
from app.stream.errors import GaveUp
from app.stream.message import Message, message_of
from app.stream.ownership import Membership, Ownership
from app.stream.recovery import SafeTableManager
from app.stream.sender import Headers, Outgoing, Sender, Written
from app.stream.tables import ChangelogTable, OwnedTable, Rank
from app.stream.transport import AcknowledgedProducer, LedgerTransport

if TYPE_CHECKING:
    from faust.assignor.partition_assignor import PartitionAssignor
    from faust.streams import Stream
    from faust.types import Message as FaustMessage
    from faust.types import StreamT
    from faust.types.transports import TransportT
    from mode import ServiceT

    from app.stream.succession import Succession

_log = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 3 * 1024 * 1024
_BATCH_BYTES = 512 * 1024
"""Half of what a topic takes. When a batch is full, aiokafka wakes all that wait for the next one, and most
of them in vain: with its 16 KB and some hundred rows on their way this cost more than all else together."""
_FETCH_BYTES = 64 * 1024
_POLL_RECORDS = 200
_BUFFER_RECORDS = 2**31
"""Never full: a message that waited for room would be delivered behind the seek of a rebalance. The ledgers
and the consumer bound what is fetched."""
_BEGUN_AT_ONCE = 32
"""Messages handed over in one round of the event loop: each begins a lane, and whatever else waits for the
round's end, a call to be sent above all, waits as long as they take."""
_COMMIT_SECONDS = 10.0

Callback = Callable[[], Awaitable[None]]
Place: TypeAlias = tuple[str, int]
"""A topic and one of its partitions."""
KeyOf = Callable[[Message], bytes]


def own_key(message: Message) -> bytes:
    """The record's key; all records without one share a chain."""
    return message.key or b""


@dataclass(frozen=True, slots=True)
class Source:
    """A topic that is read: by which handler, in which chains, how long after its records' time (seconds)."""

    topic: str
    handler: Handler
    key: KeyOf
    delay: float | None


class StreamApp(faust.App):
    """Build it, declare sources and tables, then start it (`await app.start()`, or Faust's Worker).

    `gave_up` is the reason when it ends by itself, None as long as it can keep its promise; `wrong` is then
    what somebody has to put right before it may start again, if that is so.
    """

    consumer: LedgerConsumer
    tables: SafeTableManager

    def __init__(self, config: AppConfig) -> None:
        self.config = config
        self.gave_up: str | None = None
        self.wrong: Exception | None = None
        self.succession: Succession | None = None
        """Set by whoever holds the lock of the folder."""
        self.ownership = Ownership(Membership(config.session_timeout))
        self.sender = Sender(lambda: self.producer, self.ownership, config.largest)
        self.dispatcher = Dispatcher(self.ownership, self._handler_failed)
        self.sources: dict[str, Source] = {}
        self._guards: list[ServiceT] = []
        self._assigned: list[Callback] = []
        self._revoked: list[Callback] = []
        self._draining: list[Callable[[bool], None]] = []
        self.paused_topics: set[str] = set()
        self._handover = asyncio.Lock()
        self._ending: asyncio.Task[None] | None = None
        config.data_dir.mkdir(parents=True, exist_ok=True)
        super().__init__(config.group, **_faust_settings(config))

    def _new_transport(self) -> "TransportT":
        return LedgerTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> "TransportT":
        return LedgerTransport(self.conf.broker_producer, self)

    # Declaring -------------------------------------------------------------------------------------------

    def source(
        self, topic: str, handler: Handler, *, key: KeyOf = own_key, delay: float | None = None
    ) -> None:
        """Read a topic. `key` names the chain; messages of the same chain on other topics join it.

        Partitions are assigned alike over all topics only when the app has a table too.

        With a `delay` (seconds) a message is handed over that long after its record's time, and never later
        than that long after it was fetched; meanwhile it stands in nobody's way.
        """
        source = self.sources[topic] = Source(topic, handler, key, delay)
        channel = self.topic(
            topic,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )

        async def agent(stream: "StreamT[bytes]") -> None:
            begun = 0
            async for event in cast("Stream[bytes]", stream).noack().events():
                self._deliver(source, event.message)
                begun = (begun + 1) % _BEGUN_AT_ONCE
                if begun == 0:
                    await asyncio.sleep(0)

        self.agent(channel, name=topic, concurrency=1)(agent)

    def owned_table(self, name: str, *, rank: Rank | None = None) -> OwnedTable:
        """Declare a table of raw rows; see OwnedTable. Its changelog is there already (`provision`)."""
        table = ChangelogTable(
            self,
            name=name,
            rank=rank,
            partitions=self.config.partitions,
            beacon=self.tables.beacon,
        )
        self.tables.add(table)
        return OwnedTable(self, table, rank)

    def guard(self, service: "ServiceT") -> None:
        """Have a service started before all else: what must see that the rest does not start."""
        self._guards.append(service)

    def accompany(self, service: "ServiceT") -> None:
        """Have a service started once the tables are complete, and stopped with the app."""
        self._extra_services.append(service)  # type: ignore[arg-type]  # Faust takes instances as well

    def on_assigned(self, callback: Callback) -> None:
        """Have `callback` awaited whenever partitions were assigned, before a message is handled."""
        self._assigned.append(callback)

    def on_draining(self, callback: Callable[[bool], None]) -> None:
        """Have `callback` called in each drain, so that handlers that only wait can give up.

        First with False: what is in front of finished work may still finish, so that it is not done again;
        only what cannot should give up. Then with True: that time is over.
        """
        self._draining.append(callback)

    def on_revoked(self, callback: Callback) -> None:
        """Have `callback` awaited whenever all partitions were given back, when no handler runs any more."""
        self._revoked.append(callback)

    # Working ---------------------------------------------------------------------------------------------

    async def publish(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        *,
        partition: int | None = None,
        timestamp: float | None = None,
    ) -> Written:
        """Send a record; returns when the broker has acknowledged it. Raises NotMine, WriteLost.

        In a handler, or a task that it started, it is sent on behalf of the message's partition.
        """
        return await self.sender.send(Outgoing(topic, key, value, headers, partition, timestamp))

    async def publish_all(self, records: Sequence[Outgoing]) -> list[Written]:
        """Send several at once; returns when all are acknowledged. Raises NotMine, WriteLost."""
        return await self.sender.send_all(records)

    async def tell(self, record: Outgoing) -> None:
        """Send a record on nobody's behalf, for whoever owns its partition now. Raises WriteLost."""
        await asyncio.create_task(self.sender.send(record), context=Context())

    def still_mine(self, partition: int) -> bool:
        """Whether acting for `partition`, in a handler by its own ownership, is right at this moment."""
        return self.ownership.still_mine(partition)

    async def ensure_mine(self, partition: int) -> None:
        """Wait until acting for `partition` is right; raises NotMine when it never will be again."""
        await self.ownership.ensure(partition)

    def pause_topic(self, topic: str) -> None:
        """Fetch a source no further, until `resume_topic`; over rebalances too."""
        self.paused_topics.add(topic)

    def resume_topic(self, topic: str) -> None:
        """Fetch a source again."""
        self.paused_topics.discard(topic)

    def _deliver(self, source: Source, raw: "FaustMessage") -> None:
        ledger = self.consumer.ledger_of(raw)
        if ledger is None:
            return
        if raw.partition >= self.config.partitions:
            # By the old number it would be in the wrong partition, and by the new one its booking's row is.
            self.give_up(f"{raw.topic} has more than {self.config.partitions} partitions now")
            return
        message = message_of(raw)
        self.dispatcher.take(source.key(message), Job(message, ledger, source.handler))

    # Giving up -------------------------------------------------------------------------------------------

    def give_up(self, reason: str) -> None:
        """End the worker, so that its supervisor restarts it; the first reason counts."""
        if self.gave_up is not None:
            return
        self.gave_up = reason
        _log.critical("giving up: %s", reason)
        if self._consumer is not None:
            self.consumer.stop_intake()
        self._ending = asyncio.create_task(self._end(reason))

    def give_up_for(self, wrong: Exception) -> None:
        """End the worker, which no restart helps."""
        if self.gave_up is None:
            self.wrong = wrong
            self.give_up(str(wrong))

    async def _end(self, reason: str) -> None:
        # A crashed consumer cannot commit any more, so what is done is committed first.
        await self.give_back("the end")
        await self.crash(GaveUp(reason))

    def _handler_failed(self, where: str, wrong: BaseException) -> None:
        _log.error("the handler of %s failed", where, exc_info=wrong)
        self.give_up(f"the handler of {where} failed: {wrong!r}")

    def _crash(self, reason: BaseException) -> None:
        if self.gave_up is None:
            self.gave_up = repr(reason)
        super()._crash(reason)

    # Owning ----------------------------------------------------------------------------------------------

    async def take_over(self, starts: Mapping[TP, int], stale: Callable[[], bool]) -> None:
        """Begin to own these partitions, each read on from its offset, unless it is too late.

        Called when the tables are complete.
        """
        async with self._handover:
            if stale():
                return
            epoch = self.ownership.take(tp.partition for tp in starts)
            self.consumer.open_ledgers(starts, epoch, self._delays())
            for callback in self._assigned:
                await callback()
            _log.info("took partitions %s in generation %d", sorted(self.owned_partitions), self.generation)
            faults.reach("assigned")

    def _delays(self) -> dict[str, float]:
        return {source.topic: source.delay for source in self.sources.values() if source.delay is not None}

    async def give_back(self, why: str) -> None:
        """Stop taking messages, let running handlers finish within the limit, and commit what is done."""
        self.consumer.stop_intake()
        self._let_go(late=False)
        async with self._handover:
            await self.dispatcher.settle(self.config.catch_up_limit)
            self.consumer.close_intake()
            self._let_go(late=True)
            drained = await self.dispatcher.drain(self.config.drain_limit)
            await self._commit_the_last()
            if not self.ownership.give_back():
                return
            _log.info("gave partitions back (%s): %s", why, drained)
            for callback in self._revoked:
                await callback()
            faults.reach("revoked")

    def _let_go(self, *, late: bool) -> None:
        for callback in self._draining:
            callback(late)

    async def _commit_the_last(self) -> None:
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await self.consumer.force_commit()
        except TimeoutError:
            _log.warning("the last commit was not answered: what is done will be delivered again")

    async def on_first_start(self) -> None:
        """Begin with the guards."""
        await super().on_first_start()
        for service in self._guards:
            await self.add_runtime_dependency(service)

    async def on_stop(self) -> None:
        """Drain before Faust stops anything."""
        if self._consumer is not None and self._consumer.started:
            await self.give_back("stop")
        await super().on_stop()

    async def _producer_flush(self, logger: Any) -> None:  # noqa: ANN401 - as Faust has it
        # All sends are awaited by who made them: nothing is lost here, and a broker that is away must not
        # keep a worker from stopping.
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await super()._producer_flush(logger)
        except TimeoutError:
            _log.warning("the producer could not send what was left of interrupted work")

    # Facts -----------------------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """The group's generation, which may begin again at 1."""
        return self.ownership.membership.generation

    @property
    def epoch(self) -> int:
        """Grows with every assignment in this process."""
        return self.ownership.epoch

    @property
    def owned_partitions(self) -> frozenset[int]:
        """The numbers of the partitions that are this worker's, in all sources and tables alike."""
        return self.ownership.partitions

    @property
    def members(self) -> int:
        """The members of the group at the last assignment, 0 before it."""
        return len(cast("PartitionAssignor", self.assignor).changelog_distribution)

    @property
    def recovering(self) -> bool:
        """Whether no message can be handled yet, or for the moment."""
        return self.rebalancing or self.in_recovery or self.epoch == 0

    def recovery_remaining(self) -> int:
        """Changelog records that are still to be replayed; 0 when the tables are complete."""
        return max(0, self.tables.recovery.active_remaining_total()) if self.in_recovery else 0

    def heartbeat_age(self) -> float:
        """Seconds since the group last answered this member, infinite before it first did."""
        return self.ownership.membership.heartbeat_age

    def lag(self) -> dict[TP, int]:
        """Records not done, by source partition, as far as the broker told."""
        return self.consumer.lag() if self._consumer is not None else {}

    async def ends(self, topics: Collection[str]) -> dict[Place, int]:
        """Where the partitions of these sources that are read here end now, by the broker."""
        places = [tp for tp in self._ledgers if tp.topic in topics]
        found = await self.consumer.highwaters(*places) if places else {}
        return {(tp.topic, tp.partition): end for tp, end in found.items()}

    async def partitions(self, topics: Collection[str]) -> dict[str, int]:
        """How many partitions these topics have now, of those that the broker tells of. Raises KafkaError."""
        # On the producer's connection: one of its own would be left open by a stop in the middle.
        client = cast("AcknowledgedProducer", self.producer).client
        cluster = ClusterMetadata()
        if not await client._metadata_update(cluster, list(topics)):  # noqa: SLF001 - aiokafka shows it nowhere else
            return {}
        found = {name: cluster.partitions_for_topic(name) for name in topics}
        return {name: len(partitions) for name, partitions in found.items() if partitions}

    def reached(self, topics: Collection[str]) -> dict[Place, int]:
        """The first offset that is not done, of the partitions of these sources that are read here."""
        return {
            (tp.topic, tp.partition): ledger.next_needed()
            for tp, ledger in self._ledgers.items()
            if tp.topic in topics
        }

    def readable(self) -> dict[TP, int]:
        """The same, without what stands in somebody's open transaction or behind it."""
        return self.consumer.readable() if self._consumer is not None else {}

    def head_age(self, tp: TP) -> float:
        """Seconds since the first unfinished message of a source partition is that, 0 without one."""
        ledger = self._ledgers.get(tp)
        return ledger.head_age() if ledger else 0.0

    def oldest_head_age(self) -> float:
        """The greatest head age."""
        return max((ledger.head_age() for ledger in self._ledgers.values()), default=0.0)

    def heads(self) -> dict[tuple[str, int], int]:
        """The offset of the first unfinished message, by topic and partition; only where there is one."""
        return {
            (tp.topic, tp.partition): ledger.head
            for tp, ledger in self._ledgers.items()
            if ledger.head is not None
        }

    def unread(self) -> dict[tuple[str, int], int]:
        """The next offset of each partition that is fetched, has more, and of which nothing is in memory."""
        if self._consumer is None:
            return {}
        return {(tp.topic, tp.partition): offset for tp, offset in self.consumer.unread().items()}

    def commit_age(self) -> float:
        """Seconds since the oldest finished message waits to be committed, 0 when none does."""
        return max((ledger.commit_age() for ledger in self._ledgers.values()), default=0.0)

    def unfinished(self) -> int:
        """Messages in memory that are not done."""
        return sum(ledger.unfinished for ledger in self._ledgers.values())

    @property
    def _ledgers(self) -> dict[TP, Any]:
        return self.consumer.ledgers if self._consumer is not None else {}


def build_app(config: AppConfig) -> StreamApp:
    """A stream app, to which sources and tables are added before it starts."""
    return StreamApp(config)


def _faust_settings(config: AppConfig) -> dict[str, Any]:
    web = config.web
    return {
        "env_prefix": "NO_VARIABLE_OF_FAUST",
        "broker": [f"kafka://{server}" for server in config.connection["bootstrap_servers"]],
        "broker_credentials": credentials(config.connection),
        "broker_session_timeout": config.session_timeout,
        "broker_heartbeat_interval": config.session_timeout / 5,
        "broker_request_timeout": config.request_timeout,
        "broker_rebalance_timeout": config.rebalance_timeout,
        "broker_commit_interval": config.commit_interval,
        "broker_max_poll_records": _POLL_RECORDS,
        "consumer_max_fetch_size": _FETCH_BYTES,
        "consumer_auto_offset_reset": "earliest",
        "producer_acks": -1,
        "producer_linger": 0,
        "producer_max_batch_size": _BATCH_BYTES,
        "producer_max_request_size": _MAX_REQUEST_BYTES,
        "stream_buffer_maxsize": _BUFFER_RECORDS,
        "stream_wait_empty": False,
        "stream_recovery_delay": 0,
        "store": f"{config.store}://",
        "datadir": config.data_dir,
        "table_standby_replicas": 0,
        "topic_disable_leader": True,
        "topic_partitions": config.partitions,
        "topic_replication_factor": config.replication_factor,
        "web_enabled": web is not None,
        "web_bind": web.host if web else "127.0.0.1",
        "web_port": web.port if web else 6066,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_application_options": dict(web.options) if web else {},
        # Only its being one of its kind counts: members are told apart by it, and no worker calls another.
        "canonical_url": f"http://worker-{uuid.uuid4().hex}",
        "key_serializer": "raw",
        "value_serializer": "raw",
        "TableManager": SafeTableManager,
    }
