"""Which event it is, and which of them a booking has seen."""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from app.booking.reasons import Reason

DIGEST_LENGTH = 12
KEPT = 1000

Seen = NewType("Seen", str)
"""Up to 1,000 entries, oldest first, of 13 characters each: a digest and a letter for what became of it.

One flat string, since a row is written once per event: a list of objects costs ten times as much.
"""

NOTHING_SEEN = Seen("")
_ENTRY = DIGEST_LENGTH + 1
_ON_ITS_WAY = "~"
_WORKED = "."
# Letters are stored: a reason keeps its letter for ever, and new ones are added at the end.
_LETTERS: dict[Reason, str] = {
    Reason.UNREADABLE: "a",
    Reason.UNKNOWN_TYPE: "b",
    Reason.WRONG_KEY: "c",
    Reason.WRONG_PARTITION: "d",
    Reason.TOO_LARGE: "e",
    Reason.INVALID: "f",
    Reason.BOOKING_EXISTS: "g",
    Reason.UNKNOWN_BOOKING: "h",
    Reason.ILLEGAL_TRANSITION: "i",
    Reason.LANE_FULL: "j",
    Reason.CUSTOMER_CONFLICT: "k",
    Reason.AREA_NOT_SUPPORTED: "l",
    Reason.PHONE_REFUSED: "m",
    Reason.NO_TECHNICIAN: "n",
    Reason.REFUSED: "o",
    Reason.NOT_PERMITTED: "p",
    Reason.RETRIES_USED_UP: "q",
    Reason.DISCARDED: "r",
    Reason.DO_NOT_SERVICE: "s",
}
_REASONS = {letter: reason for reason, letter in _LETTERS.items()}


class Progress(StrEnum):
    """How far an event that was seen has come, when no reason stopped it."""

    ON_ITS_WAY = "on-its-way"
    WORKED = "worked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A CloudEvent's identity: the same (`source`, `id`) again is ignored whatever its bytes."""

    source: str
    id: str

    def digest(self) -> str:
        """Twelve characters that stand for it in a row: URL-safe base64 of 72 bits of SHA-256."""
        text = f"{len(self.source)}:{self.source}{self.id}"
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:9]).decode()


def mark(seen: Seen, digest: str, became: Progress | Reason) -> Seen:
    """The same with this event's entry set; a new one goes to the end, and the oldest leave past 1,000."""
    letter = _letter(became)
    at = _position(seen, digest)
    if at is not None:
        return Seen(seen[: at + DIGEST_LENGTH] + letter + seen[at + _ENTRY :])
    return Seen((seen + digest + letter)[-KEPT * _ENTRY :])


def mark_before(seen: Seen, digest: str, became: Progress | Reason) -> Seen:
    """The same with every event set that was on its way when this one came."""
    letter, at = _letter(became), _position(seen, digest) or 0
    before = _entries(Seen(seen[:at]))
    return Seen("".join(d + (letter if was == _ON_ITS_WAY else was) for d, was in before) + seen[at:])


def forget(seen: Seen, digest: str) -> Seen:
    """The same without this event's entry: when it is marked again, it comes last."""
    at = _position(seen, digest)
    return seen if at is None else Seen(seen[:at] + seen[at + _ENTRY :])


def look_up(seen: Seen, digest: str) -> Progress | Reason | None:
    """What became of an event, or None when it was never seen (or long ago)."""
    at = _position(seen, digest)
    return None if at is None else _meaning(seen[at + DIGEST_LENGTH])


def has_forgotten(seen: Seen) -> bool:
    """Whether an event may have been seen longer ago than is remembered."""
    return len(seen) >= KEPT * _ENTRY


def all_seen(seen: Seen) -> list[tuple[str, Progress | Reason]]:
    """Every digest with what became of it, oldest first."""
    return [(digest, _meaning(letter)) for digest, letter in _entries(seen)]


def _entries(seen: Seen) -> list[tuple[str, str]]:
    return [(seen[at : at + DIGEST_LENGTH], seen[at + DIGEST_LENGTH]) for at in range(0, len(seen), _ENTRY)]


def _position(seen: Seen, digest: str) -> int | None:
    at = seen.find(digest)
    while at >= 0 and at % _ENTRY:
        at = seen.find(digest, at + 1)
    return at if at >= 0 else None


def _letter(became: Progress | Reason) -> str:
    match became:
        case Progress.ON_ITS_WAY:
            return _ON_ITS_WAY
        case Progress.WORKED:
            return _WORKED
        case Reason():
            return _LETTERS[became]


def _meaning(letter: str) -> Progress | Reason:
    match letter:
        case "~":
            return Progress.ON_ITS_WAY
        case ".":
            return Progress.WORKED
        case _:
            return _REASONS[letter]
