"""Hands messages to their handlers: one at a time per key, over all topics, and keys beside each other."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from app.stream.errors import NotMine
from app.stream.ledger import Ledger
from app.stream.message import Message
from app.stream.ownership import Ownership, Work, current_work

_log = logging.getLogger(__name__)

_CANCEL_SECONDS = 5.0
_PAUSE_SECONDS = 0.05

Handler = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """A message, where it is accounted for, and who works it."""

    message: Message
    ledger: Ledger
    handler: Handler


@dataclass(slots=True)
class Progress:
    """Counts since the start."""

    started: int = 0
    finished: int = 0
    interrupted: int = 0
    """Handlers that found the partition not theirs."""
    dropped: int = 0
    """Messages not started, or given up, because the partition was given back: they are delivered again."""
    cancelled: int = 0
    """Handlers that were still running at the end of a drain."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain came to."""

    running: int
    cancelled: int
    seconds: float


class Dispatcher:
    """One chain per key, worked by one task as long as there is something in it.

    A handler that returns has finished its message. One that raises NotMine is asked again as long as the
    partition is ours, else its message is dropped. Any other exception is reported to `fail` and ends the
    worker.
    """

    def __init__(self, ownership: Ownership, fail: Callable[[str, BaseException], None]) -> None:
        self._ownership = ownership
        self._fail = fail
        self._chains: dict[bytes, deque[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.progress = Progress()

    @property
    def chains(self) -> int:
        """How many keys are worked on."""
        return len(self._chains)

    def works_on(self, key: bytes) -> bool:
        """Whether a message of this key is being worked, or about to be."""
        return key in self._chains

    def take(self, key: bytes, job: Job) -> None:
        """Put a message at the end of its key's chain."""
        chain = self._chains.get(key)
        if chain is not None:
            chain.append(job)
            return
        chain = self._chains[key] = deque([job])
        task = asyncio.create_task(self._work_off(key, chain))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, key: bytes, chain: deque[Job]) -> None:
        try:
            while chain and await self._work(chain[0]):
                chain.popleft()
        finally:
            del self._chains[key]
            self._leave(key, chain)

    def _leave(self, key: bytes, rest: deque[Job]) -> None:
        """Drop what is left of a chain, but not what came under a later ownership than what ended it."""
        for job in rest:
            if job.ledger.epoch > rest[0].ledger.epoch:
                self.take(key, job)
            else:
                self.progress.dropped += 1

    async def _work(self, job: Job) -> bool:
        """Whether the message is finished: if it is not, nothing behind it in its chain may be worked."""
        offset = job.message.offset
        if not job.ledger.may_start(offset) or self._ownership.membership.expelled:
            return False
        current_work.set(Work(job.message.partition, job.ledger.epoch))
        job.ledger.started(offset)
        self.progress.started += 1
        try:
            finished = await self._handle(job)
        except Exception as wrong:  # noqa: BLE001 - whatever a handler did not expect ends the worker
            self._fail(f"{job.message.topic}[{job.message.partition}] at {offset}", wrong)
            return False
        if finished:
            job.ledger.done(offset)
            self.progress.finished += 1
        return finished

    async def _handle(self, job: Job) -> bool:
        """Whether the message is finished; false when its partition is lost."""
        message = job.message
        while True:
            try:
                await job.handler(message)
            except NotMine:
                self.progress.interrupted += 1
            else:
                return True
            if not job.ledger.accepting:
                return False
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self._ownership.ensure(message.partition)
            except NotMine:
                return False
            message = replace(message, again=True)

    async def settle(self, limit: float) -> None:
        """Wait, at most `limit` seconds, until no chain goes on. The ledgers decide what still starts."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=limit)

    async def drain(self, limit: float) -> Drained:
        """Wait for running handlers, at most `limit` seconds; cancel those that run on.

        Their ledgers have to be closed already, so that what stands behind them is dropped.
        """
        begun = time.monotonic()
        running = set(self._tasks)
        if running:
            await asyncio.wait(running, timeout=limit)
        left = {task for task in running if not task.done()}
        for task in left:
            task.cancel()
        self.progress.cancelled += len(left)
        if left:
            _, deaf = await asyncio.wait(left, timeout=_CANCEL_SECONDS)
            if deaf:
                _log.error("%d handlers did not end when they were cancelled", len(deaf))
        return Drained(len(running), len(left), time.monotonic() - begun)
