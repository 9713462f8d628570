"""Where callers wait while the breaker is open, and from where one at a time goes to probe."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from app.servicetitan.breaker import FIRST_PAUSE, LONGEST_PAUSE, Breaker, BreakerSeen, Trouble
from app.servicetitan.pace import HEAD_START, Priority
from app.telemetry import log

_log = log.get_logger(__name__)


class Passage:
    """Leave to call.

    A probing one must say what became of it: `came_through`, `answered`, `failed` or `failed_alone`.
    """

    __slots__ = ("_breaker", "_clock", "_settled", "probing")

    def __init__(self, breaker: Breaker, clock: Callable[[], float], *, probing: bool) -> None:
        self._breaker = breaker
        self._clock = clock
        self._settled = False
        self.probing = probing

    def came_through(self) -> None:
        """The probe did what was asked: everybody may call again."""
        if self.probing and not self._settled:
            self._settled = True
            self._breaker.probe_succeeded()

    def answered(self) -> None:
        """The probe was answered: everybody may call again, unless calls are stopped for refusals."""
        if self.probing and not self._settled:
            self._settled = True
            self._breaker.probe_answered()

    def failed(self, why: str) -> None:
        """The probe came to nothing: everybody waits longer."""
        if self.probing and not self._settled:
            self._settled = True
            self._breaker.probe_failed(self._clock(), why)

    def failed_alone(self, why: str) -> None:
        """The probe's knock was answered, and what it came to ask failed: that is its own trouble."""
        if self.probing and not self._settled:
            self._settled = True
            self._breaker.probe_failed_alone(self._clock(), why)

    def leave(self) -> None:
        """A probe that ends without a result leaves its place to another."""
        if self.probing and not self._settled:
            self._settled = True
            self._breaker.probe_abandoned()


class Gate:
    """The breaker and those that wait at it. `clock` gives monotonic seconds; pauses as for the breaker."""

    def __init__(
        self,
        *,
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = LONGEST_PAUSE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self.breaker = Breaker(first_pause=first_pause, longest_pause=longest_pause, changed=self._changed)
        self._queue: list[tuple[float, int, asyncio.Future[bool]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._told: BreakerSeen = self.snapshot()

    @property
    def is_open(self) -> bool:
        """Whether only a probe may call."""
        return self.breaker.trouble is not None

    @property
    def trouble(self) -> Trouble | None:
        """Why the gate is shut; None when it is not."""
        return self.breaker.trouble

    def snapshot(self) -> BreakerSeen:
        """What the breaker looks like now."""
        return self.breaker.snapshot(self._clock())

    @property
    def waiting(self) -> int:
        """How many wait here."""
        return sum(1 for _, _, future in self._queue if not future.done())

    @asynccontextmanager
    async def passage(self, priority: Priority, *, since: float) -> AsyncIterator[Passage]:
        """Wait until calls go, or until it is this one's turn to probe; most urgent and oldest first."""
        probing = False if self.breaker.trouble is None else await self._wait(since + HEAD_START[priority])
        passage = Passage(self.breaker, self._clock, probing=probing)
        try:
            yield passage
        finally:
            passage.leave()

    def try_passage(self) -> Passage | None:
        """Leave to call without waiting, or None: for calls that are not worth waiting for."""
        if self.breaker.trouble is None:
            return Passage(self.breaker, self._clock, probing=False)
        if self.breaker.take_probe(self._clock()):
            return Passage(self.breaker, self._clock, probing=True)
        return None

    def nudge(self) -> None:
        """Let through whom the breaker allows, and set a timer for the next probe."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._drop_the_gone():
            if self.breaker.trouble is None:
                heapq.heappop(self._queue)[2].set_result(False)
            elif self.breaker.take_probe(self._clock()):
                heapq.heappop(self._queue)[2].set_result(True)
            else:
                self._wake_when_due()
                return

    def _changed(self) -> None:
        self._tell()
        self.nudge()

    def _tell(self) -> None:
        """A line in the log when calls stop, and one when they go again."""
        before, self._told = self._told, self.snapshot()
        match before.open_since, self._told.open_since:
            case None, float():
                _log.warning("calls to ServiceTitan stop", trouble=self._told.trouble, why=self._told.why)
            case float(since), None:
                seconds = round(self._clock() - since, 1)
                _log.warning(
                    "calls to ServiceTitan go again", trouble=before.trouble, stopped_seconds=seconds
                )
            case _:
                pass

    def _wake_when_due(self) -> None:
        wait = self.breaker.open_until - self._clock()
        if wait > 0:
            self._timer = asyncio.get_running_loop().call_later(wait, self.nudge)

    async def _wait(self, key: float) -> bool:
        passed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (key, next(self._order), passed))
        self.nudge()
        try:
            return await passed
        except asyncio.CancelledError:
            if passed.done() and not passed.cancelled() and passed.result():
                self.breaker.probe_abandoned()
            passed.cancel()
            raise

    def _drop_the_gone(self) -> bool:
        while self._queue and self._queue[0][2].done():
            heapq.heappop(self._queue)
        return bool(self._queue)
