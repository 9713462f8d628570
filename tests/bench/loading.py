"""Loads a web server over kept-alive connections, with as little of its own as can be."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench.figures import percentile

if TYPE_CHECKING:
    from collections.abc import Callable

_WARM_SECONDS = 0.5


@dataclass(slots=True)
class Load:
    """Seconds that each answer took, and the statuses that were not 2xx; `all` counts warming up too."""

    seconds: float
    took: list[float] = field(default_factory=list)
    wrong: int = 0
    all: int = 0

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds

    @property
    def p99(self) -> float:
        return percentile(self.took, 99)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def load(port: int, make: Callable[[int], bytes], *, connections: int, seconds: float) -> Load:
    """What so many connections get, each asking again when it was answered. `make` numbers the requests."""
    found = Load(seconds)
    numbers = iter(range(1_000_000_000))
    begun = time.monotonic() + _WARM_SECONDS

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (asked := time.monotonic()) < begun + seconds:
            writer.write(make(next(numbers)))
            head = await reader.readuntil(b"\r\n\r\n")
            _, _, length = head.lower().partition(b"content-length:")
            await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
            found.all += 1
            if asked >= begun:
                found.took.append(time.monotonic() - asked)
                found.wrong += not head.startswith(b"HTTP/1.1 2")
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(ask())
    return found
