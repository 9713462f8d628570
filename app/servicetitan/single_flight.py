"""One piece of work for everybody who asks for it at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs work once at a time, in a task of its own: who waits may be cancelled, the work goes on."""

    def __init__(self) -> None:
        self._task: asyncio.Task[T] | None = None

    async def result(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work under way gives, or `work`, which is started when there is none."""
        return await asyncio.shield(self._begin(work))

    def start(self, work: Callable[[], Awaitable[T]]) -> None:
        """Start `work` unless some is under way; nobody waits for it."""
        _ = self._begin(work)

    async def close(self) -> None:
        """Stop the work if it is under way."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(_run(work))
        return self._task


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
