"""Words for people: times as distances, states as word, shape and tone. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.booking.record import Phase, Record
from app.booking.status import Status
from app.view.columns import shown

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(seconds: float) -> str:
    """A length of time in its two largest units at most: `8 s`, `3 min`, `4 h 20 min`, `2 d 3 h`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        minutes = whole % _HOUR // _MINUTE
        return f"{whole // _HOUR} h" + (f" {minutes} min" if minutes and whole < 6 * _HOUR else "")
    hours = whole % _DAY // _HOUR
    return f"{whole // _DAY} d" + (f" {hours} h" if hours and whole < 7 * _DAY else "")


@dataclass(frozen=True, slots=True)
class Times:
    """Times as seen from now, and in the business's zone."""

    now: datetime
    zone: ZoneInfo

    def near(self, when: datetime) -> str:
        """`3 min ago`, `in 4 s`, `now`."""
        seconds = (when - self.now).total_seconds()
        if abs(seconds) < 1:
            return "now"
        return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"

    def left(self, visit: datetime) -> str:
        """How long until a visit: `in 3 h`, or that its time has passed."""
        seconds = (visit - self.now).total_seconds()
        return f"in {span(seconds)}" if seconds > 0 else f"passed {span(-seconds)} ago"

    def urgency(self, visit: datetime) -> str:
        """`past`, `soon` (4 h), `today` (24 h) or `later`."""
        ahead = visit - self.now
        if ahead <= timedelta(0):
            return "past"
        return "soon" if ahead < timedelta(hours=4) else "today" if ahead < timedelta(days=1) else "later"

    def clock(self, when: datetime) -> str:
        """`14:03 MST`, with its day when that is not today: in the business's zone."""
        local = when.astimezone(self.zone)
        day = "" if local.date() == self.now.astimezone(self.zone).date() else "%-d %b "
        return local.strftime(f"{day}%H:%M %Z")

    def utc(self, when: datetime) -> str:
        """`2026-11-24 14:00:05 UTC`."""
        return when.strftime("%Y-%m-%d %H:%M:%S UTC")

    def here(self, when: datetime) -> str:
        """`Tue 24 Nov, 09:00 MST`: in the business's zone."""
        local = when.astimezone(self.zone)
        year = "" if local.year == self.now.astimezone(self.zone).year else f" {local.year}"
        return local.strftime(f"%a %-d %b{year}, %H:%M %Z")


_LOOKS = {
    "held": ("stop", "bad"),
    "closed": ("dash", "quiet"),
    "cancelled": ("cross", "quiet"),
    "completed": ("check", "good"),
    "waiting": ("clock", "warn"),
    "checking": ("lens", "warn"),
    "customer": ("ring", "busy"),
    "in flight": ("half", "busy"),
    "pending": ("ring", "busy"),
}


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as it is shown: its word, the shape before it, and the tone of both."""

    word: str
    shape: str
    tone: str


def waits_for_servicetitan(record: Record, now: datetime) -> bool:
    """Whether nothing but a call is missing: while ServiceTitan is not called, that is what it waits for."""
    lane = record.lane
    return lane.phase in {Phase.WORKING, Phase.WAITING} and (lane.due is None or lane.due <= now)


def badge(record: Record, *, away_at: datetime | None = None) -> Badge:
    """Where a booking stands; `away_at` is now while ServiceTitan is not called."""
    if away_at is not None and waits_for_servicetitan(record, away_at):
        return Badge("waits for ServiceTitan", "clock", "warn")
    word = shown(record)
    shape, tone = _LOOKS.get(word, ("dot", "good"))
    return Badge(word, shape, tone)


def wish(record: Record) -> str:
    """What the booking system wants of this booking now."""
    if record.job is None:
        return "cancel" if record.wants is Status.CANCELLED else "create"
    return record.wants.value.replace("_", " ")
