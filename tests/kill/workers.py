"""Workers as processes, started, stopped and killed by a trial."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from app.local.kafka import free_port
from app.stream.faults import VARIABLE

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

PATIENCE_SECONDS = 120
_OWNS = b'"event":"took partitions '
_SENT_LATE = b'"event":"sent by a worker that had lost the booking'


@dataclass(slots=True)
class Life:
    """One life of a worker; `kill_at` is the fault point it is to die at, if any."""

    name: str
    kill_at: str
    log: Path
    log_from: int
    pid: asyncio.Future[int] = field(default_factory=asyncio.Future)
    status: asyncio.Future[int] = field(default_factory=asyncio.Future)

    @property
    def said(self) -> bytes:
        """Its log."""
        with self.log.open("rb") as file:
            file.seek(self.log_from)
            return file.read()

    async def owns(self) -> None:
        """Return when it owned partitions for the first time, or has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (self.status.done() or _OWNS in self.said):
                await asyncio.sleep(0.1)


@dataclass(slots=True)
class Fleet:
    """Workers by name. Each has a data folder and a log of its own, which outlive it."""

    settings: Mapping[str, str]
    folder: Path
    living: dict[str, Life] = field(default_factory=dict)
    statuses: list[tuple[str, str, int]] = field(default_factory=list)
    """(name, how it was ended, exit status) of every life that ended."""
    _nursery: Process | None = None
    _listener: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._nursery = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.kill.nursery",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self._nursery is not None
        assert self._nursery.stdout is not None
        async for line in self._nursery.stdout:
            told = orjson.loads(line)
            life = self.living[told["name"]]
            if "status" in told:
                life.status.set_result(told["status"])
            else:
                life.pid.set_result(told["pid"])

    def data_of(self, name: str) -> Path:
        return self.folder / name

    async def start(self, name: str, *, kill_at: str = "", **environment: str) -> Life:
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        log = self.folder / f"{name}.log"
        with log.open("ab") as file:
            file.write(f"--- {kill_at}\n".encode())
            log_from = file.tell()
        variables = {
            **{key: value for key, value in os.environ.items() if not _is_a_setting(key)},
            **self.settings,
            "DATA_DIR": str(self.data_of(name)),
            "WEB_PORT": str(free_port()),
            **({VARIABLE: kill_at} if kill_at else {}),
            **environment,
        }
        assert name not in self.living, f"{name} lives already"
        life = self.living[name] = Life(name, kill_at, log, log_from)
        order = {"name": name, "log": str(log), "environment": variables}
        self._nursery.stdin.write(orjson.dumps(order) + b"\n")
        await life.pid
        return life

    async def kill(self, name: str) -> int:
        """SIGKILL, unless it has ended already; gives the exit status."""
        self._signal(name, signal.SIGKILL)
        return await self._ended(name, "KILL")

    async def terminate(self, name: str) -> int:
        """SIGTERM; gives the exit status."""
        self._signal(name, signal.SIGTERM)
        return await self._ended(name, "TERM")

    def freeze(self, name: str) -> None:
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: int) -> None:
        life = self.living[name]
        if not life.status.done():
            with suppress(ProcessLookupError):
                os.kill(life.pid.result(), number)

    def sent_late(self) -> set[str]:
        """Bookings of which a worker said that it sent something after it had lost them."""
        return {
            orjson.loads(line)["booking"]
            for log in self.folder.glob("*.log")
            for line in log.read_bytes().splitlines()
            if _SENT_LATE in line
        }

    async def sleeps(self, name: str) -> None:
        """Return when it has put itself to sleep at its point."""
        stat = Path(f"/proc/{self.living[name].pid.result()}/stat")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while stat.read_text().rpartition(")")[2].split()[0] != "T":
                await asyncio.sleep(0.05)

    def kilobytes(self, name: str) -> int:
        """The memory it has in RAM."""
        status = Path(f"/proc/{self.living[name].pid.result()}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    async def wait(self, name: str, seconds: float) -> int | None:
        """The exit status, or None when it still lives after that time."""
        life = self.living[name]
        await asyncio.wait([life.status], timeout=seconds)
        return await self._ended(name, life.kill_at or "itself") if life.status.done() else None

    async def _ended(self, name: str, how: str) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            status = await self.living[name].status
        del self.living[name]
        self.statuses.append((name, how, status))
        return status

    async def close(self) -> None:
        for name in list(self.living):
            await self.kill(name)
        if self._nursery is not None and self._nursery.stdin is not None:
            self._nursery.stdin.close()
            await self._nursery.wait()
        if self._listener is not None:
            await self._listener


def _is_a_setting(name: str) -> bool:
    return name.startswith(("KAFKA_", "TOPIC_", "SERVICETITAN_", "STREAM_", "WEB_", "API_", "WEBHOOK_"))
