"""A form for each kind of booking event, made from its model, and read back. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from app.booking.business import Business
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
_DATE, _TIME, _WAS = "scheduledDate", "scheduledTime", "scheduledDate.was"
_LONG = frozenset({"specialInstructions"})
_HINTS: Mapping[str, str] = {
    "phone": "10 to 15 digits",
    "zip": "12345 or 12345-6789",
    "state": "2 letters",
    "technicianIds": "numbers with blanks between",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form. `kind` is text, long, number, switch, choice, date, time or hidden."""

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
    business: Business,
    zone: ZoneInfo,
) -> tuple[Field, ...]:
    """The fields of this kind of event with these values; what is wrong stands at its field.

    `zone` is where the visit is: a time without a slot is shown and read in it.
    """
    options = {**_OPTIONS, "problemType": tuple(business.problems), "timeSlot": ("", *business.slots)}
    model = DATA_TYPES.get(event_type)
    if model is None:
        return ()
    wrong = {error.field.removeprefix("data.").split(".")[0]: error.message for error in errors}
    found: list[Field] = []
    for field in model.model_fields.values():
        name = field.alias or ""
        if name == "bookingId":
            continue
        if name == _DATE:
            found += _when(data, wrong.get(name, ""), zone)
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


def _when(data: Mapping[str, object], wrong: str, zone: ZoneInfo) -> tuple[Field, ...]:
    """A day and a time instead of an instant; what was written stays as it was while neither is changed."""
    was = _text(data.get(_DATE))
    day, clock = _day_and_time(was, bool(data.get("timeSlot")), zone)
    error = "choose a day, and a time slot or a time" if wrong else ""
    said = "" if day or not was else f"it said {was}"
    hint = f"only without a time slot; {zone.key.replace('_', ' ')} time"
    return (
        Field(name=_DATE, label="Day", kind="date", value=day, required=True, hint=said, error=error),
        Field(name=_TIME, label="Time", kind="time", value=clock, required=False, hint=hint),
        Field(name=_WAS, label="", kind="hidden", value=was, required=False),
    )


def _day_and_time(written: str, by_slot: bool, zone: ZoneInfo) -> tuple[str, str]:
    """With a slot the day as it is written, and no time; else both where the visit is."""
    try:
        when = datetime.fromisoformat(written)
        if by_slot or when.tzinfo is None:
            return when.date().isoformat(), ""
        here = when.astimezone(zone)
    except (ValueError, OverflowError):
        return "", ""
    return here.date().isoformat(), here.strftime("%H:%M")


def _instant(sent: Mapping[str, Sequence[str]], zone: ZoneInfo) -> str:
    day, clock, slot, was = (sent.get(name, [""])[0].strip() for name in (_DATE, _TIME, "timeSlot", _WAS))
    if was and (day, "" if slot else clock) == _day_and_time(was, bool(slot), zone):
        return was
    if slot:
        return f"{day}T00:00:00Z" if day else ""
    try:
        return datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), zone).isoformat()
    except ValueError:
        return day


def _kind(name: str) -> str:
    if name in {*_OPTIONS, "problemType", "timeSlot"}:
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


def read(event_type: str, sent: Mapping[str, Sequence[str]], zone: ZoneInfo) -> dict[str, Any]:
    """The data that a form holds, typed as its event's; what cannot be stays text, for validation to say."""
    model = DATA_TYPES[event_type]
    found: dict[str, Any] = {}
    for field in model.model_fields.values():
        name = field.alias or ""
        text = _instant(sent, zone) if name == _DATE else sent.get(name, [""])[0].strip()
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
