"""Webhooks and actions: what came from outside, and what people did."""

from typing import Any

from aiohttp import web
from faust.web import Blueprint

from app.booking.record import Record
from app.servicetitan.webhooks import JobReport, NotAboutAJob, Unreadable, read_webhook
from app.view import glance
from app.view.rows import WebhookSeen
from app.web.ops.visit import OpsView
from app.web.requests import whole
from app.web.services import Services

api = Blueprint("ops_logs")
_MOST = 100


@api.route("/ops/actions", name="ops_actions")
class ActionsView(OpsView):
    """GET /ops/actions."""

    async def get(self, request: web.Request) -> web.Response:
        """Who did what, why, and what came of it."""
        visit = self.visit(request)
        return visit.page("actions.html", **await actions(visit.serving))


@api.route("/ops/webhooks", name="ops_webhooks")
class WebhooksView(OpsView):
    """GET /ops/webhooks."""

    async def get(self, request: web.Request) -> web.Response:
        """What ServiceTitan reported, and which booking it is about."""
        visit = self.visit(request)
        return visit.page("webhooks.html", **await webhooks(visit.serving))


async def actions(serving: Services) -> dict[str, Any]:
    """What the page of actions shows."""
    return {"acts": await serving.view.ask(glance.results, limit=_MOST), "most": _MOST}


async def webhooks(serving: Services) -> dict[str, Any]:
    """What the page of webhooks shows."""
    hooks = await serving.view.webhooks(limit=_MOST)
    tenant = serving.settings.tenant_number
    rows: list[tuple[WebhookSeen, str, Record | None]] = []
    for hook, record in await _with_bookings(serving, hooks):
        read = read_webhook(hook.value, hook.at)
        if isinstance(read, JobReport) and read.is_of_another(tenant):
            rows.append((hook, f"{read.event}: ignored, of another tenant ({read.tenant})", None))
        else:
            rows.append((hook, _reported(read), record))
    return {"hooks": rows, "most": _MOST}


def _reported(read: JobReport | NotAboutAJob | Unreadable) -> str:
    """What a webhook told at its time, in a few words; the booking may be something else by now."""
    match read:
        case Unreadable():
            return f"unreadable: {read.detail}"
        case NotAboutAJob():
            return f"{read.event}: not about a job"
        case JobReport():
            told = [] if read.status is None else [read.status.value.replace("_", " ")]
            told += ["the visit was moved"] if read.moved else []
            if read.visit is not None:
                told.append(f"visit at {read.visit.start.isoformat(timespec='minutes')}")
            return f"{read.event}: {', '.join(told) or 'nothing that is followed'}"


async def _with_bookings(
    serving: Services, hooks: list[WebhookSeen]
) -> list[tuple[WebhookSeen, Record | None]]:
    jobs = {job for hook in hooks if (job := whole(hook.job_id or "")) is not None}
    seen = {job: await serving.view.booking_of_job(job) for job in jobs}
    records = {str(job): None if one is None else one.record for job, one in seen.items()}
    return [(hook, records.get(hook.job_id or "")) for hook in hooks]
