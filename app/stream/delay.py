"""Holds the records of a delayed topic until they are due, outside of every queue.

All records of one retry topic have the same delay, so the order of time is the order of offsets: while the
first is not due none is, the partition is fetched no further, and nothing else waits for it.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Stamped(Protocol):
    """A fetched record: its own timestamp in milliseconds since the epoch."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch."""


R = TypeVar("R", bound=Stamped)


@dataclass(slots=True)
class DelayGate(Generic[R]):
    """The records of one partition that are not due yet, at most one fetch of them.

    A record is due by its own time plus `delay` (seconds), and never later than `delay` after it was
    fetched: the wait is measured on the monotonic clock from then on. When the wall clock was set back,
    records seem to come from the future; by how much is remembered, so that those behind them do not each
    wait in full.
    """

    delay: float
    _held: deque[tuple[float, R]] = field(default_factory=deque)
    _clock_was_ahead: float = 0.0

    @property
    def holding(self) -> bool:
        """Whether there is a record that is not due."""
        return bool(self._held)

    def hold(self, records: Iterable[R], *, wall: float, now: float) -> None:
        """Take fetched records, in their order. `wall` is epoch seconds, `now` monotonic seconds."""
        for record in records:
            self._held.append((now + self._wait(record.timestamp / 1000.0, wall), record))

    def _wait(self, stamped: float, wall: float) -> float:
        ahead = stamped - wall
        self._clock_was_ahead = max(self._clock_was_ahead, ahead) if ahead > 0 else 0.0
        remaining = stamped + self.delay - (wall + self._clock_was_ahead)
        return min(max(remaining, 0.0), self.delay)

    def release(self, now: float, limit: int) -> list[R]:
        """The records that are due at monotonic `now`, in their order, at most `limit`."""
        due: list[R] = []
        while self._held and len(due) < limit and self._held[0][0] <= now:
            due.append(self._held.popleft()[1])
        return due
