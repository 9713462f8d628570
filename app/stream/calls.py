"""Asks to ServiceTitan on behalf of lanes: fenced before each call, and given up when partitions go."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.booking.asks import Ask, CustomerAsk
from app.booking.outcomes import Outcome, Unsure
from app.servicetitan.desk import Asker, Desk
from app.stream import faults
from app.stream.clock import elapsed
from app.stream.errors import NotMine


@dataclass(frozen=True, slots=True)
class Came:
    """What an ask came to.

    `sent_at` is the time, by `clock.elapsed`, at which its last call went out, if one did. `unanswered_at` is
    that of the last write of it that got no answer; others may have followed, since the desk asks again by
    itself while the breaker is open.
    """

    outcome: Outcome[Any]
    sent_at: float | None
    unanswered_at: float | None
    seconds: float


class LaneCalls:
    """Performs asks, and lets those go that only wait when this worker gives its partitions back."""

    def __init__(
        self, desk: Desk, still_mine: Callable[[int], bool], clock: Callable[[], float] = elapsed
    ) -> None:
        self._desk = desk
        self._still_mine = still_mine
        self._clock = clock
        self._waiting: dict[str, asyncio.Task[Outcome[Any]]] = {}
        self._in_call: set[str] = set()
        self.letting_go = False

    async def perform(
        self,
        ask: Ask | CustomerAsk,
        *,
        lane: str,
        partition: int,
        traceparent: str | None = None,
        live: bool = True,
        again: bool = False,
    ) -> Came:
        """Perform one ask. Raises NotMine when the partition is lost or given back before it was sent."""
        if self.letting_go:
            raise NotMine(partition)
        sent: list[float] = []
        unanswered: float | None = None

        def check() -> None:
            if not self._still_mine(partition):
                raise NotMine(partition)
            faults.reach("before-call", type(ask).__name__)
            sent.append(self._clock())
            self._in_call.add(lane)

        def ended(outcome: Outcome[Any]) -> None:
            nonlocal unanswered
            # Whatever the lane waits for now can be given up.
            self._in_call.discard(lane)
            if isinstance(outcome, Unsure) and outcome.http_status is None:
                unanswered = sent[-1] if sent else self._clock()

        asker = Asker(lane=lane, check=check, traceparent=traceparent, live=live, again=again, ended=ended)
        begun = self._clock()
        task = asyncio.ensure_future(self._desk.perform(ask, asker))
        self._waiting[lane] = task
        try:
            outcome = await task
        except asyncio.CancelledError:
            mine = asyncio.current_task()
            if mine is not None and mine.cancelling():
                task.cancel()
                raise
            raise NotMine(partition) from None
        finally:
            self._waiting.pop(lane, None)
            self._in_call.discard(lane)
        faults.reach("after-call", type(ask).__name__)
        last = sent[-1] if sent else None
        seconds = self._clock() - (last if last is not None else begun)
        return Came(outcome, last, unanswered, seconds)

    def let_go(self) -> None:
        """Give up every ask that only waits, until `take_hold`; those with a call under way finish it."""
        self.letting_go = True
        for lane, task in list(self._waiting.items()):
            if lane not in self._in_call:
                task.cancel()

    def take_hold(self) -> None:
        """Partitions were assigned: asks may wait again."""
        self.letting_go = False
