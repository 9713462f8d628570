"""From a request to an event on Kafka, and to the answer once it was worked: shared by the act routes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.booking.events import LARGEST_EVENT, Booking, FieldError, Invalid, validate
from app.booking.identity import Progress
from app.booking.reasons import Reason
from app.booking.record import Phase, Record, State
from app.booking.status import MAY_BE_RESCHEDULED, MAY_BECOME, Status
from app.stream.codec import encode_request_made
from app.stream.errors import WriteLost
from app.telemetry.log import get_logger
from app.view.rows import BookingSeen, Ended, OnItsWay
from app.web import answers, events, fates
from app.web.envelope import Problem, Reply, unavailable
from app.web.events import Made
from app.web.requests import Preference, invalid
from app.web.services import Services

_log = get_logger(__name__)

PUBLISH_SECONDS = 5.0
"""How long Kafka may take to acknowledge a record before the caller is told to come again."""
_READ_BACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came with a request. `path` is part of an event's identity, `body` a digest of what it says."""

    path: str
    key: str | None
    body: str
    preference: Preference
    traceparent: str | None = None


def require_view(services: Services) -> None:
    """Raises Problem 503 while answers would be too old."""
    if services.view.far_behind:
        raise unavailable("the view is behind; answers would be old")


class NotKnown(Problem):
    """Kafka has not said whether it has it: what was sent may be there now, or be there later."""

    def __init__(self) -> None:
        message = "Kafka has not said that it has it; sending the same again is safe"
        super().__init__(503, message, headers={"Retry-After": "5"})


def require_fits(made: Made) -> None:
    """Raises Problem 413 for what no worker would take."""
    if len(made.value) > LARGEST_EVENT:
        raise Problem(413, f"what is made of it has {len(made.value)} bytes, and may have {LARGEST_EVENT}")


_on_their_way: set[asyncio.Task[object]] = set()


async def send(services: Services, topic: str, made: Made) -> None:
    """Returns when Kafka has it; raises Problem 503, `NotKnown` unless it surely has nothing of it.

    What has no answer in time goes on being sent.
    """
    sending = asyncio.ensure_future(services.publish(topic, made.key, made.value, made.headers))
    _on_their_way.add(sending)
    sending.add_done_callback(_arrived)
    try:
        async with asyncio.timeout(PUBLISH_SECONDS):
            await asyncio.shield(sending)
    except TimeoutError:
        raise NotKnown from None
    except Exception as wrong:  # noqa: BLE001 - whatever the sender raises: what it did is not known
        _log.exception("a record could not be sent", topic=topic)
        if isinstance(wrong, WriteLost) and not wrong.in_doubt:
            raise unavailable("Kafka does not take it") from None
        raise NotKnown from None


def _arrived(sending: asyncio.Task[object]) -> None:
    _on_their_way.discard(sending)
    if not sending.cancelled() and sending.exception() is not None:
        _log.warning("a record was not sent", why=type(sending.exception()).__name__)


async def keep_key(services: Services, asked: Asked, event_id: str) -> None:
    """Tell all workers with which body the request's key came; it is kept before anything is done by it.

    Of two that come at the same moment, here or elsewhere, the one that Kafka has first is done: so it is
    read back. Raises Problem 409 for the other, when its body is another one.
    """
    if asked.key is None or await came_before(services, asked, event_id):
        return
    signal = encode_request_made(event_id, body=asked.body, now=services.clock())
    made = Made(key=event_id.encode(), value=signal, event_id=event_id, digest="")
    await send(services, services.topics.signals, made)
    if not await came_before(services, asked, event_id, wait=_READ_BACK_SECONDS):
        raise unavailable("the view is behind: nothing was done; sending the same again is safe")


async def came_before(services: Services, asked: Asked, event_id: str, *, wait: float = 0) -> bool:
    """Whether this very request was taken before, by its key. Raises Problem 409 for another body.

    All workers know it from Kafka, so that the answer is the same at each, and after a restart. What was
    refused is judged anew: a key is no leave to do it the second time.
    """
    came = None if asked.key is None else await services.view.request_body(event_id, wait)
    if came is not None and came != asked.body:
        raise Problem(409, "this Idempotency-Key came before with another body: nothing was done")
    return came is not None


# Booking --------------------------------------------------------------------------------------------------


async def book(services: Services, data: object, asked: Asked, *, place: int = 0) -> Reply:
    """Book a visit: 201 its job, 200 when it was booked before with the same data, 202 when it takes longer.

    Raises Problem: 400 with every field that is wrong, 409 for other data, 422 when refused for good.
    """
    path = f"{asked.path}#{place}"
    named = isinstance(data, dict) and isinstance(data.get("bookingId"), str)
    booking_id, booking = _booking(services, data, asked, path)
    made_id = events.event_id(asked.key, path)
    await keep_key(services, asked, made_id)
    known = await services.view.booking(booking_id)
    if known is not None and not known.record.is_open:
        return await _booked_before(services, known, booking, asked)
    made = events.booking_event(
        "booking.created",
        booking_id,
        booking.model_dump(mode="json", by_alias=True, exclude_none=True),
        made_id=made_id,
        now=services.clock(),
        traceparent=asked.traceparent,
    )
    require_fits(made)
    try:
        await send(services, services.topics.booking_events, made)
    except NotKnown:
        if named or asked.key is not None:
            raise
        # Sent again it would be another booking: by the id that it has the caller can follow it.
        return _later(booking_id, made.event_id, asked)
    return await _creation_ended(services, booking_id, booking, made, asked)


def _booking(services: Services, data: object, asked: Asked, path: str) -> tuple[str, Booking]:
    if not isinstance(data, dict):
        raise invalid((FieldError(field="body", message="must be a JSON object"),))
    given = data.get("bookingId")
    booking_id = given if isinstance(given, str) else events.new_booking_id(asked.key, path)
    booking = validate("booking.created", data, booking_id, services.settings.business.problem_types)
    if isinstance(booking, Invalid):
        raise invalid(booking.errors)
    if not isinstance(booking, Booking):
        raise TypeError("a creation is read as a booking")
    return booking_id, booking


async def _booked_before(services: Services, known: BookingSeen, booking: Booking, asked: Asked) -> Reply:
    """The booking is there: with the same data it is this very one."""
    record = known.record
    if not _same(record, booking):
        raise Problem(409, "a booking with this id and other data is there")
    digest = fates.creation(record)
    if digest is not None and record.state is State.PENDING and asked.preference.wait > 0:
        fate = await services.view.wait_for(record.booking_id, [digest], asked.preference.wait)
        record = record if fate.booking is None else fate.booking.record
    return _made(record, 200, asked, event=None)


async def _creation_ended(
    services: Services, booking_id: str, booking: Booking, made: Made, asked: Asked
) -> Reply:
    """Wait for the job that the event makes; an event that came second is answered by the first one's job."""
    deadline = time.monotonic() + asked.preference.wait
    if asked.preference.wait <= 0:
        return _later(booking_id, made.event_id, asked)
    fate = await services.view.wait_for(booking_id, [made.digest], asked.preference.wait)
    match fate:
        case OnItsWay():
            return _later(booking_id, made.event_id, asked)
        case Ended(became=Reason.BOOKING_EXISTS):
            raise Problem(409, "a booking with this id and other data is there")
        case Ended(became=Progress.WORKED, booking=BookingSeen(record=record)):
            if record.state is not State.PENDING:
                first = not any(
                    e.event == made.event_id and e.outcome == "duplicate" for e in record.timeline
                )
                return _made(record, 201 if first else 200, asked, event=made.event_id)
            # The same booking came by another way at the same moment: that one makes the job.
            left = max(0.0, deadline - time.monotonic())
            seen = BookingSeen(record=record, partition=0)
            rest = Preference(left, asked.preference.applied)
            return await _booked_before(services, seen, booking, replace(asked, preference=rest))
        case Ended(became=became, booking=after):
            raise _refused(became, None if after is None else after.record)


def _same(record: Record, booking: Booking) -> bool:
    return any(one is not None and booking.same_as(one) for one in (record.booking, record.original))


def _made(record: Record, status: int, asked: Asked, *, event: str | None) -> Reply:
    """The answer for a booking as it stands: its job, why there is none, or that it takes longer."""
    job = answers.job(record)
    if job is not None:
        return Reply(status, job, asked.preference.headers)
    if record.state is State.CLOSED:
        if record.problem is not None:
            raise _refused(record.problem.reason, record)
        raise Problem(409, "the booking was cancelled before its job was made")
    held = fates.held_for(record)
    if held is not None:
        raise _refused(held, record)
    head = record.lane.head
    return _later(record.booking_id, event or (record.caused_by if head is None else head.event_id), asked)


def _later(booking_id: str, event: str, asked: Asked) -> Reply:
    headers = {**answers.location(booking_id, event), **asked.preference.headers}
    return Reply(202, answers.queued(booking_id, event), headers)


def _refused(became: Progress | Reason, record: Record | None) -> Problem:
    """It was refused for good: the error is the reason."""
    problem = None if record is None else record.problem
    text = problem.detail if problem is not None and problem.reason == became else f"refused: {became}"
    return Problem(422, text, error=became.value)


# Changes --------------------------------------------------------------------------------------------------


async def change(
    services: Services,
    seen: BookingSeen,
    event_type: str,
    data: Mapping[str, Any],
    asked: Asked,
    *,
    wanted: Status,
) -> Reply:
    """Change a booking's job to `wanted`: 200 the job, 202 when it takes longer.

    Raises Problem: 400 for data that is wrong, 409 for a status that may not follow, 422 when it is refused.
    """
    record = seen.record
    wrong = validate(event_type, data, record.booking_id)
    if isinstance(wrong, Invalid):
        raise invalid(wrong.errors)
    made = events.booking_event(
        event_type,
        record.booking_id,
        data,
        made_id=events.event_id(asked.key, asked.path),
        now=services.clock(),
        traceparent=asked.traceparent,
    )
    before = await came_before(services, asked, made.event_id)
    fate = await services.view.fate(record.booking_id, [made.digest]) if before else OnItsWay(booking=None)
    if isinstance(fate, OnItsWay):
        if not before:
            refuse_illegal(record, wanted)
            await keep_key(services, asked, made.event_id)
        try:
            await send(services, services.topics.booking_events, made)
        except NotKnown:
            if asked.key is not None:
                raise
            return _later(record.booking_id, made.event_id, asked)
        if asked.preference.wait <= 0:
            return _later(record.booking_id, made.event_id, asked)
        fate = await services.view.wait_for(record.booking_id, [made.digest], asked.preference.wait)
    match fate:
        case OnItsWay():
            return _later(record.booking_id, made.event_id, asked)
        case Ended(became=Progress.WORKED, booking=BookingSeen(record=now)):
            return Reply(200, answers.job(now), asked.preference.headers)
        case Ended(became=Reason.ILLEGAL_TRANSITION):
            raise Problem(409, _why(fate) or "the job's status does not allow it")
        case Ended(became=became, booking=after):
            raise _refused(became, None if after is None else after.record)


def _why(fate: Ended) -> str | None:
    problem = None if fate.booking is None else fate.booking.record.problem
    return problem.detail if problem is not None and problem.reason == fate.became else None


def refuse_illegal(record: Record, wanted: Status | None) -> None:
    """Raises Problem 409 for a change that an idle lane would only turn away: it would leave a dead letter.

    While the lane works, what stands in it may make the change legal: then it is judged in its turn.
    `wanted` is None for a reschedule.
    """
    job = record.job
    if job is None or record.lane.phase is not Phase.IDLE or wanted is job.status:
        return
    legal = job.status in MAY_BE_RESCHEDULED if wanted is None else wanted in MAY_BECOME[job.status]
    if not legal:
        verb = "be rescheduled" if wanted is None else f"become {wanted}"
        raise Problem(409, f"a job that is {job.status} cannot {verb}")
