"""Figures that this worker keeps of itself: calls, how long they took, their outcomes, and lag."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")

CALL_SECONDS, CALL_POINTS = 5, 60
OUTCOME_SECONDS, OUTCOME_POINTS = 60, 60
LATELY = timedelta(minutes=2)
_MOST_TIMED = 1000
_SPEED_OF = timedelta(seconds=30)
_MOST_PLANS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceFacts:
    """How fast this worker calls ServiceTitan.

    `rate` is its share in calls per second, `used` what it made in the last second. `open_for` is how long
    the breaker stays open, `stopped_for` how long a 429 stops all calls, `token_age` how old the token at
    hand is and `token_left` how long it serves; all in seconds.
    """

    rate: float
    used: int
    in_flight: int = 0
    waiting: int = 0
    stopped_for: float = 0.0
    open_for: float | None = None
    token_age: float | None = None
    token_left: float | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long ServiceTitan took to answer lately: half of the calls, and 95 of 100, in seconds."""

    p50: float
    p95: float


@dataclass(slots=True)
class Ring(Generic[T]):
    """The latest `points` values, one for each `seconds`; what is older is forgotten."""

    seconds: int
    points: int
    empty: Callable[[], T]
    _kept: dict[int, T] = field(default_factory=dict)

    def put(self, at: datetime, change: Callable[[T], T]) -> None:
        """Change the value of that time."""
        place = int(at.timestamp()) // self.seconds
        self._kept[place] = change(self._kept.get(place, self.empty()))
        for old in [one for one in self._kept if one <= place - self.points]:
            del self._kept[old]

    def values(self, now: datetime) -> list[T]:
        """The values up to now, oldest first."""
        last = int(now.timestamp()) // self.seconds
        return [self._kept.get(place, self.empty()) for place in range(last - self.points + 1, last + 1)]


@dataclass(slots=True)
class Figures:
    """What this worker has seen lately."""

    calls: Ring[int] = field(default_factory=lambda: Ring(CALL_SECONDS, CALL_POINTS, int))
    lag: Ring[int] = field(default_factory=lambda: Ring(CALL_SECONDS, CALL_POINTS, int))
    outcomes: Ring[Counter[str]] = field(
        default_factory=lambda: Ring(OUTCOME_SECONDS, OUTCOME_POINTS, Counter)
    )
    late: int = 0
    """How many bookings are late, when the view was asked last."""
    _took: deque[tuple[datetime, float]] = field(default_factory=lambda: deque(maxlen=_MOST_TIMED))
    _done: dict[str, deque[tuple[datetime, int]]] = field(default_factory=dict)
    _since: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def call_made(self, kind: str, at: datetime, seconds: float) -> None:
        """A call to ServiceTitan ended; `kind` is its outcome: Accepted, Busy, Failed, Unsure, Refused."""
        self.calls.put(at, lambda calls: calls + 1)
        self.outcomes.put(at, lambda counted: counted + Counter({kind: 1}))
        self._took.append((at, seconds))

    def latency(self, now: datetime) -> Latency | None:
        """Of the calls of the last 2 minutes, the latest 1,000 at most; None when there was none."""
        took = sorted(seconds for at, seconds in self._took if now - at <= LATELY)
        if not took:
            return None
        return Latency(took[(len(took) - 1) // 2], took[(len(took) - 1) * 95 // 100])

    def since(self, name: str, word: str, now: datetime) -> datetime:
        """Since when `name` has been seen to be `word`, asked for it again and again."""
        if self._since.get(name, ("", now))[0] != word:
            self._since[name] = word, now
        return self._since[name][1]

    def speed(self, name: str, done: int, now: datetime) -> float | None:
        """How many of `name` get done each second lately, asked for it again and again; None at first.

        Of the last 30 seconds alone: a pause before them tells nothing of what is to come.
        """
        seen = self._done.setdefault(name, deque(maxlen=_MOST_TIMED))
        while seen and (now - seen[0][0] > _SPEED_OF or seen[-1][1] > done):
            seen.popleft()
        seen.append((now, done))
        while len(self._done) > _MOST_PLANS:
            del self._done[next(iter(self._done))]
        took = (now - seen[0][0]).total_seconds()
        return (done - seen[0][1]) / took if took >= 1 else None

    def lag_seen(self, lag: int, at: datetime) -> None:
        """So many records wait in the topics; of several in one stretch the highest counts."""
        self.lag.put(at, lambda seen: max(seen, lag))
