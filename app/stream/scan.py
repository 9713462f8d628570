"""What keeps lanes moving when something was lost: the scan sends it again, as records of a retry topic.

It asks the view and never iterates a table. Each row's owner acts on what it finds; sent twice, or to a lane
that has moved on, it changes nothing. How much it had to send is counted, and must stay at none.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from app.stream.codec import TimerKind, scan_headers
from app.stream.faust_app import StreamApp
from app.stream.sender import Outgoing

OVERDUE_AFTER = timedelta(seconds=60)
"""How late a timer may be before it counts as lost (design section 5, point 4)."""
MOST_AT_ONCE = 200


class Lane(Protocol):
    """A lane as the view has it."""

    @property
    def booking_id(self) -> str:
        """The booking's id."""

    @property
    def partition(self) -> int:
        """The partition whose owner acts."""


class TurnedLane(Lane, Protocol):
    """A lane that is at a certain turn."""

    @property
    def turn(self) -> int:
        """The lane's turn."""


class Lanes(Protocol):
    """The part of the view that the scan asks."""

    async def overdue(
        self, before: datetime, partitions: Collection[int], *, limit: int
    ) -> Collection[TurnedLane]:
        """Lanes that were due before."""

    async def working(self, partitions: Collection[int], *, limit: int) -> Collection[TurnedLane]:
        """Lanes in the middle of their work."""

    async def over(self, before: datetime, partitions: Collection[int], *, limit: int) -> Collection[Lane]:
        """Bookings that ended or were closed before."""

    async def regressions(self, partitions: Collection[int], *, limit: int) -> Collection[Lane]:
        """Bookings of which a lower row stands behind a higher one."""


@dataclass(slots=True)
class ScanCounts:
    """How much was sent since the start: all but `expired` must stay 0."""

    overdue: int = 0
    stuck: int = 0
    restated: int = 0
    expired: int = 0


class Scan:
    """One look after another at the lanes of this worker's partitions."""

    def __init__(
        self,
        app: StreamApp,
        lanes: Lanes,
        *,
        topic: str,
        keep_ended: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._lanes = lanes
        self._topic = topic
        self._keep_ended = keep_ended
        self._now = now
        self._working: frozenset[tuple[str, int]] = frozenset()
        self.counts = ScanCounts()

    async def look(self) -> None:
        """Send again what is overdue or stuck, have rows restated, and let old bookings leave."""
        mine = self._app.owned_partitions
        if not mine:
            return
        now = self._now()
        late = await self._lanes.overdue(now - OVERDUE_AFTER, mine, limit=MOST_AT_ONCE)
        self.counts.overdue += await self._wake(late, "overdue")
        self.counts.stuck += await self._wake(await self._stuck(mine), "overdue")
        lower = await self._lanes.regressions(mine, limit=MOST_AT_ONCE)
        self.counts.restated += await self._send(lower, "restate")
        old = await self._lanes.over(now - self._keep_ended, mine, limit=MOST_AT_ONCE)
        self.counts.expired += await self._send(old, "expire")

    async def _stuck(self, mine: Collection[int]) -> list[TurnedLane]:
        """Lanes found working at the same turn twice in a row: nobody works on them."""
        working = await self._lanes.working(mine, limit=MOST_AT_ONCE)
        before, self._working = self._working, frozenset((lane.booking_id, lane.turn) for lane in working)
        return [lane for lane in working if (lane.booking_id, lane.turn) in before]

    async def _wake(self, lanes: Collection[TurnedLane], kind: TimerKind) -> int:
        await self._app.publish_all([self._record(lane, lane.turn, kind) for lane in lanes])
        return len(lanes)

    async def _send(self, lanes: Collection[Lane], kind: TimerKind) -> int:
        await self._app.publish_all([self._record(lane, 0, kind) for lane in lanes])
        return len(lanes)

    def _record(self, lane: Lane, turn: int, kind: TimerKind) -> Outgoing:
        headers = scan_headers(turn, kind)
        return Outgoing(self._topic, lane.booking_id.encode(), b"", headers, lane.partition)
