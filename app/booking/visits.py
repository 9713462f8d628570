"""When a visit is: a time slot as the booking form writes it, and the appointment that it asks for."""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.booking.asks import Slot

_UTC = ZoneInfo("UTC")
_TIME, _HALF, _TO = r"(?:0?[1-9]|1[0-2]):[0-5][0-9]", r"[AaPp]\.?[Mm]\.?", r"[-\u2010-\u2015\u2212]"
_SLOT = re.compile(
    rf"(?P<from>{_TIME})\s?(?P<half>{_HALF})?\s?{_TO}\s?(?P<to>{_TIME})\s?(?P<half_to>{_HALF})"
)
_CLOCK = rf"{_TIME} ?[AaPp][Mm]"
SLOT_PATTERN = rf"^\s*{_CLOCK}\s*[-\u2013]\s*{_CLOCK}\s*$"
"""How a time slot is best written, for the published schemas; what people and libraries print is read too."""


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
