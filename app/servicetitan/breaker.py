"""When calling ServiceTitan is pointless: a breaker that opens and closes by what calls and lanes come to.

Pure: the time (monotonic seconds) is passed in. Three troubles open it:

* outage: the latest calls of most lanes failed, or ServiceTitan was knocked at and did not answer. However
  often one lane fails, it counts once: a change that can never work is nobody else's trouble;
* authentication: no token is to be had, or a fresh one is not taken;
* refusals: over many lanes the latest events end `refused` or `not-permitted`, so something is wrong with
  this deployment, and the events behind must not be emptied into the dead letter.

While it is open nothing is called. After a pause one caller may probe (half-open); the pause grows while
probes fail. Refusals outlast the other two: no answer ends them but that to a write that is not refused.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

LATEST_CALLS = 20
"""Of as many lanes: each lane's latest call counts."""
ENOUGH_CALLS = 10
MOST_CALLS_FAILED = 0.8
QUIET_SECONDS = 2.0
"""How long ago a success may be to show that ServiceTitan is there.

A call that has been under way for less is awaited before calls that began after it are judged: of calls that
began together the failures are often the first to be answered."""
LATEST_LANES = 20
ENOUGH_LANES = 10
MOST_LANES_REFUSED = 0.5
_MOST_REMEMBERED = 2_000
"""Calls: many more than are ever under way."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0


class State(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Trouble(StrEnum):
    """Why the breaker opened."""

    OUTAGE = "outage"
    AUTHENTICATION = "authentication"
    REFUSALS = "refusals"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSeen:
    """The breaker at a moment. `open_for` is seconds until the next probe; `since` is when it opened."""

    state: State
    trouble: Trouble | None
    why: str
    open_for: float
    open_since: float | None


class Breaker:
    """Counts calls and lanes; says whether one may call.

    Pauses are in seconds: the first, doubled for each probe that fails, up to the longest. `changed` is
    called when it opens, closes, or may be probed at another time.
    """

    def __init__(
        self,
        *,
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = LONGEST_PAUSE,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._changed = changed
        self._trouble: Trouble | None = None
        self._why = ""
        self._probing = False
        self._open_since = -math.inf
        self._open_until = -math.inf
        self._pause = first_pause
        self._numbers = itertools.count()
        self._under_way: dict[int, float] = {}
        self._calls: dict[int, tuple[str, bool]] = {}
        self._succeeded_at = -math.inf
        self._lanes: dict[str, bool] = {}

    @property
    def trouble(self) -> Trouble | None:
        """Why it is open; None when it is closed."""
        return self._trouble

    @property
    def open_until(self) -> float:
        """When the next probe may go."""
        return self._open_until

    def snapshot(self, now: float) -> BreakerSeen:
        """What the breaker looks like now."""
        if self._trouble is None:
            return BreakerSeen(state=State.CLOSED, trouble=None, why="", open_for=0.0, open_since=None)
        return BreakerSeen(
            state=State.HALF_OPEN if self._probing else State.OPEN,
            trouble=self._trouble,
            why=self._why,
            open_for=max(0.0, self._open_until - now),
            open_since=self._open_since,
        )

    def call_begins(self, now: float) -> int:
        """Note that a call begins; gives its number, for what it comes to."""
        number = next(self._numbers)
        self._under_way[number] = now
        return number

    def call_ends(self, number: int) -> None:
        """Note that a call is no longer under way; what it came to is told next, unless it was cut short."""
        del self._under_way[number]

    def call_succeeded(self, number: int, lane: str, now: float) -> None:
        """A call was answered, whatever the answer, below 500."""
        self._succeeded_at = now
        self._remember(number, lane, succeeded=True)

    def call_failed(self, number: int, lane: str, now: float, why: str) -> None:
        """A call had no answer, or one of 500 and more, or none that could be read."""
        self._remember(number, lane, succeeded=False)
        if self._trouble is None and self._mostly_failing(now):
            self.unreachable(now, why)

    def has_just_succeeded(self, now: float) -> bool:
        """Whether ServiceTitan is known to be there, so that a call's failure is the call's own."""
        return now - self._succeeded_at < QUIET_SECONDS

    def unreachable(self, now: float, why: str) -> None:
        """ServiceTitan does not answer: not to most lanes, or not to the cheapest read."""
        if self._trouble is None:
            self._open(Trouble.OUTAGE, why, now, self._first_pause)

    def no_token(self, trouble: Trouble, now: float, why: str, *, wait: float | None = None) -> None:
        """No token is to be had, or a fresh one is not taken; `wait` when the upstream said how long."""
        if self._trouble is None:
            self._open(trouble, why, now, max(self._first_pause, wait or 0.0))
            return
        if self._trouble is not Trouble.REFUSALS:
            self._trouble = trouble
        self._why = why
        self._open_until = max(self._open_until, now + (wait or 0.0))

    def lane_ended(self, lane: str, now: float, *, refused: bool, why: str) -> None:
        """A live write of this lane came to its end: `refused` when `refused` or `not-permitted`."""
        self._lanes.pop(lane, None)
        self._lanes[lane] = refused
        if len(self._lanes) > LATEST_LANES:
            del self._lanes[next(iter(self._lanes))]
        count = sum(self._lanes.values())
        if refused and self._trouble is None and count >= ENOUGH_LANES and self._mostly_refused(count):
            self._open(Trouble.REFUSALS, why, now, self._first_pause)

    def take_probe(self, now: float) -> bool:
        """Let one caller probe, if the pause is over and nobody probes."""
        if self._trouble is None or self._probing or now < self._open_until:
            return False
        self._probing = True
        return True

    def probe_succeeded(self) -> None:
        """The probe came through: calls go again."""
        self._trouble, self._why, self._probing, self._pause = None, "", False, self._first_pause
        self._calls.clear()
        self._lanes.clear()
        self._changed()

    def probe_answered(self) -> None:
        """The probe was answered, which tells nothing of refusals: in those another one may probe at once."""
        if self._trouble is Trouble.REFUSALS:
            self.probe_abandoned()
        else:
            self.probe_succeeded()

    def probe_failed_alone(self, now: float, why: str) -> None:
        """The cheapest read was answered, the probe's ask was not: its own trouble, unless most have it."""
        if self._mostly_failing(now):
            self.probe_failed(now, why)
        else:
            self.probe_answered()

    def probe_failed(self, now: float, why: str) -> None:
        """The probe came to nothing: wait longer."""
        self._probing = False
        self._why = why
        self._pause = min(self._longest_pause, self._pause * 2)
        self._open_until = max(self._open_until, now + self._pause)
        self._changed()

    def probe_abandoned(self) -> None:
        """The one that probed went away without a result: another one may probe at once."""
        self._probing = False
        self._changed()

    def _mostly_failing(self, now: float) -> bool:
        latest = self._judged(now)[-LATEST_CALLS:]
        return len(latest) >= ENOUGH_CALLS and latest.count(False) >= MOST_CALLS_FAILED * len(latest)

    def _judged(self, now: float) -> list[bool]:
        """What each lane's latest call came to, in the order in which they began.

        Only up to the first that may still succeed.
        """
        young = (number for number, began in self._under_way.items() if now - began < QUIET_SECONDS)
        end = next(young, math.inf)
        lanes: dict[str, bool] = {}
        for number in sorted(self._calls):
            if number < end:
                lane, succeeded = self._calls[number]
                lanes.pop(lane, None)
                lanes[lane] = succeeded
        return list(lanes.values())

    def _remember(self, number: int, lane: str, *, succeeded: bool) -> None:
        self._calls[number] = lane, succeeded
        if len(self._calls) >= _MOST_REMEMBERED:
            for old in sorted(self._calls)[: _MOST_REMEMBERED // 2]:
                del self._calls[old]

    def _mostly_refused(self, count: int) -> bool:
        return count > MOST_LANES_REFUSED * len(self._lanes)

    def _open(self, trouble: Trouble, why: str, now: float, pause: float) -> None:
        self._trouble, self._why = trouble, why
        self._open_since = now
        self._pause = min(self._longest_pause, pause)
        self._open_until = now + pause
        self._changed()
