"""One reason's group: what waits for it, notes on it, and closing what was turned away."""

from uuid import uuid4

from aiohttp import web
from faust.web import Blueprint

from app.booking.reasons import EXPLANATIONS, Reason
from app.view import turned_away
from app.view.notes import place
from app.web.closing import close_group, close_letters
from app.web.envelope import Problem
from app.web.events import Made
from app.web.noting import note
from app.web.ops import gathering
from app.web.ops.lines import failed_lines
from app.web.ops.planning import ASK_TO_TYPE
from app.web.ops.visit import OpsView, Visit, go_to
from app.web.requests import moment, whole

api = Blueprint("ops_groups")

_LINES = 200
_PAST = 50
_CLOSE_SECONDS = 2.0
"""How long a page waits until the view has what its visitor has just closed."""
_LONGEST_WHY = 1000


def reason_of(word: str) -> Reason:
    """The reason of an address; raises Problem 404."""
    if word not in set(Reason):
        raise Problem(404, f"There is no reason {word}. The help page lists all.")
    return Reason(word)


@api.route("/ops/reasons/{reason}", name="ops_reason")
class ReasonView(OpsView):
    """GET /ops/reasons/{reason}."""

    async def get(self, request: web.Request, reason: str) -> web.Response:
        """Everything that failed for one reason, to plan for."""
        visit, found = self.visit(request), reason_of(reason)
        view = visit.serving.view
        lines = await view.attention_lines(found, limit=_LINES)
        group = next((one for one in await view.attention_groups() if one.reason is found), None)
        waiting = await view.ask(turned_away.letters, reason=found, limit=_LINES)
        past = [] if lines or waiting else await view.dead_letters(limit=_PAST, reason=found.value)
        return visit.page(
            "reason.html",
            reason=found,
            shown="-".join(str(one) for one in await gathering.waiting(visit.serving, found)),
            explained=EXPLANATIONS[found],
            group=group,
            lines=failed_lines(lines, await gathering.records_of(visit.serving, lines)),
            notes=await view.actions(limit=10, subject=found.value),
            turned=await view.ask(turned_away.group, found) if waiting else None,
            waiting=waiting,
            must_type_above=ASK_TO_TYPE,
            past=past,
            closed=await view.ask(turned_away.closed, past),
        )


@api.route("/ops/reasons/{reason}/notes", name="ops_note")
class NoteView(OpsView):
    """POST /ops/reasons/{reason}/notes."""

    async def post(self, request: web.Request, reason: str) -> web.Response:
        """Leave a note on the group, for whoever looks next."""
        visit, found = self.acting(request), reason_of(reason)
        text = visit.field("text")[:_LONGEST_WHY]
        if not text:
            raise Problem(400, "A note says something.")
        visit.sending()
        await note(visit.serving, found, text=text, by=visit.who.name, made_id=str(uuid4()))
        return go_to(f"/ops/reasons/{found.value}")


@api.route("/ops/reasons/{reason}/close", name="ops_close")
class CloseView(OpsView):
    """POST /ops/reasons/{reason}/close."""

    async def post(self, request: web.Request, reason: str) -> web.Response:
        """Close what was turned away: the chosen, or all that were shown."""
        visit, found = self.acting(request), reason_of(reason)
        made = await _close(visit, found)
        await visit.serving.view.wait_for(found.value, [made.digest], _CLOSE_SECONDS)
        return go_to(f"/ops/reasons/{found.value}")


async def _close(visit: Visit, reason: Reason) -> Made:
    serving, by = visit.serving, visit.who.name
    why = visit.field("why")[:_LONGEST_WHY]
    if not why:
        raise Problem(400, "Say why: it stands on the page of actions.")
    visit.sending()
    chosen = [place(one) for one in visit.form.get("letter", ())]
    places = {one for one in chosen if one is not None}
    count = len(places) if places else whole(visit.field("total"))
    if count is not None and count > ASK_TO_TYPE and visit.field("typed") != str(count):
        raise Problem(422, f"Type {count}, the number of events that it closes.")
    if places:
        return await close_letters(serving, reason, places, why=why, by=by)
    until = moment(visit.field("until"))
    if until is None or count is None:
        raise Problem(400, "The form cannot be read. Look again.")
    return await close_group(serving, reason, until=until, total=count, why=why, by=by)
