"""What the command line asks of a worker about events that were turned away and that no lane has."""

from typing import Annotated, Any

from aiohttp import web
from faust.web import Blueprint
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.booking.reasons import Reason
from app.booking.report import instant
from app.telemetry.masking import masked_text
from app.view import turned_away
from app.view.notes import MOST_PLACES, place
from app.view.rows import DeadLetter
from app.web.closing import close_group, close_letters
from app.web.envelope import Problem, Reply, success
from app.web.events import Made
from app.web.guard import CALLER
from app.web.pages import ApiView
from app.web.requests import Moment, as_model, json_body, whole_number
from app.web.services import Services, services
from app.web.submission import require_view

api = Blueprint("ops_api_turned_away")
_CLOSE_SECONDS = 5.0


class Close(BaseModel):
    """What to close: some dead letters, or with `until` and `total` all that were shown."""

    model_config = ConfigDict(frozen=True)

    reason: Reason
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    letters: Annotated[tuple[str, ...] | None, Field(min_length=1, max_length=MOST_PLACES)] = None
    until: Moment | None = None
    total: int | None = None


def reason_of(word: str) -> Reason:
    """The reason of a query; raises Problem 400."""
    if word not in set(Reason):
        raise Problem(400, f"a reason is one of {', '.join(Reason)}")
    return Reason(word)


async def groups(serving: Services, reason: Reason | None) -> list[dict[str, Any]]:
    """How many events are turned away for what, and until when they are counted."""
    if reason is None:
        found = await serving.view.ask(turned_away.groups)
    else:
        one = await serving.view.ask(turned_away.group, reason)
        found = [] if one is None else [one]
    return [
        {"reason": one.reason, "total": one.records, "first": instant(one.first), "until": instant(one.last)}
        for one in found
    ]


@api.route("/ops/api/turned-away", name="ops_api_turned_away")
class TurnedAwayView(ApiView):
    """GET and POST /ops/api/turned-away."""

    async def get(self, request: web.Request) -> web.Response:
        """What waits, of one reason or of all; by `name` of one booking or letter. The latest first."""
        serving = services(request)
        require_view(serving)
        limit = whole_number(request, "limit", low=1, high=1000, default=100)
        word = request.query.get("reason")
        reason = None if word is None else reason_of(word)
        name = request.query.get("name")
        if name is None:
            letters = await serving.view.ask(turned_away.letters, reason=reason, limit=limit)
        else:
            letters = await serving.view.ask(turned_away.named, name, reason=reason, limit=limit)
        counted = await groups(serving, reason)
        return success(Reply(200, {"groups": counted, "letters": [_letter(one) for one in letters]}))

    async def post(self, request: web.Request) -> web.Response:
        """Close for good, with a reason of one's own."""
        serving = services(request)
        asked = as_model(Close, json_body(request))
        made = await _close(serving, asked, request[CALLER].name)
        await serving.view.wait_for(asked.reason.value, [made.digest], _CLOSE_SECONDS)
        return success(Reply(202, {"event": made.event_id, "status": "queued"}))


async def _close(serving: Services, asked: Close, by: str) -> Made:
    if asked.letters is not None:
        places = [place(one) for one in asked.letters]
        known = {one for one in places if one is not None}
        if len(known) < len(set(asked.letters)):
            raise Problem(400, "a dead letter is named PARTITION-OFFSET, such as 3-17")
        return await close_letters(serving, asked.reason, known, why=asked.why, by=by)
    if asked.until is None or asked.total is None:
        raise Problem(400, "a group is closed with the until and total that were shown")
    return await close_group(
        serving, asked.reason, until=asked.until, total=asked.total, why=asked.why, by=by
    )


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "letter": str(turned_away.place_of(letter)),
        "reason": letter.reason,
        "at": instant(letter.at),
        "bookingId": letter.booking_id,
        "event": letter.event_id,
        "type": letter.type,
        "detail": masked_text(letter.detail),
    }
