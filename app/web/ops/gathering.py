"""What a page shows, gathered from the view and from this worker."""

from typing import Any

from app.booking.reasons import Reason
from app.booking.record import Record
from app.view import finding, glance, plans, turned_away
from app.view.rows import AttentionLine, BookingSeen
from app.web.ops.charts import charts
from app.web.ops.lines import GROUP_LINES, BookingLine, Group, booking_line, group, reasons
from app.web.services import Services

LATEST = 10


def figures(serving: Services) -> dict[str, Any]:
    """What the charts and the strip show of this worker."""
    now = serving.clock()
    pace = serving.pace()
    return {"pace": pace, "upstream": serving.upstream(), "charts": charts(serving.figures, pace, now)}


async def overview(serving: Services) -> dict[str, Any]:
    """What the overview shows, without its bookings."""
    view = serving.view
    return {
        **figures(serving),
        "glance": await view.ask(glance.glance),
        "groups": await groups(serving),
        "turned_away": await view.ask(turned_away.groups),
    }


async def waiting(serving: Services, reason: Reason) -> tuple[int, int]:
    """How many bookings wait for a person because of it, and how many events that were turned away."""
    found = next((one for one in await serving.view.attention_groups() if one.reason is reason), None)
    turned = await serving.view.ask(turned_away.group, reason)
    return 0 if found is None else found.bookings, 0 if turned is None else turned.records


async def groups(serving: Services) -> list[Group]:
    """What needs a person, by reason, the earliest visit first."""
    found = []
    for seen in await serving.view.attention_groups():
        lines = await serving.view.attention_lines(seen.reason, limit=GROUP_LINES)
        notes = await serving.view.actions(limit=1, subject=seen.reason.value)
        found.append(group(seen, lines, await records_of(serving, lines), notes[0] if notes else None))
    return found


async def records_of(serving: Services, lines: list[AttentionLine]) -> dict[str, Record]:
    """The records of the bookings in these lines."""
    return await serving.view.ask(glance.records, [line.booking_id for line in lines])


def reasons_of(record: Record) -> set[Reason]:
    """The reasons for which the booking waits for a person."""
    return {Reason(word) for word in reasons(record)}


async def latest(serving: Services) -> dict[str, Any]:
    """The bookings that changed last."""
    found = await serving.view.ask(finding.find, finding.Wanted(), limit=LATEST)
    return {"bookings": booking_lines(serving, found.bookings), "nothing": "No booking has come yet."}


def booking_lines(serving: Services, seen: tuple[BookingSeen, ...]) -> list[BookingLine]:
    """These bookings as lines of a table."""
    settings = serving.settings
    attempts = 1 + len(settings.retry_delays)
    return [booking_line(one, settings.business, attempts) for one in seen]


async def running(serving: Services) -> list[plans.PlanSeen]:
    """Plans whose signals are being sent."""
    found = await serving.view.ask(plans.plans, limit=20)
    return [plan for plan in found if plan.step in plans.RUNNING]
