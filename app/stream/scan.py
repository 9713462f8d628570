"""What keeps lanes moving when something was lost: the scan sends it again, as records of a retry topic.

It asks the view and never iterates a table. Each row's owner acts on what it finds; sent twice, or to a lane
that has moved on, it changes nothing. How much it had to send is counted, and must stay at none.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from app.stream.codec import TimerKind, scan_headers
from app.stream.faust_app import Place, StreamApp
from app.stream.sender import Outgoing

OVERDUE_AFTER = timedelta(seconds=60)
"""How late a timer may be before it counts as lost (design section 5, point 4)."""
MOST_AT_ONCE = 200
MOST_LOOKED_AT = 10_000
"""Of lanes that are due, most wait for something that is only late."""


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

    @property
    def far_behind(self) -> bool:
        """Whether it shows too little of what is so by now."""

    @property
    def as_of(self) -> datetime | None:
        """As of when it is complete."""

    async def newest_row(self) -> datetime | None:
        """When the newest row was written, by Kafka's clock."""

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


def booking_chain(key: bytes) -> bytes:
    """The chain of all messages of a booking."""
    return b"b/" + key


@dataclass(frozen=True, slots=True)
class _Suspect:
    turn: int
    ends: Mapping[Place, int]
    """Where the topics ended from which the lane is woken, after it was due."""
    worked_at: datetime | None = None
    """When all of that was found worked."""


class LostTimers:
    """Which lanes have lost what was to wake them.

    Not those whose timers, or customers' answers, are only late: nothing is lost before all is worked that
    stood in the topics when the lane was long due, and a view that shows what came of it shows it due all the
    same.
    """

    def __init__(self) -> None:
        self._suspects: dict[str, _Suspect] = {}

    def look(
        self,
        due: Collection[TurnedLane],
        *,
        ends: Mapping[Place, int],
        reached: Mapping[Place, int],
        as_of: datetime,
        now: datetime,
    ) -> list[TurnedLane]:
        """Those of the lanes long due that are to be woken.

        `ends` is where the topics end now, `reached` up to where all is worked, `as_of` the view's time.
        """
        known, self._suspects = self._suspects, {}
        lost: list[TurnedLane] = []
        for lane in due:
            suspect = known.get(lane.booking_id)
            if suspect is None or suspect.turn != lane.turn:
                suspect = _Suspect(lane.turn, ends)
            elif suspect.worked_at is None:
                if all(reached.get(place, -1) >= end for place, end in suspect.ends.items()):
                    suspect = replace(suspect, worked_at=now)
            elif as_of >= suspect.worked_at and len(lost) < MOST_AT_ONCE:
                lost.append(lane)
                continue
            self._suspects[lane.booking_id] = suspect
        return lost

    def start_over(self) -> None:
        """Nothing could be worked meanwhile, so being late says nothing."""
        self._suspects = {}


def ended_before(now: datetime, newest: datetime | None, kept: timedelta) -> datetime | None:
    """Before when a booking must have ended to leave, by the slower of the two clocks; None when unknown."""
    return None if newest is None else min(now, newest) - kept


class Scan:
    """One look after another at the lanes of this worker's partitions.

    `topic` takes what it sends; `wakers` are the topics from which waiting lanes are woken; `stopped` says
    whether ServiceTitan cannot be called.
    """

    def __init__(
        self,
        app: StreamApp,
        lanes: Lanes,
        *,
        topic: str,
        wakers: Collection[str],
        stopped: Callable[[], bool],
        keep_ended: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._lanes = lanes
        self._topic = topic
        self._wakers = wakers
        self._stopped = stopped
        self._lost = LostTimers()
        self._keep_ended = keep_ended
        self._now = now
        self._working: frozenset[tuple[str, int]] = frozenset()
        self.counts = ScanCounts()

    async def look(self) -> None:
        """Send again what is overdue or stuck, have rows restated, and let old bookings leave."""
        mine = self._app.owned_partitions
        if not mine or self._lanes.far_behind:
            return
        if self._stopped():
            # Lanes wait as they should: for ServiceTitan.
            self._lost.start_over()
            self._working = frozenset()
        else:
            self.counts.overdue += await self._wake(await self._overdue(mine), "overdue")
            self.counts.stuck += await self._wake(await self._stuck(mine), "overdue")
        lower = await self._lanes.regressions(mine, limit=MOST_AT_ONCE)
        self.counts.restated += await self._send(lower, "restate")
        self.counts.expired += await self._send(await self._old(mine), "expire")

    async def _overdue(self, mine: Collection[int]) -> list[TurnedLane]:
        """Lanes that were due long ago and have lost what was to wake them, the longest due first."""
        now, as_of = self._now(), self._lanes.as_of
        late = await self._lanes.overdue(now - OVERDUE_AFTER, mine, limit=MOST_LOOKED_AT)
        late = [lane for lane in late if not self._works_on(lane)]
        if not late or as_of is None:
            self._lost.start_over()
            return []
        reached = self._app.reached(self._wakers)
        ends = await self._app.ends(self._wakers)
        return self._lost.look(late, ends=ends, reached=reached, as_of=as_of, now=now)

    async def _stuck(self, mine: Collection[int]) -> list[TurnedLane]:
        """Lanes found working at the same turn twice in a row, on which no task here works."""
        working = await self._lanes.working(mine, limit=MOST_LOOKED_AT)
        idle = [lane for lane in working if not self._works_on(lane)]
        before, self._working = self._working, frozenset((lane.booking_id, lane.turn) for lane in idle)
        return [lane for lane in idle if (lane.booking_id, lane.turn) in before][:MOST_AT_ONCE]

    async def _old(self, mine: Collection[int]) -> Collection[Lane]:
        """Bookings that ended long ago, by this machine's clock and by Kafka's: a removal is for good."""
        before = ended_before(self._now(), await self._lanes.newest_row(), self._keep_ended)
        return [] if before is None else await self._lanes.over(before, mine, limit=MOST_AT_ONCE)

    def _works_on(self, lane: Lane) -> bool:
        return self._app.dispatcher.works_on(booking_chain(lane.booking_id.encode()))

    async def _wake(self, lanes: Collection[TurnedLane], kind: TimerKind) -> int:
        await self._app.publish_all([self._record(lane, lane.turn, kind) for lane in lanes])
        return len(lanes)

    async def _send(self, lanes: Collection[Lane], kind: TimerKind) -> int:
        await self._app.publish_all([self._record(lane, 0, kind) for lane in lanes])
        return len(lanes)

    def _record(self, lane: Lane, turn: int, kind: TimerKind) -> Outgoing:
        headers = scan_headers(turn, kind)
        return Outgoing(self._topic, lane.booking_id.encode(), b"", headers, lane.partition)
