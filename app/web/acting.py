"""What an operator does to a booking: by one path, whether it comes from the API, the page or the CLI."""

from collections.abc import Sequence

from app.booking.events import FieldError, Invalid, validate
from app.booking.inputs import Action
from app.booking.reasons import Reason
from app.view import turned_away
from app.view.rows import BookingSeen, OnItsWay
from app.web import events, fates
from app.web.closing import MOST_OF_A_BOOKING, clock, close_turned_away, who_did_it
from app.web.envelope import Problem
from app.web.ops.failures import Failure, meant, offered
from app.web.requests import invalid
from app.web.services import Services
from app.web.submission import Asked, came_before, keep_key, require_fits, require_view, send


async def act(
    serving: Services,
    booking_id: str,
    action: Action,
    *,
    made_id: str,
    asked: Asked | None = None,
) -> None:
    """Send the action to the worker that owns the booking; returns when Kafka has it.

    What was done under this very id, and is `asked` for once more, is not judged again: what it acted on
    does not wait any more.

    Raises Problem: 400 for a repair that is wrong, 404 and 409 for what would come to nothing, 503.
    """
    require_view(serving)
    seen = await serving.view.booking(booking_id)
    record = None if seen is None else seen.record
    letters = await serving.view.ask(
        turned_away.letters, booking_id=booking_id, event_id=action.event, limit=MOST_OF_A_BOOKING
    )
    letters = [one for one in letters if one.reason in set(Reason)]
    found = meant(offered(record, letters), action.event)
    if asked is not None and await came_before(serving, asked, made_id):
        fate = await serving.view.fate(booking_id, fates.digests(made_id))
        if not (found and isinstance(fate, OnItsWay)):
            return
    closes = action.kind == "discard" and not any(one.in_lane for one in found)
    if not found and not (closes and letters):
        raise await nothing(serving, booking_id, seen)
    if not closes:
        _refuse(serving, booking_id, found, action)
    made = events.action_signal(
        booking_id,
        action,
        made_id=made_id,
        now=serving.clock(),
        traceparent=None if asked is None else asked.traceparent,
    )
    require_fits(made)
    if asked is not None:
        await keep_key(serving, asked, made_id)
    if closes:
        await close_turned_away(serving, booking_id, action, made_id)
        return
    await send(serving, serving.topics.signals, made)


async def nothing(serving: Services, booking_id: str, seen: BookingSeen | None) -> Problem:
    """404 where nothing is known of the booking, 409 where nothing of it waits: it says who did what when."""
    if seen is None and not await serving.view.dead_letters(limit=1, booking_id=booking_id):
        return Problem(404, "there is no such booking")
    told = "nothing of this booking waits for it any more"
    did = await who_did_it(serving, booking_id)
    lines = () if seen is None else seen.record.timeline
    if not did and lines:
        did = f": at {clock(lines[-1].at)} it came to: {lines[-1].decision}"
    return Problem(409, told + did)


def _refuse(serving: Services, booking_id: str, found: Sequence[Failure], act: Action) -> None:
    """Raises Problem for what is not offered: 409, and 400 for a repair that is wrong."""
    if act.kind == "repair" and act.data is None:
        raise invalid((FieldError(field="data", message="is needed for a repair"),))
    failure = next((one for one in found if act.kind in one.acts), None)
    if failure is None:
        raise Problem(409, found[0].only)
    if act.kind == "repair":
        _check_repair(serving, failure.type, act, booking_id)


def _check_repair(serving: Services, event_type: str, act: Action, booking_id: str) -> None:
    found = validate(event_type, act.data, booking_id, serving.settings.business.problem_types)
    if isinstance(found, Invalid):
        raise invalid(
            tuple(
                FieldError(field=f"data.{error.field}", message=error.message, value=error.value)
                for error in found.errors
            )
        )
