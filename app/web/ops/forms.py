"""A form for each kind of booking event, made from its model, and read back. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.booking.events import DATA_TYPES, FieldError
from app.booking.status import Status
from app.web.ops.masks import label
from app.web.requests import whole

_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "status": tuple(Status),
}
_INTEGERS = frozenset({"doorCount"})
_NUMBERS = frozenset({"doorAge"})
_SWITCHES = frozenset({"isRenter"})
_LISTS = frozenset({"technicianIds"})
_LONG = frozenset({"specialInstructions"})
_HINTS: Mapping[str, str] = {
    "scheduledDate": "with Z or an offset, such as 2026-03-02T09:00:00Z",
    "timeSlot": "such as 9:00 AM - 11:00 AM; empty for none",
    "phone": "10 to 15 digits",
    "zip": "12345 or 12345-6789",
    "state": "2 letters",
    "technicianIds": "numbers with blanks between",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form. `kind` is text, long, number, switch or choice."""

    name: str
    label: str
    kind: str
    value: str
    required: bool
    options: tuple[str, ...] = ()
    hint: str = ""
    error: str = ""


def fields(
    event_type: str,
    data: Mapping[str, object],
    errors: Sequence[FieldError] = (),
    *,
    problem_types: Sequence[str],
) -> tuple[Field, ...]:
    """The fields of this kind of event with these values; what is wrong stands at its field."""
    options = {**_OPTIONS, "problemType": tuple(problem_types)}
    model = DATA_TYPES.get(event_type)
    if model is None:
        return ()
    wrong = {error.field.removeprefix("data.").split(".")[0]: error.message for error in errors}
    found = []
    for field in model.model_fields.values():
        name = field.alias or ""
        if name == "bookingId":
            continue
        found.append(
            Field(
                name=name,
                label=label(name),
                kind=_kind(name),
                value=_text(data.get(name)),
                required=field.is_required(),
                options=options.get(name, ()),
                hint=_HINTS.get(name, ""),
                error=_plain(wrong.get(name, ""), _HINTS.get(name, "")),
            )
        )
    return tuple(found)


def _plain(message: str, hint: str) -> str:
    """What is wrong, for people: nobody reads patterns."""
    return f"must be {hint}" if hint and "pattern" in message else message


def _kind(name: str) -> str:
    if name in {*_OPTIONS, "problemType"}:
        return "choice"
    if name in _SWITCHES:
        return "switch"
    if name in _LONG:
        return "long"
    return "number" if name in _INTEGERS | _NUMBERS else "text"


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case list() | tuple():
            return " ".join(str(one) for one in value)
        case _:
            return str(value)


def read(event_type: str, sent: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The data that a form holds, typed as its event's; what cannot be stays text, for validation to say."""
    model = DATA_TYPES[event_type]
    found: dict[str, Any] = {}
    for field in model.model_fields.values():
        name = field.alias or ""
        text = sent.get(name, [""])[0].strip()
        if name in _SWITCHES:
            found[name] = bool(text)
        elif text and name != "bookingId":
            found[name] = _typed(name, text)
    return found


def _typed(name: str, text: str) -> object:
    if name in _INTEGERS:
        return _number(text)
    if name in _LISTS:
        parts = text.replace(",", " ").split()
        return [_number(part) for part in parts]
    if name in _NUMBERS:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _number(text: str) -> int | str:
    number = whole(text)
    return text if number is None else number
