"""Closing what was turned away: dead letters that no lane has, by one path from page, command and API.

Nothing is worked: a note says which are closed, by whom and why, and the views of all workers leave them out
from then on. Kafka keeps them as long as before.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import NAMESPACE_URL, uuid4, uuid5

from app.booking.inputs import Action
from app.booking.reasons import Reason
from app.view import turned_away
from app.view.notes import MOST_PLACES, Closing, Place
from app.web.envelope import Problem
from app.web.events import Made
from app.web.noting import note
from app.web.ops.failures import DONE
from app.web.services import Services
from app.web.submission import require_view

MOST_OF_A_BOOKING = 100
_DONE = {**DONE, "close": "closed"}


async def who_did_it(serving: Services, subject: str) -> str:
    """Who acted last on a booking or a group, when and why, to end a sentence with; empty if nobody."""
    acts = await serving.view.actions(limit=20, subject=subject)
    act = next((one for one in acts if one.kind in _DONE), None)
    return "" if act is None else f": {act.by} had it {_DONE[act.kind]} at {clock(act.at)} ({act.why})"


def clock(when: datetime) -> str:
    """`2026-03-02 09:00 UTC`."""
    return when.strftime("%Y-%m-%d %H:%M UTC")


"""How many are looked at to say what may be done; a closing closes all."""


async def close_group(
    serving: Services, reason: Reason, *, until: datetime, total: int, why: str, by: str
) -> Made:
    """Close what was shown of a group: its `total` dead letters up to `until`.

    Each is named: what a lane still has of that time may be turned away later, and was not shown.
    Raises Problem: 409 when there are more or fewer by now, 503.
    """
    require_view(serving)
    found = await serving.view.ask(turned_away.places, reason, until=until)
    if not found:
        raise Problem(409, f"nothing of this group is open any more{await who_did_it(serving, reason)}")
    if len(found) != total:
        did = await who_did_it(serving, reason)
        raise Problem(409, f"it would close {len(found)} events now, not {total}, so look again{did}")
    chunks = (found[first : first + MOST_PLACES] for first in range(0, total, MOST_PLACES))
    made = [
        await _close(serving, reason, some, until=until, why=why, by=by, made_id=str(uuid4()))
        for some in chunks
    ]
    return made[-1]


async def close_letters(
    serving: Services, reason: Reason, places: Collection[Place], *, why: str, by: str
) -> Made:
    """Close these dead letters of a group.

    Raises Problem: 400 for too many, 409 when one is not open, 503.
    """
    require_view(serving)
    if len(places) > MOST_PLACES:
        raise Problem(400, f"at most {MOST_PLACES} can be chosen one by one; take the whole group")
    chosen = await serving.view.ask(turned_away.at, reason, tuple(places))
    missing = sorted(set(places) - {turned_away.place_of(one) for one in chosen})
    if missing:
        raise Problem(409, f"{missing[0]} is not open for {reason.value}{await who_did_it(serving, reason)}")
    until = max(one.at for one in chosen)
    return await _close(serving, reason, places, until=until, why=why, by=by, made_id=str(uuid4()))


async def close_turned_away(serving: Services, booking_id: str, action: Action, made_id: str) -> None:
    """Close the dead letters of a booking, or of the action's event alone. Raises Problem 503."""
    found = await serving.view.ask(turned_away.spots, booking_id=booking_id, event_id=action.event)
    chunks = [
        (reason, some[first : first + MOST_PLACES])
        for reason in Reason
        for some in [[one for one in found if one.reason == reason.value]]
        for first in range(0, len(some), MOST_PLACES)
    ]
    for number, (reason, some) in enumerate(chunks):
        await _close(
            serving,
            reason,
            [one.place for one in some],
            until=max(one.at for one in some),
            why=action.why,
            by=action.by,
            made_id=str(uuid5(NAMESPACE_URL, f"{made_id}/{number}")) if number else made_id,
            subject=booking_id,
        )


async def _close(
    serving: Services,
    reason: Reason,
    places: Collection[Place],
    *,
    until: datetime,
    why: str,
    by: str,
    made_id: str,
    subject: str | None = None,
) -> Made:
    closing = Closing(reason=reason, until=until, places=tuple(places), total=len(places))
    more = {"data": closing.data()}
    return await note(serving, reason, text=why, by=by, made_id=made_id, subject=subject, more=more)
