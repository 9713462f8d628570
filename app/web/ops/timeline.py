"""A booking's timeline for people: what was asked for which event, the answer, and what was decided. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.booking.record import Entry, Head, Record
from app.telemetry.masking import masked_text
from app.view.rows import DeadLetter
from app.web.ops import masks
from app.web.ops.lines import what

# What is asked of ServiceTitan, in words; an operator's act stands in the timeline as it is.
_ASKED: Mapping[str, str] = {
    "Customer": "who the customer is",
    "FindJob": "is the job there?",
    "CreateJob": "make the job",
    "Reschedule": "move the appointment",
    "Cancel": "cancel the job",
    "PutBack": "put the job back",
    "Dispatch": "assign the technicians",
    "Note": "write a note on the job",
    "Complete": "complete the job",
    "-": "nothing",
}
_TONES: Mapping[str, str] = {
    "accepted": "good",
    "already": "good",
    "refused": "bad",
    "turned": "bad",
    "not": "bad",
    "failed": "warn",
    "unsure": "warn",
    "busy": "warn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An event as it is still kept: what it is, where it stood, and its text."""

    what: str
    stood_at: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the timeline. `answer` is what was said beside the outcome, `source` the event if kept."""

    at: datetime
    event: str
    asked: str
    outcome: str
    tone: str
    answer: str
    http_status: int | None
    decision: str
    duration_ms: int | None
    trace_id: str | None
    plan: str | None
    source: Source | None


def lines(record: Record, sources: Mapping[str, Source]) -> tuple[Line, ...]:
    """The timeline, newest first; nothing personal in it unless the sources have it."""
    return tuple(_line(entry, sources.get(entry.event)) for entry in reversed(record.timeline))


def _line(entry: Entry, source: Source | None) -> Line:
    outcome, _, answer = entry.outcome.partition(": ")
    return Line(
        at=entry.at,
        event=entry.event,
        asked=_ASKED.get(entry.asked, masked_text(entry.asked)),
        outcome=outcome,
        tone=tone(outcome),
        answer=masked_text(answer),
        http_status=entry.http_status,
        decision=masked_text(entry.decision),
        duration_ms=entry.duration_ms,
        trace_id=entry.trace_id,
        plan=entry.plan,
        source=source,
    )


_BECAME: Mapping[str, str] = {
    "retry": "It is tried again, with all attempts.",
    "repair": "Repaired: it is tried again with the new data.",
    "discard": "Discarded for good. It will not be worked.",
}


def became(kind: str, told: Entry) -> str:
    """What came of an operator's act, in a sentence."""
    if told.outcome == "accepted" and kind in _BECAME:
        return _BECAME[kind]
    return f"Not done ({kind}): {masked_text(told.decision)}."


def tone(outcome: str) -> str:
    """The tone of an outcome, by its first word: `Refused (area-not-supported)` is a bad one."""
    word = outcome.lower().partition(" ")[0]
    return _TONES.get(word, "quiet")


def sources(
    record: Record, kept: Iterable[Head], letters: Iterable[DeadLetter], *, revealed: bool
) -> dict[str, Source]:
    """What is still kept of the booking's events, by event id: in its lane, put aside, or dead-lettered."""
    found = {
        letter.event_id: Source(
            what=what(letter.type or "bytes"),
            stood_at=stood_at(letter),
            text=masks.event_text(letter.value, revealed=revealed),
        )
        for letter in letters
        if letter.event_id is not None
    }
    heads = [*kept, *([] if record.lane.head is None else [record.lane.head])]
    return found | {
        head.event_id: Source(
            what=what(head.type),
            stood_at=_place(head.raw.topic, head.raw.partition, head.raw.offset),
            text=masks.event_text(head.raw.value, revealed=revealed),
        )
        for head in heads
    }


def stood_at(letter: DeadLetter) -> str:
    """Where a dead letter's event stood, as far as its headers tell."""
    if letter.original_topic is None:
        return "not told"
    return _place(letter.original_topic, letter.original_partition, letter.original_offset)


def _place(topic: str, partition: int | None, offset: int | None) -> str:
    return f"{topic}-{partition} @ {offset}"
