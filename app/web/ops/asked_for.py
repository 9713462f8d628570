"""The search box: words and qualifiers such as `state:held reason:area zip:850 slot:<4h`. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.booking.reasons import Reason
from app.booking.record import State
from app.view.finding import Wanted

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SPAN = re.compile(r"([<>])([0-9]{1,4})([mhd])")
_ZIP = re.compile(r"[0-9]{1,5}(-[0-9]{0,4})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """What a text asks for, and what of it could not be understood."""

    wanted: Wanted
    wrong: tuple[str, ...] = ()


def read(text: str, now: datetime) -> AskedFor:
    """What a text of the search box asks for."""
    wanted, wrong, words = Wanted(), [], []
    for part in text.split():
        name, colon, value = part.partition(":")
        reader = _QUALIFIERS.get(name.lower()) if colon else None
        if reader is None:
            words.append(part)
            continue
        found = reader(wanted, value.lower(), now)
        if isinstance(found, str):
            wrong.append(f"{part}: {found}")
        else:
            wanted = found
    return AskedFor(wanted=replace(wanted, text=" ".join(words)), wrong=tuple(wrong))


def _state(wanted: Wanted, value: str, now: datetime) -> Wanted | str:  # noqa: ARG001 - one signature for all
    if value not in set(State):
        return f"a state is one of {', '.join(State)}"
    return replace(wanted, state=State(value))


def _reason(wanted: Wanted, value: str, now: datetime) -> Wanted | str:  # noqa: ARG001 - one signature for all
    found = [reason for reason in Reason if reason.value.startswith(value)] if value else []
    exact = [reason for reason in found if reason.value == value]
    if len(exact or found) != 1:
        return f"a reason is one of {', '.join(found or Reason)}"
    return replace(wanted, reason=(exact or found)[0])


def _zip(wanted: Wanted, value: str, now: datetime) -> Wanted | str:  # noqa: ARG001 - one signature for all
    if not _ZIP.fullmatch(value):
        return "a ZIP has digits, such as 850 or 85016"
    return replace(wanted, zip=value)


def _slot(wanted: Wanted, value: str, now: datetime) -> Wanted | str:
    found = _SPAN.fullmatch(value)
    if found is None:
        return "the time left is given as <4h, >2d or <30m"
    when = now + int(found[2]) * _UNITS[found[3]]
    return replace(wanted, before=when) if found[1] == "<" else replace(wanted, after=when)


_QUALIFIERS: Mapping[str, Callable[[Wanted, str, datetime], Wanted | str]] = {
    "state": _state,
    "reason": _reason,
    "zip": _zip,
    "slot": _slot,
}
