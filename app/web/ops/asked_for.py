"""The search box: words and qualifiers such as `state:held reason:area zip:850 slot:<4h`. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.booking.reasons import Reason
from app.booking.record import State
from app.view.columns import SHOWN
from app.view.finding import Wanted

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SPAN = re.compile(r"([<>])([0-9]{1,4})([mhd])")
_ZIP = re.compile(r"[0-9]{1,5}(-[0-9]{0,4})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """What a text asks for, and what of it could not be understood."""

    wanted: Wanted
    wrong: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """What looks like a qualifier and is none: it is searched for as it stands."""


def read(text: str, now: datetime) -> AskedFor:
    """What a text of the search box asks for."""
    wanted, wrong, words = Wanted(), [], []
    unknown = []
    for part in text.split():
        name, colon, value = part.partition(":")
        reader = _QUALIFIERS.get(name.lower()) if colon else None
        if reader is None:
            words.append(part)
            if colon and name.isalpha():
                there_are = ", ".join(f"{one}:" for one in _QUALIFIERS)
                unknown.append(f"There is no {name}: to search by; there are {there_are}.")
            continue
        found = reader(wanted, value.lower(), now)
        if isinstance(found, str):
            wrong.append(f"{part}: {found}")
        else:
            wanted = found
    text = " ".join(words)
    return AskedFor(wanted=replace(wanted, text=text), wrong=tuple(wrong), unknown=tuple(unknown))


def _state(wanted: Wanted, value: str, now: datetime) -> Wanted | str:  # noqa: ARG001 - one signature for all
    if value in set(State):
        return replace(wanted, state=State(value))
    word = re.sub("[-_]", " ", value)
    if word in SHOWN:
        return replace(wanted, shown=word)
    words = sorted(one.replace("_", "-").replace(" ", "-") for one in {*State, *SHOWN})
    return f"a state is one of {', '.join(words)}"


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
