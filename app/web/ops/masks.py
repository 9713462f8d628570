"""What of a booking is shown while nothing personal may be seen, and what once it was revealed. Pure."""

from typing import Any

import orjson

from app.booking.personal import mask_name, personal_key
from app.booking.record import Record
from app.booking.report import written
from app.telemetry.masking import masked, masked_text

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
    "doorCount": "Doors",
    "doorAge": "Age of door (years)",
    "isRenter": "Renter",
    "specialInstructions": "Instructions",
    "status": "Status",
    "technicianIds": "Technicians",
    "reason": "Reason",
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
        text = value.decode(errors="replace")
        return text if revealed else masked_text(text)
    try:
        return orjson.dumps(document if revealed else masked(document), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        # What could be read may be nested deeper than what can be written; masked, it was cut before.
        return value.decode(errors="replace")
