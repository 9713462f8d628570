"""Plans: what happens to many, shown before it is done, and watched while it is."""

from dataclasses import dataclass, replace
from typing import Any, cast

from aiohttp import web
from faust.web import Blueprint

from app.view import plans
from app.view.plans import Definition, Kind, PlanSeen, Step
from app.web.envelope import Problem
from app.web.ops.groups import reason_of
from app.web.ops.judging import counted
from app.web.ops.planning import ASK_TO_TYPE, PLAN_ID, new_definition, plan, tell
from app.web.ops.redrive import Redrives, is_silent, per_second
from app.web.ops.visit import OpsView, Visit, go_to
from app.web.requests import moment
from app.web.services import Services
from app.web.submission import require_view

api = Blueprint("ops_plans")
REDRIVES: web.AppKey[Redrives] = web.AppKey("redrives", Redrives)

_LINES = 200
_LONGEST_WHY = 1000


@api.route("/ops/plans", name="ops_plans")
class PlansView(OpsView):
    """GET and POST /ops/plans."""

    async def get(self, request: web.Request) -> web.Response:
        """The plans of the last 30 days."""
        visit = self.visit(request)
        return visit.page("plans.html", **await latest(visit.serving))

    async def post(self, request: web.Request) -> web.Response:
        """What would happen; nothing is done yet."""
        visit = self.acting(request)
        require_view(visit.serving)
        chosen = tuple(dict.fromkeys(one for one in visit.form.get("booking", []) if one))
        definition = new_definition(
            kind=kind_of(visit.field("kind")),
            reason=reason_of(visit.field("reason")),
            bookings=chosen if visit.field("scope") == "chosen" or chosen else None,
            by=visit.who.name,
            now=visit.now,
        )
        return await _preview(visit, definition, wrong="")


async def latest(serving: Services) -> dict[str, Any]:
    """What the page of plans shows."""
    return {"plans": [await watched(serving, one) for one in await serving.view.ask(plans.plans, limit=50)]}


def kind_of(word: str) -> Kind:
    """What a plan does; raises Problem 400."""
    if word not in {"retry", "discard"}:
        raise Problem(400, "A plan retries or discards.")
    return cast("Kind", word)


async def _preview(visit: Visit, definition: Definition, *, wrong: str, why: str = "") -> web.Response:
    planned = await plan(visit.serving, definition)
    serving = visit.serving
    rate = per_second(serving.pace(), serving.upstream().breaker, serving.stream().members)
    return visit.page(
        "plan_preview.html",
        status=422 if wrong else 200,
        definition=planned.definition,
        judged=planned.judged[:_LINES],
        more=max(0, len(planned.judged) - _LINES),
        fates=counted(planned.judged),
        total=planned.definition.total,
        rate=rate,
        seconds=planned.definition.total / rate if rate else None,
        must_type=planned.definition.total > ASK_TO_TYPE,
        wrong=wrong,
        why=why,
    )


@api.route("/ops/plans/{plan}", name="ops_plan")
class PlanView(OpsView):
    """GET and POST /ops/plans/{plan}."""

    async def get(self, request: web.Request, plan: str) -> web.Response:
        """How far the plan is."""
        visit = self.visit(request)
        return visit.page(
            "plan.html", **await plan_context(visit.serving, plan, begun=request.query.get("begun"))
        )

    async def post(self, request: web.Request, plan: str) -> web.Response:
        """Apply, stop, or continue."""
        visit = self.acting(request)
        require_view(visit.serving)
        redrives = request.app[REDRIVES]
        match visit.field("step"):
            case "apply":
                return await _apply(visit, redrives, plan)
            case "stop":
                visit.sending()
                seen = await _known(visit.serving, plan)
                await stop(visit.serving, seen.definition, visit.who.name)
            case "continue":
                visit.sending()
                seen = await _known(visit.serving, plan)
                await redrives.begin(seen.definition, by=visit.who.name, step=Step.CONTINUED)
            case _:
                raise Problem(400, "A plan is applied, stopped or continued.")
        return go_to(f"/ops/plans/{plan}?begun=1")


async def _apply(visit: Visit, redrives: Redrives, name: str) -> web.Response:
    definition = _sent_definition(visit, name)
    planned = await plan(visit.serving, definition)
    total = planned.definition.total
    why, typed = visit.field("why")[:_LONGEST_WHY], visit.field("typed")
    if not why:
        return await _preview(visit, definition, wrong="Say why: it stands in each booking's timeline.")
    if total == 0:
        return await _preview(visit, definition, wrong="Nothing is left to do.", why=why)
    if total > ASK_TO_TYPE and typed != str(total):
        wrong = f"Type {total}, the number of events it acts on."
        return await _preview(visit, definition, wrong=wrong, why=why)
    visit.sending()
    await redrives.begin(replace(definition, why=why, total=total), by=visit.who.name, step=Step.BEGUN)
    return go_to(f"/ops/plans/{name}?begun=1")


def _sent_definition(visit: Visit, name: str) -> Definition:
    """The plan that was shown: the form holds it, since nothing was kept before it is applied."""
    if not PLAN_ID.fullmatch(name):
        raise Problem(404, "There is no such plan.")
    chosen = tuple(visit.form.get("booking", ()))
    until = moment(visit.field("until"))
    if until is None:
        raise Problem(400, "The plan cannot be read. Make it again.")
    made = new_definition(
        kind=kind_of(visit.field("kind")),
        reason=reason_of(visit.field("reason")),
        bookings=chosen or None,
        by=visit.who.name,
        now=until,
    )
    return replace(made, plan=name)


async def stop(serving: Services, definition: Definition, by: str) -> None:
    """Have the worker that sends the plan's signals stop; what was sent already is worked."""
    await tell(serving, definition, Step.STOPPED, by=by, text=f"stopped by {by}")


async def _known(serving: Services, name: str) -> PlanSeen:
    seen = await serving.view.ask(plans.plan, name)
    if seen is None:
        raise Problem(404, "There is no such plan.")
    return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A plan and how far it is; `state` is running, stopped, silent or ended, `left_seconds` an estimate."""

    seen: PlanSeen
    progress: plans.PlanProgress
    state: str
    rate: float | None
    left_seconds: float | None

    @property
    def definition(self) -> Definition:
        """What it acts on."""
        return self.seen.definition

    @property
    def overtaken(self) -> int:
        """Those that needed it no more when their turn came."""
        return max(0, self.definition.total - self.progress.sent - self.progress.left)


async def watched(serving: Services, seen: PlanSeen) -> Watched:
    """How far a plan is, by the view."""
    progress = await serving.view.ask(plans.progress, seen.definition)
    now = serving.clock()
    rate = serving.figures.speed(seen.definition.plan, progress.finished, now)
    to_come = progress.left + progress.queued + progress.working
    silent = is_silent(seen, (now - seen.step_at).total_seconds())
    running = seen.step in plans.RUNNING
    return Watched(
        seen=seen,
        progress=progress,
        state="silent" if silent else "running" if running else seen.step.value,
        rate=rate,
        left_seconds=to_come / rate if rate and running else None,
    )


async def plan_context(serving: Services, name: str, *, begun: str | None = None) -> dict[str, Any]:
    """What a plan's page shows; one that was begun a moment ago may not be in the view yet."""
    seen = await serving.view.ask(plans.plan, name)
    if seen is None and not (begun and PLAN_ID.fullmatch(name)):
        raise Problem(404, "There is no such plan.")
    return {"plan": None if seen is None else await watched(serving, seen), "plan_id": name}
