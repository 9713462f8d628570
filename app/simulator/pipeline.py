"""What a call passes on its way to its endpoint: throttle, token, fault, delay."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from app.simulator.call import Answer, Call, Pace, Route, refuse
from app.simulator.endpoints.token import INVALID_KEY, INVALID_TENANT, TOKEN_PATH, client_of
from app.simulator.exchange import UNAUTHORIZED, Exchange, Work, too_many
from app.simulator.journal import CallRecord
from app.simulator.log import log
from app.simulator.query import Query
from app.simulator.simulation import Simulation

_SEED_DELAYS: dict[Pace, tuple[float, float]] = {
    "token": (0.2, 0.2),
    "create": (0.8, 0.8),
    "status": (0.4, 0.4),
    "cancel": (0.5, 0.5),
    "query": (0.3, 0.6),
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
            record = self._open(request, route.path)
            exchange = Exchange(self._simulation, request, record)
            refused = self._refused(request)
            if refused is not None:
                return self._logged(record, exchange.answer(refused))

            def work() -> Answer:
                return self._work(route, Call(request.match_info, Query(request.query), body), record)

            return await self._end(exchange, record, route.pace, work)

        return handle

    async def token(self, request: web.Request) -> web.StreamResponse:
        """The handler of `POST /connect/token`, which has its own throttle."""
        body = await request.read()
        record = self._open(request, TOKEN_PATH)
        client = client_of(request.content_type, body)

        def work() -> Answer:
            simulation = self._simulation
            now = simulation.monotonic()
            if isinstance(client, Answer):
                return client
            wait = simulation.token_throttle.wait(client, now)
            if wait is not None:
                return too_many(wait)
            issued_at = int(simulation.world.now().timestamp())
            return Answer(body=simulation.tokens.issue(client, now, issued_at).answer())

        return await self._end(Exchange(self._simulation, request, record), record, "token", work)

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        """404 for a path or method that is no endpoint."""
        record = self._open(request, "unknown")
        refused = self._refused(request) or refuse(self._simulation.config.tenant.unknown_path)
        return self._logged(record, Exchange(self._simulation, request, record).answer(refused))

    async def _end(
        self, exchange: Exchange, record: CallRecord, pace: Pace, work: Work
    ) -> web.StreamResponse:
        simulation = self._simulation
        fault = simulation.faults.strike(record.method, record.path, simulation.monotonic())
        if simulation.config.delays == "seed":
            await asyncio.sleep(simulation.random.uniform(*_SEED_DELAYS[pace]))
        if fault is None:
            return self._logged(record, exchange.answer(work()))
        return self._logged(record, await exchange.struck(fault, work, self._later))

    def _open(self, request: web.Request, route: str) -> CallRecord:
        simulation = self._simulation
        return simulation.journal.open(
            simulation.world.now(),
            simulation.monotonic(),
            request.method,
            route,
            request.path,
            limited=route != TOKEN_PATH,
        )

    def _work(self, route: Route, call: Call, record: CallRecord) -> Answer:
        world = self._simulation.world
        before = len(world.effects)
        world.origin.name, world.origin.call = f"{route.method} {route.path}", record.number
        answered = route.endpoint(world, call)
        for effect in world.effects[before:]:
            record.effects += (effect.kind,)
            record.job, record.booking = effect.job, effect.booking
        self._worked()
        return answered

    def _refused(self, request: web.Request) -> Answer | None:
        """What the gateway says before any work: 429 over the limit, 401 without a good key and token."""
        simulation, now = self._simulation, self._simulation.monotonic()
        tenant = request.match_info.get("tenant", "")
        app_key = request.headers.get("ST-App-Key") or request.query.get("servicetitanapplicationkey", "")
        wait = simulation.throttle.wait(f"{tenant} {app_key}", now)
        if wait is not None:
            return too_many(wait)
        token = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ").strip()
        if not simulation.tokens.is_good(token, now):
            return refuse(UNAUTHORIZED)
        if not app_key or app_key == INVALID_KEY:
            return refuse(simulation.config.tenant.no_app_key)
        if tenant == INVALID_TENANT:
            return refuse(simulation.config.tenant.no_tenant)
        return None

    def _later(self, seconds: float, work: Work) -> None:
        def run() -> None:
            self._late.discard(handle)
            work()

        handle = asyncio.get_running_loop().call_later(seconds, run)
        self._late.add(handle)

    def _logged(self, record: CallRecord, response: web.StreamResponse) -> web.StreamResponse:
        if log.isEnabledFor(logging.DEBUG):
            what = " ".join((*record.effects, f"fault {record.fault}" if record.fault else "")).strip()
            status = record.status or "no answer"
            log.debug("%s %s %s %.0f ms %s", record.method, record.path, status, record.ms or 0, what)
        return response
