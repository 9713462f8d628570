"""Workers as they run in earnest, for tests: the command as a process, or the same app in this one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.stream.kafka import connection
from app.stream.provision import ensure
from app.stream.topology import topics
from app.worker.build import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from app.settings import Settings
    from app.stream.faust_app import StreamApp
    from app.stream.topology import Topics

PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.05
_TOOK = b"took partitions"
_GAVE = b"gave partitions back"


class WorkerProcess:
    """`servicetitan-stream worker` with these settings; its output is in `log`."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app", "worker"],
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def until_working(self, times: int = 1) -> None:
        """Returns once it has taken partitions so many times."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.log.read_bytes().count(_TOOK) < times:
                assert self.running, self.log.read_text()
                await asyncio.sleep(_POLL_SECONDS)

    async def until_asleep(self) -> None:
        """Returns once it has put itself to sleep, where `STREAM_STOP_AT` says."""
        stat = Path(f"/proc/{self._process.pid}/stat")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while stat.read_text().rpartition(")")[2].split()[0] != "T":
                await asyncio.sleep(_POLL_SECONDS)

    def wake(self) -> None:
        """Let it go on where it fell asleep."""
        self._process.send_signal(signal.SIGCONT)

    def took(self) -> int:
        """How many times it has taken partitions."""
        return self.log.read_bytes().count(_TOOK)

    def gave(self) -> int:
        """How many times it has given partitions back."""
        return self.log.read_bytes().count(_GAVE)

    async def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, PATIENCE_SECONDS)

    def kill(self) -> None:
        """SIGKILL; nothing when it has ended."""
        self._process.kill()
        self._process.wait()


@asynccontextmanager
async def worker_process(environ: Mapping[str, str], log: Path) -> AsyncIterator[WorkerProcess]:
    """A worker that works when this yields, and is gone when it is left."""
    worker = WorkerProcess(environ, log)
    try:
        await worker.until_working()
        yield worker
    finally:
        worker.kill()


@asynccontextmanager
async def worker_here(settings: Settings, made: Topics | None = None) -> AsyncIterator[StreamApp]:
    """A worker in this process and loop, its topics made if they are not yet; it works when this yields."""
    used = made or (await ensure(topics(settings), connection(settings))).topics
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    app = build(settings, used)
    app.finalize()
    try:
        await app.start()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while app.recovering:
                await asyncio.sleep(_POLL_SECONDS)
        yield app
    finally:
        await app.stop()
        assert app.gave_up is None
