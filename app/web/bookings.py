"""Bookings: everything known of one, and what an operator does about it."""

from aiohttp import web
from faust.web import Blueprint

from app.booking.events import FieldError, Invalid, validate
from app.booking.inputs import Action
from app.booking.record import Phase, Record
from app.view.rows import BookingSeen, OnItsWay
from app.web import answers, events, fates, models
from app.web.envelope import Problem, Reply, success
from app.web.guard import CALLER
from app.web.pages import ApiView
from app.web.requests import LONGEST_WAIT, as_model, idempotency_key, invalid, json_body, number
from app.web.services import Services, services
from app.web.submission import require_view, send

api = Blueprint("bookings")


@api.route("/bookings/{bookingId}", name="booking")
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
    fate = await serving.view.wait_for(booking_id, fates.digests(event), wait)
    if not isinstance(fate, OnItsWay):
        if fate.booking is None:
            raise Problem(422, f"refused: {fate.became}", error=fate.became.value)
        return fate.booking
    later = fate.booking
    return later if later is not None and fates.is_over(later, event) else None


@api.route("/bookings/{bookingId}/actions", name="actions")
class ActionsView(ApiView):
    """POST /bookings/{bookingId}/actions."""

    async def post(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """Have the owner of the booking retry, repair or discard what failed for good."""
        serving = services(request)
        act = as_model(models.Act, json_body(request))
        require_view(serving)
        seen = await serving.view.booking(bookingId)
        await _refuse(serving, bookingId, seen, act)
        action = Action(kind=act.action, by=request[CALLER].name, why=act.why, event=act.event, data=act.data)
        made = events.action_signal(
            bookingId,
            action,
            made_id=events.event_id(idempotency_key(request), request.path),
            now=serving.clock(),
            traceparent=request.headers.get("traceparent"),
        )
        await send(serving, serving.topics.signals, made)
        data = {"bookingId": bookingId, "action": act.action, "event": made.event_id, "status": "queued"}
        return success(Reply(202, data, answers.location(bookingId, made.event_id)))


async def _refuse(serving: Services, booking_id: str, seen: BookingSeen | None, act: models.Act) -> None:
    """Raises Problem for what would come to nothing: 404, 409, and 400 for a repair that is wrong."""
    if act.action == "repair" and act.data is None:
        raise invalid((FieldError(field="data", message="is needed for a repair"),))
    if seen is None:
        # The repair of a creation that was invalid is worked as the creation: it left only a dead letter.
        letters = await serving.view.dead_letters(limit=1, booking_id=booking_id)
        if not letters:
            raise Problem(404, "there is no such booking")
        if act.action != "repair":
            raise Problem(409, "the booking was never made: it can only be repaired")
        _check_repair("booking.created", act, booking_id)
        return
    kind = _acted_on(seen.record, act.event)
    if kind is None:
        raise Problem(409, "nothing of this booking waits for it")
    if act.action == "repair":
        _check_repair(kind, act, booking_id)


def _acted_on(record: Record, event: str | None) -> str | None:
    """The type of the event that would be acted on, None when nothing waits for an operator."""
    head = record.lane.head
    if record.lane.phase is Phase.HELD and head is not None and event in {None, head.event_id}:
        return "booking.created"
    failed = (f for f in reversed(record.failed) if event in {None, f.event_id})
    return next((f.type for f in failed), None)


def _check_repair(event_type: str, act: models.Act, booking_id: str) -> None:
    found = validate(event_type, act.data, booking_id)
    if isinstance(found, Invalid):
        raise invalid(
            tuple(
                FieldError(field=f"data.{error.field}", message=error.message, value=error.value)
                for error in found.errors
            )
        )
