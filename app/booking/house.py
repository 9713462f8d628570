"""The business's own tables: what a door problem asks for, which unit serves a ZIP, when a visit is.

Another garage-door business changes this file and nothing else.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.booking.asks import Slot


@dataclass(frozen=True, slots=True)
class Problem:
    """What a problem asks of ServiceTitan: the job's priority, length and first line."""

    priority: str
    minutes: int
    description: str


PROBLEMS: dict[str, Problem] = {
    "broken_spring": Problem("high", 120, "Garage door spring repair/replacement"),
    "door_wont_open": Problem("normal", 90, "Garage door opener troubleshooting and repair"),
    "door_wont_close": Problem("high", 90, "Garage door closing mechanism repair"),
    "door_stuck_closed": Problem("high", 60, "Emergency: garage door stuck closed"),
    "noisy_door": Problem("normal", 60, "Garage door noise reduction and maintenance"),
    "remote_not_working": Problem("normal", 30, "Garage door remote control troubleshooting"),
    "new_door_installation": Problem("normal", 240, "New garage door installation consultation"),
    "other": Problem("normal", 90, "Garage door service, customer reported issue"),
}

# Narrowest first: the first range that holds the ZIP wins.
UNIT_RANGES: tuple[tuple[int, int, str], ...] = (
    (85251, 85259, "Scottsdale_North"),
    (85201, 85299, "Mesa_East"),
    (85001, 85099, "Phoenix_Central"),
)
OTHER_UNIT = "Phoenix_Metro"

_UTC = ZoneInfo("UTC")
_TIME, _HALF, _TO = r"(?:0?[1-9]|1[0-2]):[0-5][0-9]", r"[AaPp]\.?[Mm]\.?", r"[-\u2010-\u2015\u2212]"
_SLOT = re.compile(
    rf"(?P<from>{_TIME})\s?(?P<half>{_HALF})?\s?{_TO}\s?(?P<to>{_TIME})\s?(?P<half_to>{_HALF})"
)
_CLOCK = rf"{_TIME} ?[AaPp][Mm]"
SLOT_PATTERN = rf"^\s*{_CLOCK}\s*[-\u2013]\s*{_CLOCK}\s*$"
"""How a time slot is best written, for the published schemas; what people and libraries print is read too."""


def business_unit(zip_code: str) -> str:
    """The unit that serves a ZIP (`12345` or `12345-6789`)."""
    number = int(zip_code[:5])
    return next((unit for low, high, unit in UNIT_RANGES if low <= number <= high), OTHER_UNIT)


def summary(problem_type: str, door_count: int, instructions: str | None) -> str:
    """The job's text: the problem, the number of doors when more than one, and the instructions below."""
    doors = f" ({door_count} doors)" if door_count > 1 else ""
    below = f"\n{instructions}" if instructions else ""
    return f"{PROBLEMS[problem_type].description}{doors}{below}"


def window(time_slot: str) -> tuple[time, time] | None:
    """The slot's two ends (`9:00 AM - 11:00 AM`), or None when it is none or does not go forward.

    One AM or PM (`9:00 - 11:00 AM`) stands for both, unless only the other half of the day goes forward.
    """
    found = _SLOT.fullmatch(time_slot)
    if found is None:
        return None
    end = _clock(found["to"], found["half_to"])
    halves = (found["half"],) if found["half"] else (found["half_to"], "AM")
    begins = (_clock(found["from"], half) for half in halves)
    return next(((begin, end) for begin in begins if begin < end), None)


def _clock(text: str, half: str) -> time:
    hour, minute = text.split(":")
    noon = 12 if half[0] in "Pp" else 0
    return time(int(hour) % 12 + noon, int(minute))


@lru_cache(maxsize=1_024)  # each event asks twice: for the call, and for its row
def appointment(scheduled_date: str, time_slot: str | None, minutes: int, zone: ZoneInfo) -> Slot:
    """When the visit is, in UTC (contract section 2).

    With a slot it begins at the slot's start on the date as written, in the business's zone: booking forms
    write the local date with a `Z`. Without one it begins at the instant itself.
    """
    ends = window(time_slot) if time_slot else None
    if ends is None:
        start = datetime.fromisoformat(scheduled_date).astimezone(_UTC)
        return Slot(start=start, end=start + timedelta(minutes=minutes))
    day = date.fromisoformat(scheduled_date[:10])
    first, last = (datetime.combine(day, end, zone).astimezone(_UTC) for end in ends)
    return Slot(start=first, end=first + timedelta(minutes=minutes), window_start=first, window_end=last)
