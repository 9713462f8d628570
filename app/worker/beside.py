"""What goes on beside the streams of a worker: the view, the scan, and the question how ServiceTitan is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from mode import Service

from app.telemetry import log
from app.view.view import View, ViewAway

SCAN_SECONDS = 15.0
HEALTH_SECONDS = 30.0
TOPICS_SECONDS = 10.0
NAMES_SECONDS = 60.0

Rounds: TypeAlias = Mapping[str, tuple[float, Callable[[], Awaitable[None]]]]
"""What is done again and again, by name: after how many seconds each, 0 for never."""

_log = log.get_logger(__name__)


class Beside(Service):
    """Lives as long as the app. `close` is awaited when it ends."""

    def __init__(
        self,
        view: View,
        *,
        rounds: Rounds,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._view = view
        self._rounds = rounds
        self._close = close
        super().__init__()

    async def on_start(self) -> None:
        """Start the view; it is filled while the tables recover."""
        await self._view.start()

    async def on_started(self) -> None:
        """Begin what is repeated."""
        for name, (seconds, work) in self._rounds.items():
            if seconds > 0:
                _ = self.add_future(self._repeat(name, seconds, work))

    async def on_stop(self) -> None:
        """End what was started."""
        await self._view.stop()
        await self._close()

    async def _repeat(self, name: str, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while not self.should_stop:
            await self.sleep(seconds)
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except ViewAway as away:
                _log.warning("left out, since the view is away", task=name, why=str(away))
            except Exception:  # noqa: BLE001 - one round that failed is said, and the next is tried
                _log.exception("a round failed", task=name)
