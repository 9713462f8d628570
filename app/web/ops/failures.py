"""What of one booking failed for good, and what it was: for its page and for its repair. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import orjson

from app.booking.events import DATA_TYPES, open_event
from app.booking.reasons import EXPLANATIONS, Explanation, Reason
from app.booking.record import Head, Record
from app.booking.text import read_json
from app.telemetry.masking import masked_text
from app.view.rows import DeadLetter
from app.web.ops.lines import what

ActKind: TypeAlias = Literal["retry", "repair", "discard"]
DONE: Mapping[str, str] = {"retry": "tried again", "repair": "repaired", "discard": "discarded"}
"""An act in the past tense."""

_SAYS_THE_SAME = frozenset({Reason.AREA_NOT_SUPPORTED, Reason.PHONE_REFUSED, Reason.INVALID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An event that failed for good and may be acted on; `slot` is empty for a held creation.

    What was turned away no lane can try again; of a booking that was never made a creation can be repaired.
    """

    event_id: str
    type: str
    what: str
    slot: str
    reason: Reason
    explained: Explanation
    detail: str
    attempts: int
    http_status: int | None
    at: datetime
    in_lane: bool = True
    never_made: bool = False

    @property
    def repair_first(self) -> bool:
        """Whether trying again without a repair would come to the same."""
        return self.reason in _SAYS_THE_SAME

    @property
    def may_repair(self) -> bool:
        """Whether there is a form for it, and somebody to work it."""
        makes_it = self.never_made and self.type == "booking.created"
        return makes_it or (self.in_lane and self.type in DATA_TYPES)

    @property
    def may_retry(self) -> bool:
        """Whether a lane has it."""
        return self.in_lane

    @property
    def acts(self) -> tuple[ActKind, ...]:
        """What an operator may do about it: page, command and API offer and take the same."""
        may: tuple[tuple[ActKind, bool], ...] = (
            ("retry", self.may_retry),
            ("repair", self.may_repair),
            ("discard", True),
        )
        return tuple(kind for kind, is_so in may if is_so)

    @property
    def only(self) -> str:
        """What may be done, for whoever asked for something else."""
        return f"{self.type} ({self.reason}) can only be {' or '.join(DONE[one] for one in self.acts)}"


def offered(record: Record | None, waiting: Iterable[DeadLetter]) -> tuple[Failure, ...]:
    """What of a booking may be acted on: in its lane first, then what no lane has and nobody dealt with."""
    in_lane = () if record is None else failures(record)
    left = (turned_away(letter, never_made=record is None) for letter in waiting)
    return (*in_lane, *(one for one in left if one is not None))


def failures(record: Record) -> tuple[Failure, ...]:
    """What waits for a person, the held creation first."""
    return tuple(
        Failure(
            event_id=one.event_id,
            type=one.type,
            what=what(one.type),
            slot=one.slot,
            reason=one.trouble.reason,
            explained=EXPLANATIONS[one.trouble.reason],
            detail=masked_text(one.trouble.detail),
            attempts=one.trouble.attempts,
            http_status=one.trouble.http_status,
            at=one.trouble.at,
        )
        for one in record.waiting
    )


def meant(failures: Iterable[Failure], event: str | None) -> tuple[Failure, ...]:
    """Those that an act can be of: in a lane the first, which is what its owner takes."""
    found = tuple(one for one in failures if event in {None, one.event_id})
    return tuple(one for one in found if one.in_lane)[:1] or found


def turned_away(letter: DeadLetter, *, never_made: bool) -> Failure | None:
    """What was turned away of a booking; None for what has no name to act on it by."""
    if letter.event_id is None or letter.type is None or letter.reason not in set(Reason):
        return None
    reason = Reason(letter.reason)
    return Failure(
        event_id=letter.event_id,
        type=letter.type,
        what=what(letter.type),
        slot="",
        reason=reason,
        explained=EXPLANATIONS[reason],
        detail=masked_text(letter.detail),
        attempts=letter.attempts,
        http_status=letter.http_status,
        at=letter.at,
        in_lane=False,
        never_made=never_made,
    )


def data_of_head(head: Head) -> Mapping[str, Any]:
    """What an event says, as it came or as it was repaired."""
    if head.data is not None:
        return _mapping(orjson.loads(head.data))
    return data_of_bytes(head.raw.value, head.raw.headers)


def data_of_bytes(value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> Mapping[str, Any]:
    """The data of an event's bytes; empty when they hold none."""
    opened = "" if value is None else open_event(value, headers)
    return {} if isinstance(opened, str) else _mapping(opened[1])


def data_of_letter(letter: DeadLetter) -> Mapping[str, Any]:
    """The data of a dead letter that could be read, whose headers are not kept.

    What is no event by itself came in binary mode: its value is the data.
    """
    if letter.value is None or not isinstance(open_event(letter.value, ()), str):
        return data_of_bytes(letter.value)
    try:
        return _mapping(read_json(letter.value))
    except orjson.JSONDecodeError:
        return {}


def _mapping(data: object) -> Mapping[str, Any]:
    return data if isinstance(data, dict) else {}
