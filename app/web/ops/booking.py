"""One booking: what happened, what waits, and what a person does about it."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web
from faust.web import Blueprint

from app.booking import words as words_of_booking
from app.booking.events import FieldError, Invalid, validate
from app.booking.inputs import Action
from app.booking.reasons import Reason
from app.booking.record import Record, decode_head
from app.booking.report import written
from app.telemetry.log import get_logger
from app.view import glance, turned_away
from app.view.columns import answered
from app.view.columns import visit as visit_of
from app.view.notes import Place, Reveal
from app.view.rows import BookingSeen, DeadLetter
from app.view.turned_away import Closed, place_of
from app.web import acting, fates
from app.web.closing import MOST_OF_A_BOOKING
from app.web.envelope import Problem
from app.web.noting import note
from app.web.operations import PREFIX
from app.web.ops import forms, gathering, masks, timeline
from app.web.ops.failures import ActKind, Failure, data_of_head, data_of_letter, meant, offered
from app.web.ops.lines import attempt
from app.web.ops.visit import OpsView, Visit, booking_path, go_to, require_no_other_site
from app.web.ops.words import Times
from app.web.pages import BOOKING_ID
from app.web.services import Services
from app.web.submission import NotKnown

api = Blueprint("ops_booking")
_log = get_logger(__name__)

_WAIT_SECONDS = 2.0
"""How long a page waits for what its visitor has just done, so that it can show the end."""
_LETTERS = 20
_LONGEST_WHY = 1000
_ZIP = re.compile(r"[0-9]{5}(-[0-9]{4})?")
_SEEN_BEFORE = timedelta(minutes=10)
_REFUSED_FIELDS = {
    Reason.AREA_NOT_SUPPORTED: "zip",
    Reason.PHONE_REFUSED: "phone",
    Reason.CUSTOMER_CONFLICT: "phone",
}
"""What ServiceTitan refused a booking for, where that is one field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All that is known of a booking; one that was never made has only dead letters."""

    booking_id: str
    seen: BookingSeen | None
    letters: list[DeadLetter]
    waiting: list[DeadLetter]
    """Those that no lane has and nobody has dealt with."""
    closed: Mapping[Place, Closed]
    """Those that an operator closed; what the row answers for is none of them."""

    @property
    def record(self) -> Record | None:
        """The booking's row."""
        return None if self.seen is None else self.seen.record

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What waits for a person."""
        return offered(self.record, self.waiting)

    @property
    def reason(self) -> Reason:
        """The group that a note on it belongs to: why it waits or last failed.

        Every note has a reason. Of a booking that nothing failed of it is the one that nobody acts on.
        """
        if self.failures:
            return self.failures[0].reason
        if self.record is not None and self.record.problem is not None:
            return self.record.problem.reason
        return Reason.DISCARDED


async def whole(serving: Services, booking_id: str) -> Whole:
    """All that is known of the booking; raises Problem 404."""
    view = serving.view
    seen = await view.booking(booking_id)
    letters = await view.dead_letters(limit=_LETTERS, booking_id=booking_id)
    if seen is None and not letters:
        raise Problem(404, f"There is no booking {booking_id}. A new one takes a moment to be seen.")
    known = frozenset[str]() if seen is None else answered(seen.record)
    return Whole(
        booking_id=booking_id,
        seen=seen,
        letters=letters,
        waiting=await view.ask(turned_away.letters, booking_id=booking_id, limit=MOST_OF_A_BOOKING),
        closed=await view.ask(turned_away.closed, [one for one in letters if one.digest not in known]),
    )


@api.route(f"/ops/bookings/{BOOKING_ID}", name="ops_booking")
class BookingView(OpsView):
    """GET and POST /ops/bookings/{bookingId}."""

    async def get(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """The booking, personal data masked."""
        visit = self.visit(request)
        event = request.query.get("event", "")
        if event:
            await visit.serving.view.wait_for(bookingId, fates.digests(event), _WAIT_SECONDS)
        return await _page(visit, bookingId, acted=event)

    async def post(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """The same with personal data: whoever may act may look, and that is written down."""
        visit = self.acting(request)
        found = await whole(visit.serving, bookingId)
        if visit.again is None:
            await write_down(visit.serving, found, visit.who.name, "personal data shown")
        return await _page(visit, bookingId, revealed=True)


async def _page(visit: Visit, booking_id: str, *, acted: str = "", revealed: bool = False) -> web.Response:
    found = await whole(visit.serving, booking_id)
    return visit.page("booking.html", **await shown(visit, found, acted=acted, revealed=revealed))


async def write_down(serving: Services, found: Whole, by: str, text: str) -> None:
    """Nothing personal is shown before Kafka has who looked; raises Problem 503.

    Who looks again within ten minutes has been written down: a reload says nothing new.
    """
    seen = await serving.view.actions(limit=_LETTERS, subject=found.booking_id)
    since = serving.clock() - _SEEN_BEFORE
    if any((one.kind, one.by, one.why) == ("reveal", by, text) and one.at >= since for one in seen):
        return
    _log.info("personal data revealed", booking=found.booking_id, by=by)
    await note(
        serving,
        found.reason,
        text=text,
        by=by,
        made_id=str(uuid4()),
        subject=found.booking_id,
        more={"data": Reveal().data()},
    )


async def shown(visit: Visit, found: Whole, *, acted: str = "", revealed: bool = False) -> dict[str, Any]:
    """What a booking's page shows."""
    serving, record = visit.serving, found.record
    attempts = 1 + len(serving.settings.retry_delays)
    acts = await serving.view.ask(glance.results, limit=_LETTERS, subject=found.booking_id)
    return {
        **gathering.figures(serving),
        "booking_id": found.booking_id,
        "record": record,
        "behind": () if found.seen is None else found.seen.behind,
        "partition": None if found.seen is None else found.seen.partition,
        "visit_at": None if record is None else visit_of(record, serving.settings.business),
        "attempt": "" if record is None else attempt(record, attempts),
        "facts": [] if record is None else _facts(visit, record, revealed=revealed),
        "revealed": revealed,
        "failures": found.failures,
        "waiting": found.waiting,
        "letters": [
            (letter, masks.event_text(letter.value, revealed=revealed), found.closed.get(place_of(letter)))
            for letter in found.letters
        ],
        "timeline": await _timeline(visit, found, revealed=revealed),
        "head_text": _head_text(record, revealed=revealed),
        "acts": acts,
        "acted": next((one for one in acts if one.action.event_id == acted), None),
        "acted_id": acted,
        "curl": curl(found.booking_id),
    }


_WHEN_ASKED = frozenset(masks.label(name) for name in ("scheduledDate", "timeSlot"))


def _facts(visit: Visit, record: Record, *, revealed: bool) -> list[tuple[str, str]]:
    """The booking's data; of the time that was asked for it says whether the visit was moved since."""
    found = masks.facts(record, revealed=revealed)
    if record.booking is None:
        return found
    business = visit.serving.settings.business
    asked = words_of_booking.visit_of(record.booking, business)
    times = Times(visit.now, business.zone_of(record.booking.zip))
    told = f"{times.here(asked.start)}"
    if record.booking.time_slot:
        told += f" ({record.booking.time_slot})"
    if record.job is not None and record.job.start != asked.start:
        told += f"; moved since, to {times.here(record.job.start)}"
    return [*(one for one in found if one[0] not in _WHEN_ASKED), ("Asked for", told)]


async def _timeline(visit: Visit, found: Whole, *, revealed: bool) -> tuple[timeline.Line, ...]:
    if found.record is None or found.seen is None:
        return ()
    asked = (visit.serving.view.head_row(found.booking_id, failed.slot) for failed in found.record.failed)
    rows = [await row for row in asked]
    kept = [*found.seen.behind, *(decode_head(row) for row in rows if row is not None)]
    sources = timeline.sources(found.record, kept, found.letters, revealed=revealed)
    return timeline.lines(found.record, sources)


def _head_text(record: Record | None, *, revealed: bool) -> str | None:
    if record is None or record.lane.head is None:
        return None
    return masks.event_text(record.lane.head.raw.value, revealed=revealed)


def curl(booking_id: str) -> str:
    """The call that tries it now; whoever uses it sets HOST and KEY."""
    body = orjson.dumps({"action": "retry", "why": "..."}).decode()
    path = booking_path(booking_id).removeprefix("/ops")
    return (
        f'curl -X POST "$HOST{PREFIX}{path}/actions" \\\n  -H "Authorization: Bearer $KEY" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    )


# Acting ---------------------------------------------------------------------------------------------------


@api.route(f"/ops/bookings/{BOOKING_ID}/actions", name="ops_act")
class ActView(OpsView):
    """POST /ops/bookings/{bookingId}/actions."""

    async def post(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """Try now, or discard once that was asked twice; a repair leads to its form."""
        visit = self.acting(request)
        kind = visit.field("action")
        if kind == "repair":
            found = await whole(visit.serving, bookingId)
            failure = await repairable(visit.serving, found, visit.field("event"))
            return await _opened(visit, found, failure, why=visit.field("why"))
        if kind not in {"retry", "discard"}:
            raise Problem(400, "A booking can be tried now, repaired or discarded.")
        if kind == "discard" and not visit.field("sure"):
            return await _ask_once_more(visit, bookingId)
        return await _act(visit, bookingId, cast("ActKind", kind))


async def _ask_once_more(visit: Visit, booking_id: str) -> web.Response:
    """What it means that this is discarded: there is no way back."""
    found = await whole(visit.serving, booking_id)
    could = meant(found.failures, visit.field("event") or None)
    if not could:
        raise await acting.nothing(visit.serving, booking_id, found.seen)
    record, business = found.record, visit.serving.settings.business
    return visit.page(
        "discard.html",
        booking_id=booking_id,
        failure=could[0],
        record=record,
        visit_at=None if record is None else visit_of(record, business),
        why=visit.field("why"),
    )


async def _act(
    visit: Visit,
    booking_id: str,
    kind: ActKind,
    data: dict[str, Any] | None = None,
) -> web.Response:
    why = visit.field("why")[:_LONGEST_WHY]
    if not why:
        raise Problem(400, "Say why: it stands in the booking's timeline.")
    visit.sending()
    action = Action(kind=kind, by=visit.who.name, why=why, event=visit.field("event") or None, data=data)
    made_id = str(uuid4())
    # Sent again it would be another act: the page shows what becomes of this one, however late it arrives.
    with contextlib.suppress(NotKnown):
        await acting.act(visit.serving, booking_id, action, made_id=made_id)
    return go_to(f"{booking_path(booking_id)}?event={made_id}")


@api.route(f"/ops/bookings/{BOOKING_ID}/repair", name="ops_repair")
class RepairView(OpsView):
    """GET and POST /ops/bookings/{bookingId}/repair."""

    async def get(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """The form, with the data as it is: who repairs has to see it, and that is written down."""
        require_no_other_site(request)
        visit = self.acting(request)
        found = await whole(visit.serving, bookingId)
        failure = await repairable(visit.serving, found, request.query.get("event", ""))
        return await _opened(visit, found, failure)

    async def post(self, request: web.Request, bookingId: str) -> web.Response:  # noqa: N803 - as in the address
        """Repair and try; all that is wrong is said at once, each at its field."""
        visit = self.acting(request)
        found = await whole(visit.serving, bookingId)
        failure = await repairable(visit.serving, found, visit.field("event"))
        data = forms.read(failure.type, visit.form, _zone(visit, found, visit.field("zip")))
        why = visit.field("why")
        errors = _errors(visit, found, failure, data)
        if not why:
            errors += (FieldError(field="why", message="Say why: it stands in the timeline."),)
        if not errors:
            return await _act(visit, bookingId, "repair", data)
        return _form(visit, found, failure, data, errors, why=why, status=422)


async def _opened(visit: Visit, found: Whole, failure: Failure, *, why: str = "") -> web.Response:
    """The form as it is first seen: what was refused is marked, and so is all that is invalid."""
    if visit.again is None:
        await write_down(visit.serving, found, visit.who.name, "personal data shown for a repair")
    data = await data_of(visit.serving, found, failure)
    errors = _errors(visit, found, failure, data)
    refused = _REFUSED_FIELDS.get(failure.reason)
    if refused is not None and not errors:
        errors = (FieldError(field=refused, message=failure.explained.sentence),)
    return _form(visit, found, failure, data, errors, why=why)


def _errors(visit: Visit, found: Whole, failure: Failure, data: Mapping[str, Any]) -> tuple[FieldError, ...]:
    problems = visit.serving.settings.business.problem_types
    wrong = validate(failure.type, data, found.booking_id, problems)
    return wrong.errors if isinstance(wrong, Invalid) else ()


def _zone(visit: Visit, found: Whole, zip_code: object) -> ZoneInfo:
    """Where the visit is."""
    business, record = visit.serving.settings.business, found.record
    if isinstance(zip_code, str) and _ZIP.fullmatch(zip_code):
        return business.zone_of(zip_code)
    if record is not None and record.booking is not None:
        return business.zone_of(record.booking.zip)
    return business.time_zone


async def repairable(serving: Services, found: Whole, event: str) -> Failure:
    """The failure of this event, or the first that a repair could be of. Raises Problem 409."""
    could = meant(found.failures, event or None)
    if not could:
        raise await acting.nothing(serving, found.booking_id, found.seen)
    failure = next((one for one in could if one.may_repair), None)
    if failure is None:
        raise Problem(409, could[0].only)
    return failure


async def data_of(serving: Services, found: Whole, failure: Failure) -> Mapping[str, Any]:
    """The data of what failed: the booking's own, the event put aside, or the dead letter's."""
    record = found.record
    if record is None:
        letter = next(one for one in found.waiting if one.event_id == failure.event_id)
        return data_of_letter(letter)
    if not failure.slot:
        return {name: value for name, value in written(record).items() if value is not None}
    row = await serving.view.head_row(found.booking_id, failure.slot)
    return {} if row is None else data_of_head(decode_head(row))


def _form(
    visit: Visit,
    found: Whole,
    failure: Failure,
    data: Mapping[str, Any],
    errors: tuple[FieldError, ...],
    *,
    why: str,
    status: int = 200,
) -> web.Response:
    business, zone = visit.serving.settings.business, _zone(visit, found, data.get("zip"))
    fields = forms.fields(failure.type, data, errors, business=business, zone=zone)
    return visit.page(
        "repair.html",
        status=status,
        booking_id=found.booking_id,
        failure=failure,
        fields=fields,
        wrong=[field for field in fields if field.error],
        no_why=next((one.message for one in errors if one.field == "why"), ""),
        sent=status == 422,
        why=why,
    )
