"""The view: every booking on every worker, to be asked from the event loop. `queries` has the questions."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Concatenate, ParamSpec, TypeVar

from app.booking.reasons import Reason
from app.telemetry.log import get_logger
from app.view import queries, schema, walking
from app.view.apply import Applied
from app.view.config import ViewConfig
from app.view.projector import Progress, Projector
from app.view.rows import (
    ActionSeen,
    AttentionGroup,
    AttentionLine,
    BookingSeen,
    Counts,
    DeadLetter,
    EventFate,
    JobPage,
    OnItsWay,
    Owned,
    WaitingLane,
    Walk,
    WebhookSeen,
)

_log = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
_READERS = 4
_COUNT_SECONDS = 1.0
_WALK_SECONDS, _WALK_PAUSE_SECONDS = 2.0, 0.05


class ViewAway(Exception):  # noqa: N818 - read as a sentence: "view away"
    """There is no view yet, it is being made anew, or it cannot be read."""


class View:
    """`await view.start()`, ask, `await view.stop()`.

    Queries raise `ViewAway` when there is nothing to ask. They never block the event loop.
    """

    def __init__(
        self,
        config: ViewConfig,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._counted: tuple[float, asyncio.Future[Counts]] | None = None
        self._caught_up = asyncio.Event()
        self._projector = Projector(
            config, changed=self._changed_there, caught_up=self._caught_up_there, clock=clock
        )
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="view-reader")
        self._connections = _Connections(config)

    async def start(self) -> None:
        """Begin to follow the topics; returns at once."""
        self._loop = asyncio.get_running_loop()
        self._projector.start()

    async def stop(self) -> None:
        """End, with the last transaction done."""
        await asyncio.to_thread(self._projector.stop)
        await asyncio.to_thread(self._readers.shutdown)
        self._connections.close()

    # How far it is ---------------------------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """How far the view is."""
        return self._projector.progress

    @property
    def as_of(self) -> datetime | None:
        """As of when answers are; None before everything was there for the first time."""
        return self.progress.as_of

    @property
    def far_behind(self) -> bool:
        """Whether answers would be too old to give."""
        as_of = self.progress.as_of
        return not self.progress.caught_up or as_of is None or self._clock() - as_of > self._config.far_behind

    @property
    def unanswered(self) -> bool:
        """Whether Kafka, which has answered, has not done so for as long as makes the view far behind."""
        heard = self.progress.heard
        return heard is not None and self._clock() - heard > self._config.far_behind

    @property
    def partitions(self) -> int:
        """Of each topic that it follows."""
        return self._config.partitions

    async def until_caught_up(self) -> None:
        """Return when the view has all that was there when it started."""
        await self._caught_up.wait()

    # Questions: see `queries` ----------------------------------------------------------------------------

    async def booking(self, booking_id: str) -> BookingSeen | None:
        """The booking with this id."""
        return await self.ask(queries.booking, booking_id)

    async def booking_of_job(self, job_id: int) -> BookingSeen | None:
        """The booking whose job this is."""
        return await self.ask(queries.booking_of_job, job_id)

    async def jobs_between(
        self, start: datetime, end: datetime, *, limit: int, after: Walk | None = None
    ) -> JobPage:
        """Jobs whose visit starts between the two, both inclusive, oldest first: see `walking`."""
        changelog, partitions = self._config.topics.bookings, self._config.partitions
        until = time.monotonic() + _WALK_SECONDS
        while True:
            try:
                return await self.ask(
                    walking.jobs_between,
                    start,
                    end,
                    limit=limit,
                    changelog=changelog,
                    partitions=partitions,
                    after=after,
                )
            except walking.NotSoFar:
                # The page before came from a worker that had read a little more.
                if time.monotonic() > until:
                    raise ViewAway("the view is behind the walk's beginning") from None
                await asyncio.sleep(_WALK_PAUSE_SECONDS)

    async def head_row(self, booking_id: str, slot: str) -> bytes | None:
        """An event behind the head or put aside, as it is stored."""
        return await self.ask(queries.head_row, booking_id, slot)

    async def fate(self, booking_id: str, digests: Collection[str]) -> EventFate:
        """What became of the booking's event with one of these digests, as of now."""
        return await self.ask(queries.fate, booking_id, digests)

    async def wait_for(self, booking_id: str, digests: Collection[str], seconds: float) -> EventFate:
        """The same, waiting for its end; gives `OnItsWay` when that has not come in time."""

        async def fate() -> tuple[EventFate, bool]:
            found = await self.fate(booking_id, digests)
            return found, not isinstance(found, OnItsWay)

        return await self._once(booking_id, fate, seconds)

    async def request_body(self, event_id: str, seconds: float = 0) -> str | None:
        """The digest of the body with which the request for this event came first, waiting for it.

        None when none was read in time.
        """

        async def body() -> tuple[str | None, bool]:
            found = await self.ask(queries.request_body, event_id)
            return found, found is not None

        return await self._once(event_id, body, seconds)

    async def _once(self, named: str, look: Callable[[], Awaitable[tuple[T, bool]]], seconds: float) -> T:
        """What is found, at latest after so long; `look` also says whether it is what is waited for."""
        changed = asyncio.Event()
        self._waiting.setdefault(named, set()).add(changed)
        try:
            found, there = await look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not there:
                        await changed.wait()
                        changed.clear()
                        found, there = await look()
        finally:
            waiting = self._waiting[named]
            waiting.discard(changed)
            if not waiting:
                del self._waiting[named]
        return found

    async def overdue(
        self, before: datetime, partitions: Collection[int], *, limit: int = 1000
    ) -> list[WaitingLane]:
        """Lanes of these partitions that were due before that time."""
        return await self.ask(queries.overdue, before, partitions, limit)

    async def working(self, partitions: Collection[int], *, limit: int = 1000) -> list[WaitingLane]:
        """Lanes of these partitions whose row says that they are being worked."""
        return await self.ask(queries.working, partitions, limit)

    async def over(self, before: datetime, partitions: Collection[int], *, limit: int = 1000) -> list[Owned]:
        """Bookings of these partitions that ended or were closed before that time."""
        return await self.ask(queries.over, before, partitions, limit)

    async def uses_customer(self, phone: str, digest: str, but: str) -> bool:
        """Whether a booking other than `but` is of that phone's customer with that digest."""
        return await self.ask(queries.uses_customer, phone, digest, but)

    async def newest_row(self) -> datetime | None:
        """When the newest row was written, by Kafka's clock; None before one was read."""
        return await self.ask(queries.newest_row)

    async def known_since(self) -> datetime | None:
        """Since when the statuses of all jobs that go on are known; None without such jobs."""
        return await self.ask(queries.known_since)

    async def regressions(self, partitions: Collection[int], *, limit: int = 1000) -> list[Owned]:
        """Bookings of these partitions whose row went back in the changelog and was not written again."""
        return await self.ask(queries.regressions, partitions, limit)

    async def counts(self) -> Counts:
        """How many there are of what; counted once a second at most, since a million rows take a moment."""
        asked = time.monotonic()
        if self._counted is None or asked - self._counted[0] > _COUNT_SECONDS:
            self._counted = (asked, asyncio.ensure_future(self.ask(queries.counts)))
        return await asyncio.shield(self._counted[1])

    async def attention_groups(self) -> list[AttentionGroup]:
        """What waits for a person, by reason."""
        return await self.ask(queries.attention_groups)

    async def attention_lines(self, reason: Reason, *, limit: int = 100) -> list[AttentionLine]:
        """What waits for this reason, the earliest visit first."""
        return await self.ask(queries.attention_lines, reason, limit)

    async def dead_letters(
        self, *, limit: int = 100, booking_id: str | None = None, reason: str | None = None
    ) -> list[DeadLetter]:
        """Dead letters, newest first."""
        return await self.ask(queries.dead_letters, limit=limit, booking_id=booking_id, reason=reason)

    async def actions(self, *, limit: int = 100, subject: str | None = None) -> list[ActionSeen]:
        """What operators did, newest first."""
        return await self.ask(queries.actions, limit=limit, subject=subject)

    async def webhooks(self, *, limit: int = 100) -> list[WebhookSeen]:
        """Webhooks, newest first."""
        return await self.ask(queries.webhooks, limit=limit)

    async def ask(
        self,
        question: Callable[Concatenate[sqlite3.Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """The answer to a question: a function of a reading connection and its arguments."""
        build = self.progress.build
        if build == 0:
            raise ViewAway("the view is not open yet")

        def answer() -> T:
            return question(self._connections.reader(build), *arguments, **named)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, answer)
        except sqlite3.Error as wrong:
            if getattr(wrong, "sqlite_errorcode", None) in schema.CORRUPT:
                self._projector.rebuild(f"the file is damaged: {wrong}")
            _log.warning("the view could not be asked", because=repr(wrong))
            raise ViewAway(repr(wrong)) from wrong

    # Machinery -------------------------------------------------------------------------------------------

    def _changed_there(self, done: Applied) -> None:
        if self._loop is not None and done.bookings:
            self._loop.call_soon_threadsafe(self._changed, done)

    def _changed(self, done: Applied) -> None:
        for booking_id in self._waiting.keys() & done.bookings:
            for waiting in self._waiting[booking_id]:
                waiting.set()

    def _caught_up_there(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._caught_up.set)


class _Connections:
    """A reading connection for each reader thread, made anew with the file."""

    def __init__(self, config: ViewConfig) -> None:
        self._config = config
        self._mine = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def reader(self, build: int) -> sqlite3.Connection:
        """This thread's connection to the file of this build."""
        held: tuple[int, sqlite3.Connection] | None = getattr(self._mine, "held", None)
        if held is not None and held[0] == build:
            return held[1]
        reader = schema.connect_reader(self._config.path)
        with self._lock:
            if held is not None:
                self._all.remove(held[1])
                held[1].close()
            self._all.append(reader)
        self._mine.held = (build, reader)
        return reader

    def close(self) -> None:
        """Close all."""
        with self._lock:
            for reader in self._all:
                reader.close()
            self._all.clear()
