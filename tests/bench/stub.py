"""The least of a ServiceTitan that reschedules: `python -m tests.bench.stub --delay 0.1`.

The simulator keeps whole jobs and costs more per call than this service does, so it would be the limit of
runs without one. This answers a token, empty lists, where a visit stands, and reschedules: after `--delay`
seconds, or for the share `--failures` at once with 503. It prints its address when it listens. `GET /seen`
tells of the reschedules: how many came, the most at once, and the monotonic seconds at which each was
accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
from array import array
from datetime import UTC, datetime, timedelta
from typing import cast

import orjson
import uvloop

from app.simulator.wire.envelope import Page, TokenAnswer
from app.simulator.wire.jpm import Appointment, AppointmentStatus
from app.simulator.wire.office import BusinessUnit

_NOON = datetime(2027, 3, 2, 19, tzinfo=UTC)


class Seen:
    """What the stub was asked, and how it answers."""

    def __init__(self, *, delay: float, failures: float) -> None:
        self.delay = delay
        self.failures = failures
        self.random = random.Random(1)
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.first = 0.0
        self.accepted = array("d")

    def told(self) -> bytes:
        return orjson.dumps(
            {
                "calls": self.calls,
                "mostInFlight": self.most_in_flight,
                "first": self.first,
                "accepted": list(self.accepted),
            }
        )


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole HTTP answer."""
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


_TOKEN = answer(TokenAnswer(access_token="t", expires_in=900).answer())
_NOTHING = answer(Page[BusinessUnit](page=1, page_size=50, has_more=False, data=()).answer())


def visit(start: datetime) -> bytes:
    """An answer with a visit at that time."""
    whole = Appointment(
        id=1,
        job_id=1,
        appointment_number="1-1",
        start=start,
        end=start + timedelta(hours=2),
        status=AppointmentStatus.SCHEDULED,
    )
    return answer(whole.answer())


_MOVED = visit(_NOON)
# A 503 moved nothing: who looks before the next attempt finds a time that no event asks for.
_NOT_MOVED = visit(_NOON + timedelta(hours=12))
_ONE_VISIT = re.compile(rb"get [^ ?]*/appointments/[0-9]+[ ?]")
_BUSY = answer(b'{"title":"Service Unavailable","status":503}', b"503 Service Unavailable")


class Connection(asyncio.Protocol):
    """One kept-alive connection: a request, its answer, the next request."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            _, found, length = head.partition(b"content-length:")
            whole = end + 4 + (int(length.split(b"\r\n", 1)[0]) if found else 0)
            if len(self._rest) < whole:
                return
            self._rest = self._rest[whole:]
            self._asked(head.split(b"\r\n", 1)[0])

    def _asked(self, line: bytes) -> None:
        if line.startswith(b"patch"):
            self._reschedule()
        elif line.startswith(b"post"):
            self._write(_TOKEN)
        elif line.startswith(b"get /seen"):
            self._write(answer(self._seen.told()))
        else:
            self._write(_NOT_MOVED if _ONE_VISIT.match(line) else _NOTHING)

    def _reschedule(self) -> None:
        seen, loop = self._seen, asyncio.get_running_loop()
        seen.calls += 1
        seen.first = seen.first or loop.time()
        if seen.failures and seen.random.random() < seen.failures:
            self._write(_BUSY)
            return
        seen.in_flight += 1
        seen.most_in_flight = max(seen.most_in_flight, seen.in_flight)
        loop.call_later(seen.delay, self._done)

    def _done(self) -> None:
        self._seen.in_flight -= 1
        self._seen.accepted.append(asyncio.get_running_loop().time())
        self._write(_MOVED)

    def _write(self, whole: bytes) -> None:
        if self._transport is not None:
            self._transport.write(whole)


async def serve(seen: Seen) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(seen), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.1)
    parser.add_argument("--failures", type=float, default=0)
    uvloop.run(serve(Seen(**vars(parser.parse_args()))))
