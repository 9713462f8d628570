"""What of a booking is shown while nothing personal may be seen, and what once it was revealed. Pure."""

import re
from typing import Any

import orjson

from app.booking.personal import HIDDEN, harmless, mask_name, personal_key
from app.booking.record import Record
from app.booking.report import written

_DEEPEST = 8
_MOST_ITEMS = 20
_NAMES_OF_EVENTS = frozenset({"id", "source", "subject", "bookingId"})
# Ids, paths and addresses of systems; no blank, no `@`, and no run of digits as long as a phone number.
_A_NAME = re.compile(r"(?!.{0,199}[0-9]{7})[A-Za-z0-9._:/#-]{1,200}")
_A_KEY = re.compile(r"[A-Za-z][A-Za-z_-]{0,40}")

_WORDS = {
    "firstName": "First name",
    "lastName": "Last name",
    "phone": "Phone",
    "email": "E-mail",
    "address": "Street",
    "city": "City",
    "state": "State",
    "zip": "ZIP",
    "problemType": "Problem",
    "scheduledDate": "Date asked for",
    "timeSlot": "Time slot",
    "scheduledTime": "Time",
    "doorCount": "Doors",
    "doorAge": "Age of door (years)",
    "isRenter": "Renter",
    "specialInstructions": "Instructions",
    "status": "Status",
    "technicianIds": "Technicians",
    "reason": "Reason",
    "why": "Why",
    "text": "Note",
    "typed": "Number typed",
    "q": "Search",
}


def label(field: str) -> str:
    """A field of a booking's data in words."""
    return _WORDS.get(field, field)


def customer(record: Record) -> str:
    """Whose booking it is, as far as everybody may see."""
    said = written(record)
    return mask_name(" ".join(str(said.get(name) or "") for name in ("firstName", "lastName")))


def facts(record: Record, *, revealed: bool) -> list[tuple[str, str]]:
    """The booking's data as pairs of word and value; personal ones masked unless they were revealed."""
    said = written(record).items()
    return [(label(name), shown(name, value, revealed=revealed)) for name, value in said if value is not None]


def shown(name: str, value: object, *, revealed: bool) -> str:
    """One value as text."""
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    kind = personal_key(name)
    return text if revealed or kind is None else kind.mask(text)


def event_text(value: bytes | None, *, revealed: bool) -> str:
    """An event's bytes as JSON with indents; as text when they are none."""
    if value is None:
        return "(no value)"
    try:
        document: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.decode(errors="replace") if revealed else f"({len(value)} bytes that are no JSON)"
    try:
        shown_as = document if revealed else _without_strangers(document, _DEEPEST)
        return orjson.dumps(shown_as, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        # What could be read may be nested deeper than what can be written; masked, it was cut before.
        return value.decode(errors="replace")


def _without_strangers(value: object, depth: int, key: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """What is known to be harmless, what is known to be personal as far as it helps, and nothing else."""
    if depth == 0:
        return "..."
    match value:
        case dict():
            return {_key(name): _without_strangers(item, depth - 1, name) for name, item in value.items()}
        case list():
            return [_without_strangers(item, depth - 1, key) for item in value[:_MOST_ITEMS]]
        case None | bool():
            return value
        case str() | int() | float():
            kind = personal_key(key)
            if kind is not None:
                return kind.mask(str(value))
            known = harmless(key, value) or (key in _NAMES_OF_EVENTS and _A_NAME.fullmatch(str(value)))
            return value if known else HIDDEN
        case _:
            return HIDDEN


def _key(name: str) -> str:
    return name if _A_KEY.fullmatch(name) else HIDDEN
