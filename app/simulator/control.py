"""The control API under `/simulator/...`: faults, outages, life, webhooks, and all that happened, as JSON."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import Field, ValidationError

from app.simulator.faults import EVERYTHING, FaultKind, FaultRequest, FaultRule, Json, Window
from app.simulator.journal import CallRecord
from app.simulator.life import SECOND_THOUGHTS, Act, play
from app.simulator.pipeline import Pipeline
from app.simulator.query import Query
from app.simulator.simulation import Simulation
from app.simulator.state.world import Effect
from app.simulator.webhooks import WebhookSettings
from app.simulator.wire.dates import print_instant

M = TypeVar("M", bound=Json)
R = TypeVar("R")

DEFAULT_LIMIT = 1_000


class Outage(Json):
    """Everything, the token too, answers 503 for so long; `dropped` closes connections instead."""

    seconds: float = Field(gt=0)
    dropped: bool = False


class Play(Json):
    """What the office or a technician does."""

    action: Act


class LifeSettings(Json):
    """Seconds between a job's steps; 0 stops life. See `Life` for the others."""

    seconds: float = Field(ge=0)
    bookings: str | None = None
    second_thoughts: float = Field(default=SECOND_THOUGHTS, ge=0, le=1)


class Control:
    """The handlers of the control API. It is never struck by faults, and does not count as calls."""

    def __init__(self, simulation: Simulation, pipeline: Pipeline) -> None:
        self._simulation = simulation
        self._pipeline = pipeline

    def routes(self) -> list[web.RouteDef]:
        """Where the handlers are."""
        return [
            web.get("/simulator/faults", self.list_faults),
            web.post("/simulator/faults", self.add_fault),
            web.delete("/simulator/faults", self.clear_faults),
            web.delete("/simulator/faults/{number:[0-9]+}", self.clear_faults),
            web.post("/simulator/outage", self.outage),
            web.post("/simulator/tokens/revoke", self.revoke_tokens),
            web.post("/simulator/jobs/{id:[0-9]+}/play", self.play),
            web.post("/simulator/life", self.life),
            web.get("/simulator/webhooks", self.list_webhooks),
            web.post("/simulator/webhooks", self.set_webhooks),
            web.get("/simulator/effects", self.effects),
            web.get("/simulator/calls", self.calls),
            web.get("/simulator/jobs", self.jobs),
            web.get("/simulator/stats", self.stats),
            web.post("/simulator/reset", self.reset),
        ]

    async def list_faults(self, _: web.Request) -> web.Response:
        """The faults in force."""
        return _json({"faults": [_fault(rule) for rule in self._simulation.faults.rules]})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Set a fault (`FaultRequest`); 201."""
        body = await _body(request, FaultRequest)
        rule = self._simulation.faults.add(body, self._simulation.monotonic())
        return _json(_fault(rule), status=201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Take back one fault, or all."""
        number = request.match_info.get("number")
        self._simulation.faults.clear(int(number) if number else None)
        return await self.list_faults(request)

    async def outage(self, request: web.Request) -> web.Response:
        """Begin an outage (`Outage`); 201."""
        body = await _body(request, Outage)
        rule = self._simulation.faults.add(outage(body), self._simulation.monotonic())
        return _json(_fault(rule), status=201)

    async def revoke_tokens(self, _: web.Request) -> web.Response:
        """Make all tokens bad before their time."""
        return _json({"revoked": self._simulation.tokens.revoke()})

    async def play(self, request: web.Request) -> web.Response:
        """Play the office or a technician (`Play`); 404; 400 or 409 when the state does not allow."""
        body = await _body(request, Play)
        world = self._simulation.world
        job = world.jobs.get(int(request.match_info["id"]))
        if job is None:
            return _json({"error": "no such job"}, status=404)
        refusal = play(world, job, body.action)
        if refusal is not None:
            return _json({"error": refusal.title, "errors": refusal.errors}, status=refusal.status)
        self._simulation.sender.publish()
        visits = [
            {
                "id": row.id,
                "status": row.status,
                "technicians": [a.technician_id for a in world.assignments_of(row)],
            }
            for row in world.appointments_of(job)
        ]
        return _json({"id": job.id, "jobStatus": job.status, "appointments": visits})

    async def life(self, request: web.Request) -> web.Response:
        """Start, change or stop life (`LifeSettings`)."""
        body = await _body(request, LifeSettings)
        life = self._simulation.life
        life.seconds, life.bookings, life.second_thoughts = body.seconds, body.bookings, body.second_thoughts
        return _json(body.model_dump(by_alias=True))

    async def list_webhooks(self, request: web.Request) -> web.Response:
        """The latest webhooks and what they were answered."""
        settings = self._simulation.sender.settings
        rows = [
            {
                "id": item.id,
                "type": item.event_type,
                "job": item.job,
                "at": print_instant(item.at),
                "answers": item.answers,
                "body": orjson.Fragment(item.body),
            }
            for item in _last(self._simulation.sender.deliveries, request)
        ]
        return _json({"settings": _shown_settings(settings), "webhooks": rows})

    async def set_webhooks(self, request: web.Request) -> web.Response:
        """Change where webhooks go and what is wrong with them (`WebhookSettings`, whole)."""
        body = await _body(request, WebhookSettings)
        self._simulation.sender.settings = body
        return _json({"settings": _shown_settings(body)})

    async def effects(self, request: web.Request) -> web.Response:
        """Every effect in order, after the number `after`; by `kind`, `job`, `booking`, at most `limit`."""
        query = Query(request.query)
        after, limit = query.integer("after") or 0, query.integer("limit")
        kind, job, booking = query.text("kind"), query.integer("job"), query.text("booking")
        if query.refusal:
            return _json({"error": query.refusal.title, "errors": query.refusal.errors}, status=400)
        rows = [
            effect
            for effect in self._simulation.world.effects[max(after, 0) :]
            if (kind is None or effect.kind == kind)
            and (job is None or effect.job == job)
            and (booking is None or effect.booking == booking)
        ]
        return _json({"effects": [effect_row(effect) for effect in rows[:limit]], "count": len(rows)})

    async def calls(self, request: web.Request) -> web.Response:
        """The latest calls, oldest first: `limit` of them (1000)."""
        rows = _last(self._simulation.journal.calls, request)
        return _json(
            {"calls": [call_row(record) for record in rows], "total": self._simulation.journal.total}
        )

    async def jobs(self, _: web.Request) -> web.Response:
        """Jobs per external key `bookingId`, and those that have more than one."""
        by_key: dict[str, list[dict[str, Any]]] = {}
        for row in self._simulation.world.jobs.in_order:
            if row.booking_key is not None:
                by_key.setdefault(row.booking_key, []).append({"id": row.id, "status": row.status})
        twice = sorted(key for key, rows in by_key.items() if len(rows) > 1)
        without = sum(row.booking_key is None for row in self._simulation.world.jobs.in_order)
        return _json({"jobs": by_key, "moreThanOne": twice, "withoutKey": without})

    async def stats(self, _: web.Request) -> web.Response:
        """Calls per second, statuses, faults, and how much there is."""
        return _json(figures(self._simulation))

    async def reset(self, _: web.Request) -> web.Response:
        """Forget everything and begin again from the seed; the settings of the start are in force."""
        self._pipeline.stop()
        await self._simulation.sender.close()
        self._simulation.reset()
        return _json({"seed": self._simulation.seed})


def outage(body: Outage) -> FaultRequest:
    """The fault that is an outage."""
    return FaultRequest(
        kind=FaultKind.DROP_BEFORE if body.dropped else FaultKind.ERROR_BEFORE,
        path=EVERYTHING,
        status=503,
        window=Window(end=body.seconds),
    )


def figures(simulation: Simulation) -> dict[str, Any]:
    """What the journal counts, and the sizes of the world's tables."""
    journal, world, now = simulation.journal, simulation.world, simulation.monotonic()
    seconds = (journal.last_at or 0) - (journal.first_at or 0)
    return {
        "simulation": True,
        "seed": simulation.seed,
        "calls": journal.total,
        "callsInLastSecond": journal.in_last_second(now),
        "maxCallsInASecond": journal.max_in_a_second,
        "secondsFromFirstToLastCall": round(seconds, 3),
        "tooMany": journal.by_status["429"],
        "byStatus": dict(journal.by_status),
        "byRoute": dict(journal.by_route),
        "byFault": dict(journal.by_fault),
        "effects": len(world.effects),
        "customers": len(world.customers),
        "locations": len(world.locations),
        "jobs": len(world.jobs),
        "appointments": len(world.appointments),
    }


def effect_row(effect: Effect) -> dict[str, Any]:
    """An effect as JSON."""
    return {**asdict(effect), "at": print_instant(effect.at)}


def call_row(record: CallRecord) -> dict[str, Any]:
    """A call as JSON."""
    return {**asdict(record), "at": print_instant(record.at), "ms": round(record.ms or 0, 1)}


def _fault(rule: FaultRule) -> dict[str, Any]:
    return {"number": rule.number, "hits": rule.hits, **rule.request.model_dump(mode="json", by_alias=True)}


def _shown_settings(settings: WebhookSettings) -> dict[str, Any]:
    return {
        **settings.model_dump(mode="json", by_alias=True, exclude={"secret"}),
        "signed": settings.secret is not None,
    }


def _last(rows: Iterable[R], request: web.Request) -> list[R]:
    limit = Query(request.query).integer("limit") or DEFAULT_LIMIT
    return list(rows)[-limit:]


async def _body(request: web.Request, kind: type[M]) -> M:
    """The body as this; raises 400 with what is wrong."""
    try:
        return kind.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, item["loc"])), "message": item["msg"]}
            for item in error.errors(include_url=False, include_input=False)
        ]
        text = orjson.dumps({"error": "Validation Error", "details": problems}).decode()
        raise web.HTTPBadRequest(text=text, content_type="application/json") from None


def _json(value: object, *, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(status=status, body=body, content_type="application/json")
