"""Notes of operators on `booking-signals`: what no lane works, and every worker's view shows."""

from collections.abc import Mapping

from app.booking.identity import Identity
from app.booking.reasons import Reason
from app.stream.codec import SOURCE, encode_note
from app.web.events import Made
from app.web.services import Services
from app.web.submission import send


async def note(
    serving: Services,
    reason: Reason,
    *,
    text: str,
    by: str,
    made_id: str,
    subject: str | None = None,
    more: Mapping[str, object] | None = None,
) -> Made:
    """Send a note on the group of this reason; returns when Kafka has it, raises Problem 503.

    `subject` is the booking that it is about, if it is about one.
    """
    value = encode_note(
        reason, text=text, by=by, event_id=made_id, now=serving.clock(), subject=subject, more=more
    )
    made = Made(
        key=reason.value.encode(),
        value=value,
        event_id=made_id,
        digest=Identity(source=SOURCE, id=made_id).digest(),
    )
    await send(serving, serving.topics.signals, made)
    return made
