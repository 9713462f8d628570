"""The log of every call, and the figures made of it."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

KEPT_CALLS = 20_000
_SECONDS_KEPT = 120


@dataclass(slots=True)
class CallRecord:
    """One call: `status` is what was answered, None when no answer came; `ms` until then.

    `effects` are the kinds of what it changed, `job` and `booking` the job it changed.
    """

    number: int
    at: datetime
    method: str
    route: str
    path: str
    status: int | None = None
    fault: str | None = None
    ms: float | None = None
    effects: tuple[str, ...] = ()
    job: int | None = None
    booking: str | None = None


class Journal:
    """The latest calls in full, and counts of all of them. Seconds are of the monotonic clock."""

    def __init__(self) -> None:
        self.calls: deque[CallRecord] = deque(maxlen=KEPT_CALLS)
        self.total = 0
        self.by_route: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.max_in_a_second = 0
        self.first_at: float | None = None
        self.last_at: float | None = None
        self._window: deque[float] = deque()
        self._per_second: deque[tuple[int, int]] = deque(maxlen=_SECONDS_KEPT)

    def open(
        self, at: datetime, now: float, method: str, route: str, path: str, *, limited: bool = True
    ) -> CallRecord:
        """Note that a call has come; figures per second are of `limited` calls, which tokens are not."""
        self.total += 1
        self.by_route[f"{method} {route}"] += 1
        if limited:
            self._count(now)
        record = CallRecord(self.total, at, method, route, path)
        self.calls.append(record)
        return record

    def _count(self, now: float) -> None:
        self.first_at = now if self.first_at is None else self.first_at
        self.last_at = now
        while self._window and self._window[0] <= now - 1:
            self._window.popleft()
        self._window.append(now)
        self.max_in_a_second = max(self.max_in_a_second, len(self._window))
        second = int(now)
        if self._per_second and self._per_second[-1][0] == second:
            self._per_second[-1] = (second, self._per_second[-1][1] + 1)
        else:
            self._per_second.append((second, 1))

    def close(self, record: CallRecord, status: int | None, fault: str | None, ms: float) -> None:
        """Note how the call ended."""
        record.status, record.fault, record.ms = status, fault, ms
        self.by_status[str(status) if status is not None else "no answer"] += 1
        if fault:
            self.by_fault[fault] += 1

    def in_last_second(self, now: float) -> int:
        """Calls in the second before `now`."""
        return sum(1 for moment in self._window if moment > now - 1)

    def per_second(self, now: float, seconds: int = 60) -> list[int]:
        """Calls in each of the latest whole seconds, oldest first."""
        counts = dict(self._per_second)
        return [counts.get(second, 0) for second in range(int(now) - seconds + 1, int(now) + 1)]
