"""Between socket and endpoint: throttle, token, fault, delay; and how each fault looks on the wire."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from time import perf_counter

from aiohttp import hdrs, web

from app.simulator.call import JSON, Answer, Call, Pace, Route, refuse
from app.simulator.endpoints.token import INVALID_KEY, INVALID_TENANT, TOKEN_PATH, client_of
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.log import log
from app.simulator.query import Query
from app.simulator.simulation import Simulation
from app.simulator.state.records import Refusal

CUT_SECONDS = 100.0
"""The vendor cuts a request at 100 s."""

_SEED_DELAYS: dict[Pace, tuple[float, float]] = {
    "token": (0.2, 0.2),
    "create": (0.8, 0.8),
    "status": (0.4, 0.4),
    "cancel": (0.5, 0.5),
    "query": (0.3, 0.6),
}
_POLL_SECONDS = 0.05
_HTML = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>SIMULATION: Bad Gateway</h1></body></html>"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Work = Callable[[], Answer]


class Pipeline:
    """Turns requests into answers, for one simulation. `worked` is called after anything may have changed."""

    def __init__(self, simulation: Simulation, worked: Callable[[], None]) -> None:
        self._simulation = simulation
        self._worked = worked
        self._late: set[asyncio.TimerHandle] = set()

    def stop(self) -> None:
        """Give up work that was to be done late."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()

    def handler(self, route: Route) -> Handler:
        """The handler of an API endpoint."""

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            started = perf_counter()
            simulation = self._simulation
            record = simulation.journal.open(
                simulation.world.now(), simulation.monotonic(), request.method, route.path, request.path
            )

            def work() -> Answer:
                call = Call(request.match_info, Query(request.query), body)
                return self._work(route, call, record.number)

            refused = self._refused(request)
            if refused is not None:
                response: web.StreamResponse = self._response(refused)
                status: int | None = response.status
                fault = None
            else:
                found = simulation.faults.strike(request.method, request.path, simulation.monotonic())
                await self._delay(route.pace)
                response = await self._struck(request, found, work)
                fault = found.kind if found else None
                status = None if fault in _UNANSWERED else response.status
            milliseconds = (perf_counter() - started) * 1000
            simulation.journal.close(record, status, fault, milliseconds)
            if log.isEnabledFor(logging.DEBUG):
                log.debug("%s %s %s %s", request.method, request.path, status or "no answer", fault or "")
            return response

        return handle

    async def token(self, request: web.Request) -> web.StreamResponse:
        """The handler of `POST /connect/token`, which has its own throttle."""
        body = await request.read()
        started = perf_counter()
        simulation = self._simulation
        now = simulation.monotonic()
        record = simulation.journal.open(simulation.world.now(), now, request.method, TOKEN_PATH, TOKEN_PATH)
        fault = simulation.faults.strike(request.method, TOKEN_PATH, now)
        client = client_of(request.content_type, body)

        def work() -> Answer:
            if isinstance(client, Answer):
                return client
            wait = simulation.token_throttle.wait(client, now)
            if wait is not None:
                return _too_many(wait, header=True)
            issued_at = int(simulation.world.now().timestamp())
            return Answer(body=simulation.tokens.issue(client, simulation.monotonic(), issued_at).answer())

        await self._delay("token")
        response = await self._struck(request, fault, work)
        kind = fault.kind if fault else None
        status = None if kind in _UNANSWERED else response.status
        simulation.journal.close(record, status, kind, (perf_counter() - started) * 1000)
        return response

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        """404 for a path or method that is no endpoint."""
        refused = self._refused(request)
        return self._response(refused or refuse(Refusal(404, "Resource not found")))

    def _work(self, route: Route, call: Call, number: int) -> Answer:
        world = self._simulation.world
        world.origin.name, world.origin.call = f"{route.method} {route.path}", number
        answered = route.endpoint(world, call)
        self._worked()
        return answered

    def _refused(self, request: web.Request) -> Answer | None:
        """What the gateway says before any work: 429 over the limit, 401 without a good key and token."""
        simulation, now = self._simulation, self._simulation.monotonic()
        tenant = request.match_info.get("tenant", "")
        app_key = request.headers.get("ST-App-Key") or request.query.get("servicetitanapplicationkey", "")
        wait = simulation.throttle.wait(f"{tenant} {app_key}", now)
        if wait is not None:
            return _too_many(wait, header=True)
        token = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ").strip()
        if not simulation.tokens.is_good(token, now):
            return refuse(_UNAUTHORIZED)
        if not app_key or app_key == INVALID_KEY:
            return refuse(Refusal(401, "Invalid application key", {"id": ["The ST-App-Key is not valid."]}))
        if tenant == INVALID_TENANT:
            return refuse(Refusal(401, "Invalid tenant", {"id": ["The tenant is not valid."]}))
        return None

    async def _struck(
        self, request: web.Request, fault: FaultRequest | None, work: Work
    ) -> web.StreamResponse:
        """The answer to a call that a fault may have struck."""
        if fault is None:
            return self._response(work())
        if fault.kind in _INSTEAD:
            return self._response(_INSTEAD[fault.kind](fault))
        if fault.kind is FaultKind.DROP_BEFORE:
            return _abort(request)
        if fault.kind is FaultKind.LATE:
            self._later(fault.seconds, work)
            return await _silence(request)
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        return await self._spoilt(request, fault, work())

    async def _spoilt(self, request: web.Request, fault: FaultRequest, answer: Answer) -> web.StreamResponse:
        """How a call's answer is lost though its work is done."""
        match fault.kind:
            case FaultKind.ERROR_AFTER:
                return self._response(_error(fault))
            case FaultKind.TIMEOUT_AFTER:
                return await _silence(request)
            case FaultKind.DROP:
                return _abort(request)
            case FaultKind.HALF:
                return await _half(request, answer)
            case FaultKind.NOT_JSON:
                return self._response(Answer(200, _HTML, content_type="text/html"))
            case _:
                return self._response(answer)

    def _later(self, seconds: float, work: Work) -> None:
        loop = asyncio.get_running_loop()

        def run() -> None:
            self._late.discard(handle)
            work()

        handle = loop.call_later(seconds, run)
        self._late.add(handle)

    async def _delay(self, pace: Pace) -> None:
        if self._simulation.config.delays == "seed":
            await asyncio.sleep(self._simulation.random.uniform(*_SEED_DELAYS[pace]))

    def _response(self, answer: Answer) -> web.Response:
        simulation = self._simulation
        date = format_datetime(simulation.world.now().replace(microsecond=0), usegmt=True)
        headers = {**answer.headers, hdrs.DATE: date}
        if answer.body:
            headers[hdrs.CONTENT_TYPE] = answer.content_type
        return web.Response(status=answer.status, body=answer.body, headers=headers)


_UNANSWERED = (FaultKind.DROP_BEFORE, FaultKind.DROP, FaultKind.TIMEOUT_AFTER, FaultKind.LATE, FaultKind.HALF)
_UNAUTHORIZED = Refusal(401, "Unauthorized", {"id": ["The access token is missing, invalid or expired."]})


def _error(fault: FaultRequest) -> Answer:
    return refuse(Refusal(fault.status, "SIMULATION: an error of the server"))


def _too_many(seconds: float, *, header: bool) -> Answer:
    wait = max(1, math.ceil(seconds))
    title = f"Rate limit is exceeded. Try again in {wait} seconds."
    return refuse(Refusal(429, title), headers={"Retry-After": str(wait)} if header else None)


_INSTEAD: dict[FaultKind, Callable[[FaultRequest], Answer]] = {
    FaultKind.ERROR_BEFORE: _error,
    FaultKind.UNAUTHORIZED: lambda _: refuse(_UNAUTHORIZED),
    FaultKind.FORBIDDEN: lambda _: refuse(Refusal(403, "Access denied", {"id": ["A scope is missing."]})),
    FaultKind.TOO_MANY: lambda fault: _too_many(fault.seconds, header=fault.retry_after),
    FaultKind.CONFLICT: lambda _: refuse(Refusal(409, "Conflict", {"id": ["SIMULATION: a conflict."]})),
}
"""What is answered instead of doing the work."""


def _abort(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _is_open(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


async def _silence(request: web.Request) -> web.StreamResponse:
    """Say nothing until the caller gives up or the vendor would cut."""
    loop = asyncio.get_running_loop()
    end = loop.time() + CUT_SECONDS
    while _is_open(request) and loop.time() < end:  # noqa: ASYNC110 - aiohttp has no event for a lost caller
        await asyncio.sleep(_POLL_SECONDS)
    return _abort(request)


async def _half(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send half of the body that was announced, then close."""
    body = answer.body or b"{}"
    response = web.StreamResponse(status=answer.status, headers={hdrs.CONTENT_TYPE: JSON})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
