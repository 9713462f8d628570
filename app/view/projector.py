"""Follows the topics and writes the view: one thread, with a loop, a consumer and a connection of its own."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from app import batches
from app.telemetry.log import get_logger
from app.view import plans, schema
from app.view.apply import Applied, apply
from app.view.config import ViewConfig
from app.view.schema import Stamp
from app.view.walking import KEPT

_log = get_logger(__name__)

_POLL_MS = 250
_PAUSE_SECONDS = 1.0
_GATHER_SECONDS = 0.03
"""After a batch, so that the next is one of many records: a transaction and a fetch cost more than a row."""
_TIDY_EVERY = timedelta(minutes=10)
_WRITTEN_EVERY = timedelta(minutes=1)
_FETCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the view is.

    `build` grows when the file is opened or made anew; `as_of` is None before the first time that everything
    was there; `records_behind` counts as far as the broker told. `heard` is when a fetch was answered last.
    """

    build: int = 0
    caught_up: bool = False
    as_of: datetime | None = None
    heard: datetime | None = None
    records_behind: int = 0
    trouble: str | None = None


class _Rebuild(Exception):  # noqa: N818 - an instruction to the loop, not an error
    """The file cannot be gone on with; the text says why."""


class Projector:
    """Start it, look at `progress`, stop it. The callbacks are called in its thread.

    `changed` is told of each batch after its transaction.
    """

    def __init__(
        self,
        config: ViewConfig,
        *,
        changed: Callable[[Applied], None],
        caught_up: Callable[[], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._changed = changed
        self._caught_up = caught_up
        self._clock = clock
        self.progress = Progress()
        self._writer: sqlite3.Connection | None = None
        self._damaged: str | None = None
        self._tidied = datetime.min.replace(tzinfo=UTC)
        self._written = self._tidied
        self._complete: dict[TopicPartition, float] = {}
        self._ended = threading.Event()
        self._runner: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None
        self._thread = threading.Thread(target=self._main, name="view", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the last transaction is done and the file closed."""
        self._ended.set()
        if self._runner is not None:
            loop, task = self._runner
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.is_alive():
            self._thread.join()

    def rebuild(self, why: str) -> None:
        """The file turned out to be damaged: make it anew."""
        self._damaged = why

    def _main(self) -> None:
        with (
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            contextlib.suppress(asyncio.CancelledError),
        ):
            runner.run(self._follow_on())
        self._close()

    async def _follow_on(self) -> None:
        """Follow until stopped, whatever comes between: Kafka away, a damaged file, a full disk."""
        task = asyncio.current_task()
        if task is not None:
            self._runner = (asyncio.get_running_loop(), task)
        while not self._ended.is_set():
            try:
                await self._follow()
            except _Rebuild as why:
                _log.warning("the view is rebuilt", because=str(why))
                self._close()
                schema.remove(self._config.path)
            except (KafkaError, OSError, sqlite3.Error) as wrong:
                self._failed(wrong)
                await asyncio.sleep(_PAUSE_SECONDS)
            except Exception as wrong:  # noqa: BLE001 - whatever it is: a view that ended would stand still unseen
                _log.exception("the view failed; trying on")
                self._close()
                # Its text may hold personal data, and health is open to all.
                self.progress = replace(self.progress, trouble=type(wrong).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)

    def _failed(self, wrong: Exception) -> None:
        self._close()
        if isinstance(wrong, sqlite3.Error) and getattr(wrong, "sqlite_errorcode", None) in schema.CORRUPT:
            _log.warning("the view is rebuilt", because=str(wrong))
            schema.remove(self._config.path)
        elif self.progress.trouble != repr(wrong):
            _log.warning("the view cannot follow; trying on", because=repr(wrong))
        self.progress = replace(self.progress, trouble=repr(wrong))

    def _close(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None

    async def _follow(self) -> None:
        stamp = Stamp(
            cluster=await self._cluster(), prefix=self._config.prefix, partitions=self._config.partitions
        )
        writer = self._open(stamp)
        consumer = AIOKafkaConsumer(
            **self._config.connection,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_POLL_MS,
        )
        batches.install()
        try:
            await consumer.start()
            ends = await self._take_positions(consumer, writer)
            self.progress = replace(self.progress, trouble=None)
            while not self._ended.is_set():
                await self._step(consumer, writer, ends)
        except OffsetOutOfRangeError as wrong:
            raise _Rebuild(f"an offset is beyond its log: {wrong}") from None
        finally:
            await consumer.stop()

    async def _cluster(self) -> str:
        admin = AIOKafkaAdminClient(**self._config.connection)
        try:
            await admin.start()
            return str((await admin.describe_cluster())["cluster_id"])
        finally:
            await admin.close()

    def _open(self, stamp: Stamp) -> sqlite3.Connection:
        """The file if it is of this Kafka and recent, else a new one."""
        if self._writer is not None:
            return self._writer
        path = self._config.path
        why = self._unfit(stamp) if path.exists() else None
        if why is not None:
            _log.warning("the view is rebuilt", because=why)
        fresh = why is not None or not path.exists()
        self._writer = schema.create(path, stamp, self._clock()) if fresh else schema.connect(path)
        self._damaged = None
        self._complete = {}
        self.progress = Progress(build=self.progress.build + 1)
        return self._writer

    def _unfit(self, stamp: Stamp) -> str | None:
        """Why the file that is there cannot be gone on with."""
        try:
            with contextlib.closing(schema.connect(self._config.path)) as there:
                found, written = schema.read_stamp(there)
        except (sqlite3.Error, KeyError, ValueError) as wrong:
            return f"the file is damaged: {wrong!r}"
        if found != stamp:
            return f"the file is of another Kafka or version: {found}, not {stamp}"
        if self._clock() - written > self._config.forget_after:
            return f"the file was last written at {written:%Y-%m-%d %H:%M}: removed bookings may be missed"
        return None

    async def _take_positions(
        self, consumer: AIOKafkaConsumer, writer: sqlite3.Connection
    ) -> dict[TopicPartition, int]:
        """Set where reading goes on; gives the ends as they are now."""
        parts = [
            TopicPartition(topic, number)
            for topic in self._config.topics
            for number in range(self._config.partitions)
        ]
        consumer.assign(parts)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(parts)
        begins: dict[TopicPartition, int] = await consumer.beginning_offsets(parts)
        stored = schema.positions(writer)
        for part in parts:
            place = stored.get((part.topic, part.partition), begins[part])
            if place > ends[part]:
                raise _Rebuild(f"{part.topic}-{part.partition} ends at {ends[part]}, the view is at {place}")
            # What is gone from the log before the view read it (dead letters of months ago) stays unread.
            consumer.seek(part, max(place, begins[part]))
        return ends

    async def _step(
        self, consumer: AIOKafkaConsumer, writer: sqlite3.Connection, ends: dict[TopicPartition, int]
    ) -> None:
        if self._damaged is not None:
            raise _Rebuild(self._damaged)
        batch = await consumer.getmany(timeout_ms=_POLL_MS, max_records=self._config.batch)
        if batch:
            records = [record for part in batch.values() for record in part]
            self._apply(writer, records)
        self._tidy(writer)
        await self._look(consumer, ends)
        if batch and not ends:
            await asyncio.sleep(_GATHER_SECONDS)

    def _apply(self, writer: sqlite3.Connection, records: Iterable[object]) -> None:
        now = self._clock()
        done = apply(writer, self._config.topics, records, business=self._config.business, now=now)  # type: ignore[arg-type]  # aiokafka is untyped
        self._written = now
        for table, partition, offset in done.unreadable:
            _log.error("the view left a record out", table=table, partition=partition, offset=offset)
        self._changed(done)

    def _tidy(self, writer: sqlite3.Connection) -> None:
        """What the topics do not keep any more goes; and the file says that it is good."""
        now = self._clock()
        if now - self._written >= _WRITTEN_EVERY:
            with schema.transaction(writer):
                schema.mark_written(writer, now)
            self._written = now
        if now - self._tidied < _TIDY_EVERY:
            return
        self._tidied = now
        # What goes here does not come again: a clock that jumped ahead must not empty the lists.
        today = min(now, schema.newest_row(writer) or now)
        before = (schema.milliseconds(today - self._config.keep_events),)
        with schema.transaction(writer):
            plans.tidy(writer, *before)
            for table in ("dead_letters", "turned_away", "closings", "webhooks", "requests"):
                writer.execute(f"DELETE FROM {table} WHERE at < ?", before)  # noqa: S608 - names of our own
            writer.execute("DELETE FROM sessions WHERE until < ?", (schema.milliseconds(today),))
            writer.execute("DELETE FROM moves WHERE at < ?", (schema.milliseconds(now - KEPT),))

    async def _look(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        """Note how far the view is, by what the broker said with the last fetches."""
        behind, heard = 0, 0
        for part in consumer.assignment():
            place = await consumer.position(part)
            if place >= ends.get(part, 0):
                ends.pop(part, None)
            end, asked = consumer.last_stable_offset(part), consumer.last_poll_timestamp(part)
            if end is None or asked is None:
                continue
            behind += max(0, end - place)
            heard = max(heard, asked)
            if place >= end:
                self._complete[part] = asked / 1000
        as_of = None
        if len(self._complete) == len(consumer.assignment()):
            as_of = datetime.fromtimestamp(min(self._complete.values()), UTC)
        first = not ends and not self.progress.caught_up
        self.progress = replace(
            self.progress,
            caught_up=not ends,
            as_of=as_of,
            heard=datetime.fromtimestamp(heard / 1000, UTC) if heard else None,
            records_behind=behind,
        )
        if first:
            self._caught_up()
