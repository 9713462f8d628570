"""How fast this worker calls ServiceTitan: a queue by priority in front of evenly spaced slots.

ServiceTitan allows 60 calls a second per app and tenant. Each worker takes the share of it that its
partitions are of all partitions, so all workers together stay under the limit with nothing shared.
A slot in flight is taken only when a call is at the front and its time has come.
"""

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from time import monotonic

from app.servicetitan.spacing import Spacing


class Priority(IntEnum):
    """How urgent a call is."""

    CRITICAL = 0  # a creation, and its customer
    HIGH = 1  # a cancellation
    MEDIUM = 2  # a reschedule, a status
    LOW = 3  # health, the sweep, what operators send again


HEAD_START = {Priority.CRITICAL: 0.0, Priority.HIGH: 10.0, Priority.MEDIUM: 30.0, Priority.LOW: 120.0}
"""Seconds that a call must wait longer than a critical one to stand before it: so nothing starves."""

DEFAULT_STOP = 1.0
"""Seconds to stop after a first 429 that states no wait; doubled for each further one in a row."""
LONGEST_DEFAULT_STOP = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceSeen:
    """The pace at a moment: calls per second, calls of the last second, and who waits."""

    rate: float
    used: int
    in_flight: int
    waiting: dict[Priority, int]
    stopped_for: float


class Turn:
    """A slot given to one call. `sent()` says that it goes out; a turn without it gives the slot back."""

    __slots__ = ("_on_sent", "_sent")

    def __init__(self, on_sent: Callable[[], None]) -> None:
        self._on_sent = on_sent
        self._sent = False

    def sent(self) -> None:
        """The call is handed to its connection."""
        if not self._sent:
            self._sent = True
            self._on_sent()

    @property
    def was_sent(self) -> bool:
        """Whether anything may have left this machine."""
        return self._sent


class Pace:
    """Gives turns, most urgent first, at the worker's share of `calls_per_second`.

    `most_in_flight` calls are under way at once at most. `clock` gives monotonic seconds; it is also what
    the event loop's timers are set by, so a test's clock moves only with `nudge`.
    """

    def __init__(
        self, *, calls_per_second: float, most_in_flight: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._clock = clock
        self._spacing = Spacing(calls_per_second)
        self._most_in_flight = most_in_flight
        self._in_flight = 0
        self._queue: list[tuple[float, int, Priority, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped_until = -math.inf
        self._sent_at: deque[float] = deque()
        self._refusals = 0

    @asynccontextmanager
    async def turn(self, priority: Priority, *, since: float | None = None) -> AsyncIterator[Turn]:
        """Wait for a turn and hold its place among the calls in flight.

        `since` (on the pace's clock) is when the work began that this call belongs to: a second call of the
        same work does not queue up behind those that came after the first.
        """
        await self._wait(priority, self._clock() if since is None else since)
        turn = Turn(self._handed_over)
        try:
            yield turn
        finally:
            self._in_flight -= 1
            if not turn.was_sent:
                self._spacing.dropped(self._clock())
            self.nudge()

    def set_share(self, fraction: float) -> None:
        """Take `fraction` (0 to 1) of the limit: partitions owned of all partitions."""
        self._spacing.set_share(fraction, self._clock())
        self.nudge()

    def refused(self, wait: float | None) -> None:
        """A 429 came: stop all calls for `wait` seconds, else for a default that grows while they come."""
        now = self._clock()
        if now >= self._stopped_until:
            # Calls that were under way together are refused together: that is one refusal.
            self._spacing.refused(now)
        self._refusals += 1
        default = min(LONGEST_DEFAULT_STOP, DEFAULT_STOP * 2 ** min(self._refusals - 1, 10))
        until = now + (default if wait is None else wait)
        self._stopped_until = max(self._stopped_until, until)
        self._spacing.hold_until(self._stopped_until)
        self.nudge()

    def accepted(self) -> None:
        """An answer came that was no 429."""
        self._refusals = 0

    def snapshot(self) -> PaceSeen:
        """What the pace looks like now."""
        now = self._clock()
        waiting = dict.fromkeys(Priority, 0)
        for _, _, priority, future in self._queue:
            waiting[priority] += not future.done()
        return PaceSeen(
            rate=self._spacing.rate,
            used=sum(1 for at in self._sent_at if at > now - 1),
            in_flight=self._in_flight,
            waiting=waiting,
            stopped_for=max(0.0, self._stopped_until - now),
        )

    def nudge(self) -> None:
        """Give every turn that is due, and set a timer for the next one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._drop_the_gone() and self._in_flight < self._most_in_flight:
            now = self._clock()
            ready = self._spacing.ready_at(now)
            if ready > now:
                self._wake_in(ready - now)
                return
            self._spacing.grant(now)
            self._in_flight += 1
            heapq.heappop(self._queue)[3].set_result(None)

    def _handed_over(self) -> None:
        # aiohttp writes a body in the loop's next round, uvloop gives it to the socket at its end. A round
        # may be long: the call counts from when the one after it begins.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._note_sent)

    def _note_sent(self) -> None:
        now = self._clock()
        self._sent_at.append(now)
        while self._sent_at[0] <= now - 1:
            self._sent_at.popleft()
        self._spacing.sent(now)
        self.nudge()

    async def _wait(self, priority: Priority, since: float) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (since + HEAD_START[priority], next(self._order), priority, granted))
        self.nudge()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._in_flight -= 1
                self._spacing.dropped(self._clock())
            granted.cancel()
            self.nudge()
            raise

    def _drop_the_gone(self) -> bool:
        while self._queue and self._queue[0][3].done():
            heapq.heappop(self._queue)
        return bool(self._queue)

    def _wake_in(self, seconds: float) -> None:
        if math.isfinite(seconds):
            self._timer = asyncio.get_running_loop().call_later(seconds, self.nudge)
