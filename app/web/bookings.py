"""Bookings: everything known of one, and what an operator does about it."""

from aiohttp import web
from faust.web import Blueprint

from app.booking.inputs import Action
from app.view import queries
from app.view.rows import BookingSeen, OnItsWay
from app.web import acting, answers, events, fates, models
from app.web.asking import asked
from app.web.envelope import Problem, Reply, success
from app.web.guard import CALLER
from app.web.pages import BOOKING_ID, ApiView
from app.web.requests import LONGEST_WAIT, as_model, json_body, number
from app.web.services import Services, services
from app.web.submission import NotKnown, require_view

api = Blueprint("bookings")


@api.route(f"/bookings/{BOOKING_ID}", name="booking")
class BookingView(ApiView):
    """GET /bookings/{bookingId}."""

    async def get(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """Everything known of a booking; 202 while the event that is asked for was not worked."""
        serving = services(request)
        event = request.query.get("event")
        wait = number(request, "wait", low=0, high=LONGEST_WAIT, default=0)
        require_view(serving)
        seen = await serving.view.booking(bookingId)
        if event:
            seen = await _after(serving, bookingId, seen, event, wait)
            if seen is None:
                headers = answers.location(bookingId, event)
                return success(Reply(202, answers.queued(bookingId, event), headers))
        if seen is None:
            raise Problem(404, "there is no such booking")
        return success(Reply(200, answers.booking(seen, serving.view.as_of or serving.clock())))


async def _after(
    serving: Services, booking_id: str, seen: BookingSeen | None, event: str, wait: float
) -> BookingSeen | None:
    """The booking once the event was worked, None while it is on its way."""
    if seen is not None and fates.is_over(seen, event):
        return seen
    # An event of the booking system's own is known by its id where it left a dead letter alone.
    theirs = await serving.view.ask(queries.dead_letter_digests, booking_id, event)
    fate = await serving.view.wait_for(booking_id, (*fates.digests(event), *theirs), wait)
    if not isinstance(fate, OnItsWay):
        if fate.booking is None:
            raise Problem(422, f"refused: {fate.became}", error=fate.became.value)
        return fate.booking
    later = fate.booking
    return later if later is not None and fates.is_over(later, event) else None


@api.route(f"/bookings/{BOOKING_ID}/actions", name="actions")
class ActionsView(ApiView):
    """POST /bookings/{bookingId}/actions."""

    async def post(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """Have the owner of the booking retry, repair or discard what failed for good."""
        serving = services(request)
        act = as_model(models.Act, json_body(request))
        action = Action(kind=act.action, by=request[CALLER].name, why=act.why, event=act.event, data=act.data)
        came = asked(request, serving)
        made_id = events.event_id(came.key, came.path)
        try:
            await acting.act(serving, bookingId, action, made_id=made_id, asked=came)
        except NotKnown:
            if came.key is not None:
                raise
        data = {"bookingId": bookingId, "action": act.action, "event": made_id, "status": "queued"}
        return success(Reply(202, data, answers.location(bookingId, made_id)))
