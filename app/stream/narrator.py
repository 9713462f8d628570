"""What lanes do, told to logs and metrics: one line per attempt, with what was decided."""

import logging

import structlog

from app.booking.asks import Ask, CustomerAsk
from app.booking.customer_lane import CustomerRequest, Known
from app.booking.lane import Unhappy
from app.booking.record import Entry, Means, Record, SendDeadLetter

_log = structlog.get_logger("lanes")

_LEVEL = {
    Means.SECOND_JOB: logging.ERROR,
    Means.GAVE_UP: logging.WARNING,
    Means.ROW_MISSING: logging.WARNING,
    None: logging.INFO,
}


class Narrator:
    """Tells what happened."""

    def saved(self, before: Record | None, record: Record) -> None:
        """A row was written: its new timeline lines are told."""
        for entry in new_entries(before, record):
            self._tell(record, entry)

    def _tell(self, record: Record, entry: Entry) -> None:
        _log.log(
            _LEVEL[entry.means],
            entry.decision,
            booking=record.booking_id,
            event_id=entry.event,
            asked=entry.asked,
            outcome=entry.outcome,
            http_status=entry.http_status,
            duration_ms=entry.duration_ms,
            attempt=record.lane.attempts or None,
            state=record.state.value,
            job=record.job.id if record.job is not None else None,
            trace_id=entry.trace_id,
            plan=entry.plan,
        )

    def turned_away(self, letter: SendDeadLetter) -> None:
        """A record that belongs to no booking, or to one without a row, was dead-lettered."""
        raw, trouble = letter.raw, letter.trouble
        _log.warning(
            "dead letter",
            reason=trouble.reason.value,
            detail=trouble.detail,
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            trace_id=letter.trace_id,
        )

    def sent_late(self, booking_id: str, ask: Ask | CustomerAsk) -> None:
        """A write ended that the booking's, or its phone's, new owner may have gone past meanwhile."""
        _log.error(
            "sent by a worker that had lost the booking: compare it with ServiceTitan",
            booking=booking_id,
            asked=type(ask).__name__,
        )

    def left(self, record: Record) -> None:
        """A booking that ended long ago left the tables."""
        _log.info("booking leaves", booking=record.booking_id, state=record.state.value)

    def customer(self, request: CustomerRequest, answer: Known | Unhappy) -> None:
        """A customer request was answered."""
        outcome = "known" if isinstance(answer, Known) else type(answer).__name__
        detail = None if isinstance(answer, Known) else answer.detail
        _log.info("customer answered", booking=request.booking_id, outcome=outcome, detail=detail)


def new_entries(before: Record | None, record: Record) -> tuple[Entry, ...]:
    """The lines of the timeline that `before` did not have yet."""
    if before is None or not before.timeline:
        return record.timeline
    last = before.timeline[-1]
    at = next((i for i in range(len(record.timeline) - 1, -1, -1) if record.timeline[i] is last), None)
    if at is None:
        at = next((i for i in range(len(record.timeline) - 1, -1, -1) if record.timeline[i] == last), -1)
    return record.timeline[at + 1 :]
