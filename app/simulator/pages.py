"""Pages for people at `/simulator`: jobs, customers, calls, fault switches, how to use it. No JavaScript."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ValidationError

from app.simulator.call import Route
from app.simulator.control import LifeSettings, Outage, figures, outage
from app.simulator.faults import API_PATHS, FaultKind, FaultRequest
from app.simulator.life import Act, play
from app.simulator.simulation import Simulation
from app.simulator.state.records import AppointmentRow, CustomerRow
from app.simulator.state.world import World
from app.simulator.wire.crm import ContactType

M = TypeVar("M", bound=BaseModel)

ROWS = 50

_TEMPLATES = Path(__file__).with_name("templates")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_CHART_HEIGHT = 60

FAULT_WORDS: dict[FaultKind, tuple[str, str]] = {
    FaultKind.ERROR_BEFORE: ("500, or the status asked for", "not done"),
    FaultKind.ERROR_IN_200: ("200 with the body of an error", "not done"),
    FaultKind.DROP_BEFORE: ("a closed connection", "not done"),
    FaultKind.UNAUTHORIZED: ("401, though the token is good", "not done"),
    FaultKind.FORBIDDEN: ("403, as for a missing scope", "not done"),
    FaultKind.TOO_MANY: ("429; the header only with retryAfter", "not done"),
    FaultKind.CONFLICT: ("409", "not done"),
    FaultKind.ERROR_AFTER: ("500, or the status asked for", "done"),
    FaultKind.TIMEOUT_AFTER: ("no answer within 100 s", "done"),
    FaultKind.LATE: ("no answer within 100 s", "done after so many seconds"),
    FaultKind.DROP: ("a closed connection", "done"),
    FaultKind.HALF: ("half of the answer, then a closed connection", "done"),
    FaultKind.NOT_JSON: ("200 with HTML", "done"),
    FaultKind.ODD: ("keys and words that are in no document, as of a vendor that adds some", "done"),
    FaultKind.SLOW: ("the answer, after so many seconds", "done"),
}


class Pages:
    """The handlers of the pages."""

    def __init__(self, simulation: Simulation, routes: tuple[Route, ...]) -> None:
        self._simulation = simulation
        self._routes = routes
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
        )

    def routes(self) -> list[web.RouteDef]:
        """Where the handlers are."""
        return [
            web.get("/simulator", self.overview),
            web.get("/simulator/docs", self.docs),
            web.get("/simulator/style.css", self.style),
            web.get("/simulator/jobs/{id:[0-9]+}", self.job),
            web.post("/simulator/jobs/{id:[0-9]+}/page", self.act),
            web.post("/simulator/page/fault", self.set_fault),
            web.post("/simulator/page/outage", self.set_outage),
            web.post("/simulator/page/clear", self.clear),
            web.post("/simulator/page/revoke", self.revoke),
            web.post("/simulator/page/life", self.set_life),
        ]

    async def overview(self, request: web.Request) -> web.Response:
        """What there is, what was called, what goes wrong."""
        simulation = self._simulation
        world = simulation.world
        seconds = simulation.journal.per_second(simulation.monotonic())
        limit = simulation.throttle.per_second
        jobs = Counter(row.booking_key for row in world.jobs.in_order if row.booking_key is not None)
        return self._page(
            "overview.html",
            live="live" in request.query,
            stats=figures(simulation),
            seconds=seconds,
            scale=_CHART_HEIGHT / max(*seconds, limit, 1),
            limit=limit,
            faults=simulation.faults.rules,
            kinds=list(FaultKind),
            api_paths=API_PATHS,
            life=simulation.life.seconds,
            twice=[key for key, count in jobs.items() if count > 1][:ROWS],
            jobs=[
                (job, visits[0], _names(world, visits[0]))
                for job in reversed(world.jobs.in_order[-ROWS:])
                if (visits := world.appointments_of(job))
            ],
            customers=[(row, _masked_phone(row)) for row in reversed(world.customers.in_order[-ROWS:])],
            calls=list(simulation.journal.calls)[: -ROWS - 1 : -1],
        )

    async def docs(self, request: web.Request) -> web.Response:
        """How to use the simulator."""
        return self._page(
            "docs.html",
            url=f"{request.scheme}://{request.host}",
            routes=self._routes,
            api_paths=API_PATHS,
            kinds=[(kind, *FAULT_WORDS[kind]) for kind in FaultKind],
            acts=list(Act),
        )

    async def style(self, _: web.Request) -> web.Response:
        """The style sheet."""
        return web.Response(text=(_TEMPLATES / "style.css").read_text(), content_type="text/css")

    async def job(self, request: web.Request, problem: str = "") -> web.Response:
        """One job: its visits, its history, and what may be played."""
        world = self._simulation.world
        row = world.jobs.get(int(request.match_info["id"]))
        if row is None:
            raise web.HTTPNotFound(text="SIMULATION: no such job")
        visits = [(visit, _names(world, visit)) for visit in world.appointments_of(row)]
        return self._page("job.html", job=row, visits=visits, acts=list(Act), problem=problem)

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Play the office or a technician."""
        form = await _form(request)
        row = self._simulation.world.jobs.get(int(request.match_info["id"]))
        if row is not None and form.get("action") in list(Act):
            refusal = play(self._simulation.world, row, Act(form["action"]))
            self._simulation.sender.publish()
            if refusal is not None:
                return await self.job(request, refusal.title)
        raise web.HTTPSeeOther(f"/simulator/jobs/{request.match_info['id']}")

    async def set_fault(self, request: web.Request) -> web.StreamResponse:
        """Set a fault."""
        form = await _form(request)
        wanted = {name: form[name] for name in ("kind", "method", "path", "rate") if form.get(name)}
        window = {"end": form["end"]} if form.get("end") else {}
        fault = _read(FaultRequest, {**wanted, "window": window})
        self._simulation.faults.add(fault, self._simulation.monotonic())
        raise web.HTTPSeeOther("/simulator")

    async def set_outage(self, request: web.Request) -> web.StreamResponse:
        """Begin an outage."""
        wanted = _read(Outage, await _form(request))
        self._simulation.faults.add(outage(wanted), self._simulation.monotonic())
        raise web.HTTPSeeOther("/simulator")

    async def clear(self, request: web.Request) -> web.StreamResponse:
        """Take back one fault, or all."""
        number = (await _form(request)).get("number", "")
        self._simulation.faults.clear(int(number) if number.isdigit() else None)
        raise web.HTTPSeeOther("/simulator")

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Revoke all tokens."""
        await _form(request)
        self._simulation.tokens.revoke()
        raise web.HTTPSeeOther("/simulator")

    async def set_life(self, request: web.Request) -> web.StreamResponse:
        """Start, change or stop life."""
        self._simulation.life.seconds = _read(LifeSettings, await _form(request)).seconds
        raise web.HTTPSeeOther("/simulator")

    def _page(self, template: str, **values: object) -> web.Response:
        simulation = self._simulation
        text = self._templates.get_template(template).render(
            seed=simulation.seed, tenant=simulation.config.tenant, **values
        )
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)


async def _form(request: web.Request) -> dict[str, str]:
    """The fields of a form; 403 when another site's page sent it."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise web.HTTPForbidden(text="SIMULATION: forms of other sites are not taken")
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _read(kind: type[M], values: Mapping[str, object]) -> M:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors() if item["loc"])
        raise web.HTTPBadRequest(text=f"SIMULATION: {problems}") from error


def _names(world: World, visit: AppointmentRow) -> list[str]:
    technicians = world.catalogue.technicians.rows
    return [technicians[assignment.technician_id].name for assignment in world.assignments_of(visit)]


def _masked_phone(row: CustomerRow) -> str:
    phone = next((contact.value for contact in row.contacts if contact.type is not ContactType.EMAIL), "")
    return f"…{phone[-2:]}" if phone else ""
