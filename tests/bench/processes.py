"""What a benchmark starts, and what it costs: processes, their CPU seconds and their memory."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")
_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of a process so far: all of it, and its main thread's part."""

    whole: float
    main: float

    def __sub__(self, earlier: Cost) -> Cost:
        return Cost(self.whole - earlier.whole, self.main - earlier.main)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.whole + other.whole, self.main + other.main)


class Process:
    """`python -m MODULE ARGUMENTS`, gone when it is left. What it prints goes into `log`."""

    def __init__(
        self, log: Path, module: str, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as file:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self.pid = self._popen.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL; nothing when it has ended."""
        self._popen.kill()
        self._popen.wait()

    async def said(self, what: str, *, times: int = 1, seconds: float = _WAIT_SECONDS) -> str:
        """The line of its output that contains this, for so many times; the run fails when none comes."""
        async with asyncio.timeout(seconds):
            while True:
                lines = [line for line in self.log.read_text(errors="replace").splitlines() if what in line]
                if len(lines) >= times:
                    return lines[times - 1]
                if self._popen.poll() is not None:
                    raise RuntimeError(f"it ended: {self.log.read_text(errors='replace')[-3000:]}")
                await asyncio.sleep(0.02)

    def cost(self) -> Cost:
        return Cost(_cpu(f"/proc/{self.pid}/stat"), _cpu(f"/proc/{self.pid}/task/{self.pid}/stat"))

    def megabytes(self, line: str = "VmRSS") -> float:
        """The memory in RAM now, or with `VmHWM` the most there was."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(one.split()[1]) for one in status.splitlines() if one.startswith(line)) / 1024


def _cpu(path: str) -> float:
    fields = Path(path).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
