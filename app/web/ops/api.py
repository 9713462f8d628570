"""What the command line asks of a worker about dead letters and plans: the pages' own answers as JSON.

These addresses are the command's, not part of the API that others code against. Keys are as there.
"""

from typing import Annotated, Any, Literal

from aiohttp import web
from faust.web import Blueprint
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.booking.reasons import EXPLANATIONS, Reason
from app.booking.report import instant
from app.view import plans
from app.view.plans import MOST_SELECTED, Definition, Step
from app.view.turned_away import letters as turned_away_letters
from app.web.envelope import Problem, Reply, success
from app.web.guard import CALLER
from app.web.ops import gathering
from app.web.ops.api_turned_away import groups as turned_away
from app.web.ops.api_turned_away import reason_of
from app.web.ops.judging import counted
from app.web.ops.lines import FailedLine, failed_lines
from app.web.ops.planning import PLAN_ID, Planned, new_definition, plan
from app.web.ops.plans import REDRIVES, Watched, stop, watched
from app.web.pages import ApiView
from app.web.requests import Moment, as_model, json_body, whole_number
from app.web.services import Services, services
from app.web.submission import require_view

api = Blueprint("ops_api")


class PlanAsked(BaseModel):
    """What to plan for: a reason's whole group, or some bookings of it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["retry", "discard"]
    reason: Reason | None = None
    bookings: Annotated[tuple[str, ...] | None, Field(max_length=MOST_SELECTED)] = None


class PlanStep(PlanAsked):
    """What to do with a plan: `until` and `total` are those of the plan that was shown."""

    step: Literal["apply", "stop", "continue"]
    why: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""
    kind: Literal["retry", "discard"] = "retry"
    until: Moment | None = None
    total: int | None = None


@api.route("/ops/api/dead-letters", name="ops_api_dead_letters")
class DeadLettersView(ApiView):
    """GET /ops/api/dead-letters."""

    async def get(self, request: web.Request) -> web.Response:
        """What waits for a person: all groups, and the most urgent lines of one reason or of all."""
        serving = services(request)
        require_view(serving)
        limit = whole_number(request, "limit", low=1, high=1000, default=100)
        word = request.query.get("reason")
        groups = await serving.view.attention_groups()
        wanted = [one.reason for one in groups] if word is None else [reason_of(word)]
        lines = [line for reason in wanted for line in await _lines(serving, reason, limit)]
        return success(
            Reply(
                200,
                {
                    "groups": [
                        {
                            "reason": one.reason.value,
                            "bookings": one.bookings,
                            "owner": EXPLANATIONS[one.reason].owner.value,
                            "remedy": EXPLANATIONS[one.reason].remedy,
                            "nextVisit": None if one.next_visit is None else instant(one.next_visit),
                            "lastSeen": instant(one.last),
                        }
                        for one in groups
                        if one.reason in wanted
                    ],
                    "turnedAway": await turned_away(serving, None if word is None else reason_of(word)),
                    "lines": sorted(lines, key=lambda line: line["visit"])[:limit],
                },
            )
        )


async def _lines(serving: Services, reason: Reason, limit: int) -> list[dict[str, Any]]:
    seen = await serving.view.attention_lines(reason, limit=limit)
    records = await gathering.records_of(serving, seen)
    return [_line(reason, line) for line in failed_lines(seen, records)]


def _line(reason: Reason, line: FailedLine) -> dict[str, Any]:
    return {
        "bookingId": line.booking_id,
        "event": line.event_id,
        "what": line.what,
        "reason": reason.value,
        "customer": line.customer,
        "detail": line.detail,
        "at": instant(line.at),
        "visit": instant(line.visit),
    }


@api.route("/ops/api/plans", name="ops_api_plans")
class PlansView(ApiView):
    """POST /ops/api/plans."""

    async def post(self, request: web.Request) -> web.Response:
        """What a plan would do; nothing is done yet."""
        serving = services(request)
        require_view(serving)
        asked = as_model(PlanAsked, json_body(request))
        definition = new_definition(
            kind=asked.kind,
            reason=asked.reason or await _reason_of(serving, asked.bookings),
            bookings=asked.bookings,
            by=request[CALLER].name,
            now=serving.clock(),
        )
        return success(Reply(200, _planned(await plan(serving, definition))))


async def _reason_of(serving: Services, bookings: tuple[str, ...] | None) -> Reason:
    """The reason for which all of these bookings failed. Raises Problem 409 when there is not exactly one."""
    found = {
        failed
        for booking_id in bookings or ()
        if (seen := await serving.view.booking(booking_id)) is not None
        for failed in gathering.reasons_of(seen.record)
    }
    if len(found) != 1:
        away = [
            letter
            for booking_id in bookings or ()
            for letter in await serving.view.ask(turned_away_letters, booking_id=booking_id, limit=1)
        ]
        if away and not found:
            raise Problem(409, f"no lane has {away[0].booking_id}; discard it with --turned-away")
        why = f"for several reasons: {', '.join(sorted(found))}" if found else "for no reason now"
        raise Problem(409, f"these bookings wait {why}; name one reason")
    return found.pop()


def _planned(planned: Planned) -> dict[str, Any]:
    definition = planned.definition
    return {
        "plan": definition.plan,
        "kind": definition.kind,
        "reason": definition.reason.value,
        "bookings": definition.bookings,
        "until": definition.until.isoformat(),
        "total": definition.total,
        "fates": {fate.value: number for fate, number in counted(planned.judged).items()},
        "events": [
            {
                "bookingId": one.booking_id,
                "event": one.event_id,
                "what": one.what,
                "fate": one.fate.value,
                "because": one.because,
                "visit": instant(one.visit),
            }
            for one in planned.judged
        ],
    }


@api.route("/ops/api/plans/{plan}", name="ops_api_plan")
class PlanView(ApiView):
    """GET and POST /ops/api/plans/{plan}."""

    async def get(self, request: web.Request, plan: str) -> web.Response:
        """How far the plan is."""
        serving = services(request)
        return success(Reply(200, _watched(await watched(serving, await _known(serving, plan)))))

    async def post(self, request: web.Request, plan: str) -> web.Response:
        """Apply exactly what was shown, stop, or continue."""
        serving, by = services(request), request[CALLER].name
        require_view(serving)
        asked = as_model(PlanStep, json_body(request))
        redrives = request.app[REDRIVES]
        if asked.step == "apply":
            definition = await _to_apply(serving, plan, asked, by)
            await redrives.begin(definition, by=by, step=Step.BEGUN)
        elif asked.step == "stop":
            await stop(serving, (await _known(serving, plan)).definition, by)
        else:
            definition = (await _known(serving, plan)).definition
            await redrives.begin(definition, by=by, step=Step.CONTINUED)
        return success(Reply(202, {"plan": plan, "status": "queued"}))


async def _to_apply(serving: Services, name: str, asked: PlanStep, by: str) -> Definition:
    if not PLAN_ID.fullmatch(name) or asked.until is None or asked.reason is None or not asked.why:
        raise Problem(400, "a plan is applied with its id, reason, until and a why")
    definition = Definition(
        plan=name,
        kind=asked.kind,
        reason=asked.reason,
        bookings=asked.bookings,
        until=asked.until,
        by=by,
        why=asked.why,
    )
    planned = (await plan(serving, definition)).definition
    if planned.total != asked.total:
        raise Problem(409, f"it would act on {planned.total} events now, not on {asked.total}: plan again")
    return planned


async def _known(serving: Services, name: str) -> plans.PlanSeen:
    seen = await serving.view.ask(plans.plan, name)
    if seen is None:
        raise Problem(404, "there is no such plan")
    return seen


def _watched(seen: Watched) -> dict[str, Any]:
    progress = seen.progress
    return {
        "plan": seen.definition.plan,
        "kind": seen.definition.kind,
        "reason": seen.definition.reason.value,
        "by": seen.definition.by,
        "why": seen.definition.why,
        "state": seen.state,
        "because": seen.seen.step_why,
        "begun": instant(seen.seen.begun),
        "total": seen.definition.total,
        "sent": progress.sent,
        "working": progress.queued + progress.working,
        "done": progress.done,
        "failing": progress.failing,
        "overtaken": seen.overtaken,
        "left": progress.left,
        "secondsLeft": seen.left_seconds,
    }
