"""One call on the wire: how its answer goes out, and how each fault spoils it."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from email.utils import format_datetime
from http import HTTPStatus
from time import perf_counter

from aiohttp import hdrs, web

from app.simulator.call import JSON, UNTRACED, Answer, refuse
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.journal import CallRecord
from app.simulator.oddities import beyond_documents
from app.simulator.simulation import Simulation
from app.simulator.state.records import Refusal

CUT_SECONDS = 100.0
"""The vendor cuts a request at 100 s."""

UNAUTHORIZED = Refusal(401, "Unauthorized", {"id": ["The access token is missing, invalid or expired."]})

_POLL_SECONDS = 0.05
_HTML = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>SIMULATION: Bad Gateway</h1></body></html>"
)

Work = Callable[[], Answer]
Later = Callable[[float, Work], None]


class Exchange:
    """A request and its record in the journal; `answer` or `struck` is its end."""

    def __init__(self, simulation: Simulation, request: web.Request, record: CallRecord) -> None:
        self._simulation = simulation
        self._request = request
        self._record = record
        self._started = perf_counter()

    def answer(self, answer: Answer, fault: FaultKind | None = None) -> web.Response:
        """Send an answer as it is. A refusal's trace id carries the call's number."""
        self._close(answer.status, fault)
        number = self._record.number
        body = answer.body
        if answer.status >= 400:
            body = body.replace(UNTRACED, f"00-{number:032x}-{number:016x}-00".encode())
        now = self._simulation.world.now().replace(microsecond=0)
        headers = {**answer.headers, hdrs.DATE: format_datetime(now, usegmt=True)}
        if body:
            headers[hdrs.CONTENT_TYPE] = answer.content_type
        return web.Response(status=answer.status, body=body, headers=headers)

    async def struck(self, fault: FaultRequest, work: Work, later: Later) -> web.StreamResponse:
        """Let a fault strike the call; `later` takes the work that is done after the caller gave up."""
        if fault.kind in _INSTEAD:
            return self.answer(_INSTEAD[fault.kind](fault), fault.kind)
        if fault.kind is FaultKind.DROP_BEFORE:
            return self._abort(fault.kind)
        if fault.kind is FaultKind.LATE:
            later(fault.seconds, work)
            return await self._silence(fault.kind)
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        return await self._spoilt(fault, work())

    async def _spoilt(self, fault: FaultRequest, answer: Answer) -> web.StreamResponse:
        """How an answer is lost though the work is done."""
        match fault.kind:
            case FaultKind.ERROR_AFTER:
                return self.answer(_error(fault), fault.kind)
            case FaultKind.TIMEOUT_AFTER:
                return await self._silence(fault.kind)
            case FaultKind.DROP:
                return self._abort(fault.kind)
            case FaultKind.HALF:
                return await self._half(fault.kind, answer)
            case FaultKind.NOT_JSON:
                return self.answer(Answer(200, _HTML, content_type="text/html"), fault.kind)
            case FaultKind.ODD if answer.status == HTTPStatus.OK:
                odd = beyond_documents(answer.body, self._simulation.world.is_strangers)
                return self.answer(replace(answer, body=odd), fault.kind)
            case _:
                return self.answer(answer, fault.kind)

    def _abort(self, fault: FaultKind) -> web.StreamResponse:
        self._close(None, fault)
        if self._request.transport is not None:
            self._request.transport.abort()
        return web.Response()

    async def _silence(self, fault: FaultKind) -> web.StreamResponse:
        """Say nothing until the caller gives up or the vendor would cut."""
        loop = asyncio.get_running_loop()
        end = loop.time() + CUT_SECONDS
        while self._is_open() and loop.time() < end:  # noqa: ASYNC110 - aiohttp has no event for a lost caller
            await asyncio.sleep(_POLL_SECONDS)
        return self._abort(fault)

    async def _half(self, fault: FaultKind, answer: Answer) -> web.StreamResponse:
        """Send half of the body that was announced, then close."""
        self._close(None, fault)
        body = answer.body or b"{}"
        response = web.StreamResponse(status=answer.status, headers={hdrs.CONTENT_TYPE: JSON})
        response.content_length = len(body)
        await response.prepare(self._request)
        await response.write(body[: len(body) // 2])
        if self._request.transport is not None:
            self._request.transport.close()
        return response

    def _is_open(self) -> bool:
        return self._request.transport is not None and not self._request.transport.is_closing()

    def _close(self, status: int | None, fault: FaultKind | None) -> None:
        milliseconds = (perf_counter() - self._started) * 1000
        self._simulation.journal.close(self._record, status, fault, milliseconds)


def too_many(seconds: float, *, header: bool = True) -> Answer:
    """A 429: its wait is in the title, and in `Retry-After` when `header`."""
    wait = max(1, math.ceil(seconds))
    title = f"Rate limit is exceeded. Try again in {wait} seconds."
    return refuse(Refusal(429, title), headers={"Retry-After": str(wait)} if header else None)


def _error(fault: FaultRequest) -> Answer:
    return refuse(Refusal(fault.status, "SIMULATION: an error of the server"))


def _error_in_200(fault: FaultRequest) -> Answer:
    return Answer(200, _error(fault).body.replace(UNTRACED, b"00-simulation-00"))


_INSTEAD: dict[FaultKind, Callable[[FaultRequest], Answer]] = {
    FaultKind.ERROR_BEFORE: _error,
    FaultKind.ERROR_IN_200: _error_in_200,
    FaultKind.UNAUTHORIZED: lambda _: refuse(UNAUTHORIZED),
    FaultKind.FORBIDDEN: lambda _: refuse(Refusal(403, "Access denied", {"id": ["A scope is missing."]})),
    FaultKind.TOO_MANY: lambda fault: too_many(fault.seconds, header=fault.retry_after),
    FaultKind.CONFLICT: lambda _: refuse(Refusal(409, "Conflict", {"id": ["SIMULATION: a conflict."]})),
}
"""What is answered instead of doing the work."""
