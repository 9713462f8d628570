"""A line to Kafka that can be made slow, and cut: every worker of a trial comes by it.

The broker has a second listener, which says to clients that it is reached at the proxy's port, so that all
of their connections come this way. The trial itself, and the books it compares, use the straight one.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from app.local.kafka import HOST, LocalKafka, free_port
from tests.kill import sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

_LISTENER = "PROXIED"


class Api(IntEnum):
    """Numbers of requests in Kafka's protocol."""

    PRODUCE = 0
    OFFSET_FETCH = 9


class TrialKafka(LocalKafka):
    """The local Kafka with a listener that is meant for a proxy."""

    def __init__(self) -> None:
        self.proxy_port = free_port()
        self.inner_port = free_port()
        super().__init__(
            properties={
                "listeners": f"{_LISTENER}://{HOST}:{self.inner_port}",
                "advertised.listeners": f"{_LISTENER}://{HOST}:{self.proxy_port}",
                "listener.security.protocol.map": f"{_LISTENER}:PLAINTEXT",
            }
        )

    @property
    def proxied_servers(self) -> str:
        """The address of the proxy, once there is one (`line_to`)."""
        return f"{HOST}:{self.proxy_port}"


@dataclass(slots=True)
class Line:
    """How the line is at the moment, and what passed over it."""

    random: Random
    latency: float = 0.0
    """Seconds from end to end, each way."""
    bytes_per_second: float = float("inf")
    """For each connection, each way."""
    slow_answers: dict[int, float] = field(default_factory=dict)
    """Seconds more, by request; the answers behind it on its connection wait too."""
    cut_answers: dict[int, float] = field(default_factory=dict)
    """By request the share of answers in whose middle the connection is cut."""
    refused_sends: float = 0.0
    """The share of sends that the broker has too few replicas to take."""
    doubted_sends: float = 0.0
    """The share of sends that it has taken, and then says it has too few replicas."""
    done: Counter[str] = field(default_factory=Counter)
    """How often each of these was done."""

    def well_again(self) -> None:
        """Take all of it back."""
        self.latency, self.bytes_per_second = 0.0, float("inf")
        self.slow_answers, self.cut_answers = {}, {}
        self.refused_sends = self.doubted_sends = 0.0

    def happens(self, what: str, share: float) -> bool:
        """Whether it happens now, as often as this share says; noted if it does."""
        now = self.random.random() < share
        self.done[what] += now
        return now


@asynccontextmanager
async def line_to(kafka: TrialKafka, random: Random) -> AsyncIterator[Line]:
    """The proxy, for as long as this is open; it passes everything on until `Line` says otherwise."""
    line = Line(random)
    open_connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        try:
            await _connect(line, kafka.inner_port, reader, writer)
        finally:
            open_connections.discard(task)

    server = await asyncio.start_server(connected, HOST, kafka.proxy_port)
    try:
        yield line
    finally:
        server.close()
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
        await server.wait_closed()


async def _connect(line: Line, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one client until either end closes. A broker that is away is one that closes at once."""
    try:
        inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
    except OSError:
        writer.transport.abort()
        return
    connection = _Connection(line)
    pumps = [
        asyncio.create_task(pump)
        for pump in (
            connection.take_requests(reader),
            connection.take_answers(inner_reader),
            _deliver(connection.requests, inner_writer),
            _deliver(connection.answers, writer),
        )
    ]
    try:
        ended, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        writer.transport.abort()
        inner_writer.transport.abort()
        await asyncio.gather(*pumps, return_exceptions=True)
    for pump in ended:
        if not isinstance(pump.exception(), (OSError, asyncio.IncompleteReadError)):
            pump.result()


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is under way; a cut one ends its connection in its middle."""

    due: float
    data: bytes
    cut: bool = False


@dataclass(slots=True)
class _Connection:
    """One connection. What is slow to arrive does not keep more from being sent behind it."""

    line: Line
    requests: asyncio.Queue[_Frame] = field(default_factory=asyncio.Queue)
    answers: asyncio.Queue[_Frame] = field(default_factory=asyncio.Queue)
    _asked: deque[tuple[int, int]] = field(default_factory=deque)
    """Request and version of what is to be answered: Kafka answers a connection in order."""

    async def take_requests(self, reader: asyncio.StreamReader) -> None:
        pass_at = _Bottleneck(self.line)
        while True:
            frame = await _frame(reader)
            request, version = struct.unpack_from(">hh", frame, 4)
            due = pass_at(frame)
            if (
                request == Api.PRODUCE
                and not self._asked
                and self.line.happens("sends refused", self.line.refused_sends)
            ):
                self.answers.put_nowait(_Frame(due, sends.refusal(frame)))
                continue
            self._asked.append((request, version))
            self.requests.put_nowait(_Frame(due, frame))

    async def take_answers(self, reader: asyncio.StreamReader) -> None:
        pass_at = _Bottleneck(self.line)
        while True:
            frame = await _frame(reader)
            request, version = self._asked.popleft()
            seconds = self.line.slow_answers.get(request, 0.0)
            self.line.done["answers slowed"] += seconds > 0
            if request == Api.PRODUCE and self.line.happens("sends doubted", self.line.doubted_sends):
                frame = sends.doubted(frame, version)
            cut = self.line.happens("answers cut", self.line.cut_answers.get(request, 0.0))
            self.answers.put_nowait(_Frame(pass_at(frame, seconds), frame, cut))


@dataclass(slots=True)
class _Bottleneck:
    """Gives the time (of the loop) at which a frame has passed, behind those before it."""

    line: Line
    _free_at: float = 0.0

    def __call__(self, frame: bytes, more: float = 0.0) -> float:
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + len(frame) / self.line.bytes_per_second + more
        return self._free_at + self.line.latency


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = await reader.readexactly(4)
    return size + await reader.readexactly(int.from_bytes(size))


async def _deliver(frames: asyncio.Queue[_Frame], writer: asyncio.StreamWriter) -> None:
    while True:
        frame = await frames.get()
        await asyncio.sleep(frame.due - asyncio.get_running_loop().time())
        writer.write(frame.data[: len(frame.data) // 2] if frame.cut else frame.data)
        await writer.drain()
        if frame.cut:
            raise ConnectionAbortedError
