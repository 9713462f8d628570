"""What an operator does to a booking: by one path, whether it comes from the API, the page or the CLI."""

from app.booking.events import FieldError, Invalid, validate
from app.booking.inputs import Action
from app.booking.record import Record
from app.view.rows import BookingSeen
from app.web import events
from app.web.closing import close_turned_away, still_open
from app.web.envelope import Problem
from app.web.events import Made
from app.web.requests import invalid
from app.web.services import Services
from app.web.submission import require_view, send


async def act(
    serving: Services,
    booking_id: str,
    action: Action,
    *,
    made_id: str,
    traceparent: str | None = None,
    again: bool = False,
) -> Made:
    """Send the action to the worker that owns the booking; returns when Kafka has it.

    `again` says that it was sent before, under this very id: what it acted on may not wait any more.

    Raises Problem: 400 for a repair that is wrong, 404 and 409 for what would come to nothing, 503.
    """
    require_view(serving)
    seen = await serving.view.booking(booking_id)
    waits = seen is not None and acted_on(seen.record, action.event) is not None
    if not again and action.kind == "discard" and not waits:
        return await close_turned_away(serving, booking_id, action, made_id)
    if not again:
        await _refuse(serving, booking_id, seen, action)
    made = events.action_signal(
        booking_id, action, made_id=made_id, now=serving.clock(), traceparent=traceparent
    )
    await send(serving, serving.topics.signals, made)
    return made


async def _refuse(serving: Services, booking_id: str, seen: BookingSeen | None, act: Action) -> None:
    """Raises Problem for what would come to nothing: 404, 409, and 400 for a repair that is wrong."""
    if act.kind == "repair" and act.data is None:
        raise invalid((FieldError(field="data", message="is needed for a repair"),))
    if seen is None:
        # The repair of a creation that was invalid is worked as the creation: it left only a dead letter.
        await still_open(serving, booking_id)
        if act.kind != "repair":
            raise Problem(409, "the booking was never made: it can only be repaired or discarded")
        _check_repair(serving, "booking.created", act, booking_id)
        return
    kind = acted_on(seen.record, act.event)
    if kind is None:
        raise Problem(409, "nothing of this booking waits for it")
    if act.kind == "repair":
        _check_repair(serving, kind, act, booking_id)


def acted_on(record: Record, event: str | None) -> str | None:
    """The type of the event that would be acted on, None when nothing waits for an operator."""
    return next((one.type for one in record.waiting if event in {None, one.event_id}), None)


def _check_repair(serving: Services, event_type: str, act: Action, booking_id: str) -> None:
    found = validate(event_type, act.data, booking_id, serving.settings.business.problem_types)
    if isinstance(found, Invalid):
        raise invalid(
            tuple(
                FieldError(field=f"data.{error.field}", message=error.message, value=error.value)
                for error in found.errors
            )
        )
