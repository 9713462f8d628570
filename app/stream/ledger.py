"""What of one partition is fetched, finished and committed: the only source of commits.

Faust's own bookkeeping does not commit from the head when messages finish out of order. The ledger does: it
is filled as records are fetched, in their order, and its position is behind the last message before which
everything is done. What was fetched and then dropped on the way to a handler leaves a head that never
finishes, so it is never committed: it shows as head age, and is delivered again.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from app.stream.errors import LogWentBack


class Intake(Enum):
    """Whether a partition's messages may be worked on."""

    OPEN = auto()
    DRAINING = auto()
    """Handlers start only on what stands before a message that was started already: as long as it is not
    done, nothing behind it can be committed, and what is done would be repeated."""
    CLOSED = auto()
    """No handler starts any more; running ones may finish and be committed."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a partition is held in memory before it is fetched no further.

    `unfinished` bounds the messages, `size` their bytes, `window` the offsets from the head to the last
    fetched one, finished or not.
    """

    unfinished: int = 1_000
    window: int = 20_000
    size: int = 4 * 1024 * 1024


class Ledger:
    """The ledger of one partition for one ownership (`epoch`) of it.

    `start` is the offset at which it is read on: everything below it is committed, or was deleted unread.
    """

    __slots__ = (
        "_clock",
        "_head_since",
        "_order",
        "_pending",
        "_reach",
        "_room",
        "_size",
        "_uncommitted_since",
        "committed",
        "crowded",
        "epoch",
        "intake",
        "last",
        "position",
    )

    def __init__(
        self,
        start: int,
        *,
        epoch: int = 0,
        room: Room | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = epoch
        self.intake = Intake.OPEN
        self.committed = start
        self.position = start
        """The offset to commit: everything below it is done."""
        self.crowded = False
        """The partition is to be fetched no further; it becomes false again at half the room."""
        self.last = -1
        self._room = room or Room()
        self._clock = clock
        self._order: deque[int] = deque()
        self._pending: dict[int, int] = {}
        self._size = 0
        self._reach = -1
        self._head_since = clock()
        self._uncommitted_since: float | None = None

    def fetched(self, offset: int, size: int = 0) -> None:
        """Enter a record of so many bytes, in the order of the partition.

        Raises LogWentBack when that order is broken.
        """
        if offset <= self.last:
            raise LogWentBack(f"offset {offset} came after {self.last}")
        if not self._order:
            self._head_since = self._clock()
        if self.last < 0:
            # A log that was cut begins below what is committed of it.
            self.position = min(self.position, offset)
        self.last = offset
        self._order.append(offset)
        self._pending[offset] = size
        self._size += size
        room = self._room
        if (
            len(self._pending) >= room.unfinished
            or len(self._order) >= room.window
            or self._size >= room.size
        ):
            self.crowded = True

    def read_to(self, offset: int) -> None:
        """Note that the partition was read up to `offset`, and that all that was there is entered."""
        if not self._order:
            self.position = max(self.position, offset)

    def may_start(self, offset: int) -> bool:
        """Whether a handler may start on a fetched message."""
        match self.intake:
            case Intake.OPEN:
                return True
            case Intake.DRAINING:
                return offset < self._reach
            case Intake.CLOSED:
                return False

    def started(self, offset: int) -> None:
        """Note that a handler has started on a fetched message."""
        self._reach = max(self._reach, offset)

    def done(self, offset: int) -> None:
        """Mark a fetched record as finished. Raises KeyError for one that is not pending."""
        self._size -= self._pending.pop(offset)
        order, pending = self._order, self._pending
        if order[0] == offset:
            while order and order[0] not in pending:
                self.position = order.popleft() + 1
            self._head_since = self._clock()
            if self._uncommitted_since is None:
                self._uncommitted_since = self._head_since
        room = self._room
        if (
            self.crowded
            and len(pending) * 2 <= room.unfinished
            and len(order) * 2 <= room.window
            and self._size * 2 <= room.size
        ):
            self.crowded = False

    def commit_answered(self, offset: int) -> None:
        """Note that the broker has acknowledged `offset` as committed."""
        self.committed = offset
        if self.position == offset:
            self._uncommitted_since = None
        elif self._uncommitted_since is not None:
            self._uncommitted_since = self._clock()

    @property
    def accepting(self) -> bool:
        """Whether messages are entered and worked as they come."""
        return self.intake is Intake.OPEN

    @property
    def committable(self) -> int | None:
        """The offset to commit now, or None when there is nothing new to commit."""
        return None if self.position == self.committed else self.position

    @property
    def unfinished(self) -> int:
        """How many fetched messages are not done."""
        return len(self._pending)

    @property
    def window(self) -> int:
        """How many offsets are remembered, from the head on."""
        return len(self._order)

    @property
    def head(self) -> int | None:
        """The offset of the first message that is not done, None without one."""
        return self._order[0] if self._order else None

    def next_needed(self) -> int:
        """The offset of the first message that is not done, fetched or not."""
        return self._order[0] if self._order else self.position

    def head_age(self) -> float:
        """Seconds since the head is the head, 0 when nothing is pending."""
        return self._clock() - self._head_since if self._order else 0.0

    def commit_age(self) -> float:
        """Seconds since the oldest finished message waits to be committed, 0 when none does."""
        return 0.0 if self._uncommitted_since is None else self._clock() - self._uncommitted_since
