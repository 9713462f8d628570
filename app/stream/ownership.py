"""Whether a partition is still this worker's: generation, and the last answered heartbeat.

A paused or partitioned worker learns late that the group went on without it. So before every write, send
and call it asks here: the group knows this member for certain only as long as the last heartbeat that was
answered was *sent* less than a session ago, on a clock that goes on while the process is stopped or the
machine suspended.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from app.stream.clock import elapsed
from app.stream.errors import NotMine

_LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Work:
    """On whose behalf the running code acts: a partition, under one ownership of it."""

    partition: int
    epoch: int


current_work: ContextVar[Work | None] = ContextVar("current_work", default=None)
"""Set for every handler, and inherited by the tasks it starts."""


class Membership:
    """What the group coordinator last said about this member; written by the consumer's thread."""

    def __init__(self, session_timeout: float, clock: Callable[[], float] = elapsed) -> None:
        self.generation = -1
        self.expelled = True
        """The group does not know this member (any more); it has to join anew."""
        self._session_timeout = session_timeout
        self._clock = clock
        self._answered = float("-inf")

    def joined(self, generation: int) -> None:
        """Note a new generation; it counts as fresh from its first answered heartbeat."""
        self.generation = generation
        self.expelled = False

    def heartbeat_answered(self, sent_at: float) -> None:
        """Note that a heartbeat sent at `sent_at`, by `clock.elapsed`, was accepted."""
        self._answered = max(self._answered, sent_at)

    def reset(self) -> None:
        """Note that the coordinator does not know this member, or that the member left."""
        self.expelled = True

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the last answered heartbeat was sent, infinite before the first."""
        return self._clock() - self._answered

    @property
    def fresh(self) -> bool:
        """Whether the group surely counts this member in."""
        return not self.expelled and self.heartbeat_age < self._session_timeout


class Ownership:
    """The partitions of this worker, by number: all sources and tables are partitioned alike."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.epoch = 0
        """Grows with every assignment."""
        self.partitions: frozenset[int] = frozenset()
        self._owning = False

    def take(self, partitions: Iterable[int]) -> int:
        """Own these partitions from now on; gives the new epoch."""
        self.epoch += 1
        self._owning = True
        self.partitions = frozenset(partitions)
        return self.epoch

    def give_back(self) -> bool:
        """Own nothing from now on; tells whether there was an ownership, be it of nothing."""
        owned, self._owning = self._owning, False
        self.partitions = frozenset()
        return owned

    def holds(self, work: Work) -> bool:
        """Whether the ownership under which `work` began still stands."""
        return work.epoch == self.epoch and work.partition in self.partitions

    def must_hold(self, work: Work) -> None:
        """Raise NotMine when the ownership under which `work` began has ended."""
        if not self.holds(work):
            raise NotMine(work.partition)

    def still_mine(self, partition: int) -> bool:
        """Whether acting for `partition` is right at this moment."""
        return self.membership.fresh and self.holds(self._work_for(partition))

    async def ensure(self, partition: int) -> Work:
        """Wait until acting for `partition` is right; raises NotMine when it never will be again.

        A broker that is away makes the membership uncertain, not lost: the same generation goes on when it
        answers again, so the caller simply waits.
        """
        work = self._work_for(partition)
        while not (self.membership.fresh and self.holds(work)):
            if self.membership.expelled or not self.holds(work):
                raise NotMine(partition)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return work

    def _work_for(self, partition: int) -> Work:
        work = current_work.get()
        return Work(partition, self.epoch if work is None else work.epoch)
