"""A worker that cannot keep its promise ends itself, so that its supervisor starts it anew.

What may stand still for a good reason is not counted: while ServiceTitan is out, or Kafka away, lanes wait
as they should, and a restart would help nobody.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mode import Service

from app.telemetry import log

STATUS = 4
"""The exit status of a worker that gave up."""
_LOOK_SECONDS = 5.0
END_SECONDS = 120.0
"""How long a worker that gave up may take to end by itself."""

_Ages: TypeAlias = dict[tuple[str, int], tuple[int, float]]
"""By topic and partition the offset at which it stands, and for how many seconds."""

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many seconds each thing may last before the worker gives up."""

    commit: float = 120.0
    """Finished work is not committed, though the group answers."""
    idle: float = 300.0
    """There is work, none of it is finished, and nothing outside explains it."""
    head: float = 1800.0
    """One message is not finished while others are; an urgent backlog in front of it may take a while."""
    unread: float = 300.0
    """A partition is fetched and the broker has more, and nothing of it comes: a restart seeks anew."""
    recovery: float = 600.0
    """The tables are not complete, and no record of theirs is read."""
    silence: float = 600.0
    """The group has not answered: either Kafka is away, or this member asks no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the watchdog sees at one look. `excused` says that work waits for something outside."""

    finished: int
    """How many messages were finished since the start."""
    heads: Mapping[tuple[str, int], int]
    """By topic and partition the offset of the first unfinished message."""
    unread: Mapping[tuple[str, int], int]
    """The next offset of each partition of which the broker has more, and nothing is in memory."""
    lag: int
    """Messages that can be read and are not done."""
    commit_age: float
    group_answers: bool
    recovering: bool
    to_replay: int
    excused: bool


class Watchdog:
    """Judges what is seen; all its clocks stop while standing still is excused."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._before: float | None = None
        self._idle = 0.0
        self._recovering = 0.0
        self._silent = 0.0
        self._finished = -1
        self._to_replay = -1
        self._heads: _Ages = {}
        self._unread: _Ages = {}

    def look(self, seen: Seen, now: float) -> str | None:
        """Why the worker must end, or None. `now` is monotonic; looks may be any time apart."""
        passed = 0.0 if self._before is None else now - self._before
        self._before = now
        return (
            self._silence(seen, passed)
            or self._recovery(seen, passed)
            or self._commit(seen)
            or self._idleness(seen, passed)
            or self._head(seen, passed)
            or self._unreadness(seen, passed)
        )

    def _silence(self, seen: Seen, passed: float) -> str | None:
        self._silent = 0.0 if seen.group_answers else self._silent + passed
        if self._silent < self._limits.silence:
            return None
        return f"the group has not answered for {self._silent:.0f} s"

    def _recovery(self, seen: Seen, passed: float) -> str | None:
        moved = seen.to_replay != self._to_replay
        self._to_replay = seen.to_replay
        still = seen.recovering and seen.group_answers and not moved
        self._recovering = self._recovering + passed if still else 0.0
        if self._recovering < self._limits.recovery:
            return None
        return f"the tables are not complete, and nothing was read for {self._recovering:.0f} s"

    def _commit(self, seen: Seen) -> str | None:
        if not seen.group_answers or seen.recovering or seen.commit_age < self._limits.commit:
            return None
        return f"finished work has not been committed for {seen.commit_age:.0f} s"

    def _idleness(self, seen: Seen, passed: float) -> str | None:
        moved = seen.finished != self._finished
        self._finished = seen.finished
        if moved or not (seen.lag or seen.heads):
            self._idle = 0.0
        elif _counts(seen):
            self._idle += passed
        if self._idle < self._limits.idle:
            return None
        return f"{seen.lag} messages wait, and none was finished for {self._idle:.0f} s"

    def _head(self, seen: Seen, passed: float) -> str | None:
        self._heads = _aged(self._heads, seen.heads, passed if _counts(seen) else 0.0)
        for (topic, partition), (offset, age) in self._heads.items():
            if age >= self._limits.head:
                return f"{topic}[{partition}] at {offset} has not been finished for {age:.0f} s"
        return None

    def _unreadness(self, seen: Seen, passed: float) -> str | None:
        reads = seen.group_answers and not seen.recovering
        self._unread = _aged(self._unread, seen.unread, passed if reads else 0.0)
        for (topic, partition), (offset, age) in self._unread.items():
            if age >= self._limits.unread:
                return f"{topic}[{partition}] has not been read on from {offset} for {age:.0f} s"
        return None


def _aged(before: _Ages, now: Mapping[tuple[str, int], int], passed: float) -> _Ages:
    """How long each partition has stood at its offset, `passed` seconds after it was `before`."""
    ages: _Ages = {}
    for where, offset in now.items():
        stood_at, age = before.get(where, (-1, 0.0))
        ages[where] = (offset, age + passed if stood_at == offset else 0.0)
    return ages


def _counts(seen: Seen) -> bool:
    return seen.group_answers and not (seen.excused or seen.recovering)


class Watch(Service):
    """Looks again and again, and calls `give_up` with the reason.

    When the worker is to end (`gave_up`, whoever said so) and does not in `end_seconds`, the process is ended
    all the same; None where the process is somebody else's.
    """

    def __init__(
        self,
        see: Callable[[], Seen],
        *,
        give_up: Callable[[str], None],
        gave_up: Callable[[], str | None],
        limits: Limits | None = None,
        end_seconds: float | None = None,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._see = see
        self._give_up = give_up
        self._gave_up = gave_up
        self._watchdog = Watchdog(limits)
        self._end_seconds = end_seconds
        self._look_seconds = look_seconds
        self._last: threading.Timer | None = None
        super().__init__()

    @Service.task
    async def _look(self) -> None:
        while self._gave_up() is None:
            reason = self._watchdog.look(self._see(), time.monotonic())
            if reason is not None:
                self._give_up(reason)
            await asyncio.sleep(self._look_seconds)
        self._end_at_last()

    async def on_stop(self) -> None:
        """The end may come before the next look."""
        if self._gave_up() is not None:
            self._end_at_last()

    def _end_at_last(self) -> None:
        if self._last is not None or self._end_seconds is None:
            return
        # A thread of its own: what hinders the end may be the loop.
        self._last = threading.Timer(self._end_seconds, self._end)
        self._last.daemon = True
        self._last.start()

    def _end(self) -> None:
        _log.critical("the worker did not end by itself", seconds=self._end_seconds, reason=self._gave_up())
        os._exit(STATUS)
