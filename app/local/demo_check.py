"""Whether each booking ended as its script says: by our topics, and by what ServiceTitan itself did. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from app.local.demo_script import Ending, Script
from app.local.demo_tally import Tally

_TOLD = frozenset(
    {
        "job.created",
        "job.canceled",
        "job.uncanceled",
        "job.completed",
        "job.noted",
        "appointment.rescheduled",
        "technicians.assigned",
    }
)
"""The effects that scripts speak of; each job comes with others."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What the simulator did: effects per booking in order, job ids per booking, and its customers."""

    effects: Mapping[str, Sequence[str]] = field(default_factory=dict)
    jobs: Mapping[str, Sequence[int]] = field(default_factory=dict)
    customers: int = 0


def upstream_of(
    effects: Iterable[Mapping[str, Any]], jobs: Mapping[str, Iterable[Mapping[str, Any]]], customers: int
) -> Upstream:
    """The same from the simulator's `/simulator/effects`, `/simulator/jobs` and `/simulator/stats`."""
    by_booking: defaultdict[str, list[str]] = defaultdict(list)
    for effect in effects:
        if effect["booking"] is not None and effect["kind"] in _TOLD:
            by_booking[effect["booking"]].append(effect["kind"])
    ids = {booking: [row["id"] for row in rows] for booking, rows in jobs.items()}
    return Upstream(by_booking, ids, customers)


def ended(script: Script, tally: Tally) -> bool:
    """Whether the topics say that the booking has come to an end of its script."""
    return any(not any(_told_otherwise(script.booking_id, end, tally)) for end in script.endings)


def problems(script: Script, tally: Tally, upstream: Upstream) -> tuple[str, ...]:
    """What is not as the script says, each as a clause; none when all is."""
    found = [
        (*_told_otherwise(script.booking_id, end, tally), *_done_otherwise(script, end, tally, upstream))
        for end in script.endings
    ]
    return min(found, key=len)


def customers_made_twice(scripts: Iterable[Script], upstream: Upstream) -> int:
    """How many more customers there are than people who booked."""
    people = {script.customer for script in scripts if script.customer is not None}
    return max(0, upstream.customers - len(people))


def _told_otherwise(booking_id: str, end: Ending, tally: Tally) -> Iterable[str]:
    """Where the topics disagree with this ending."""
    view = tally.views.get(booking_id)
    state = view and view["state"]
    if state != end.state:
        yield f"it is {state}, not {end.state}"
    job = (view and view["job"]) or {}
    if job.get("status") != end.status:
        yield f"its job is {job.get('status')}, not {end.status}"
    if end.scheduled_date and job.get("scheduledDate") != end.scheduled_date:
        yield f"the visit is on {job.get('scheduledDate')}, not {end.scheduled_date}"
    dead, expected = tally.dead.get(booking_id, Counter()), Counter(end.dead)
    if dead != expected:
        yield f"dead letters: {_listed(dead.elements())}, not {_listed(expected.elements())}"


def _done_otherwise(script: Script, end: Ending, tally: Tally, upstream: Upstream) -> Iterable[str]:
    """Where ServiceTitan's own log disagrees with this ending."""
    jobs = upstream.jobs.get(script.booking_id, ())
    if len(jobs) != bool(end.effects):
        yield f"{len(jobs)} jobs in ServiceTitan"
    # A change whose answer was lost is sent again, so that it may be there twice in a row.
    effects = tuple(kind for kind, _ in groupby(upstream.effects.get(script.booking_id, ())))
    if effects != end.effects:
        yield f"done in ServiceTitan: {_listed(effects)}, not {_listed(end.effects)}"
    view = tally.views.get(script.booking_id)
    told = view and view["job"] and view["job"]["id"]
    if jobs and told not in jobs:
        yield f"job {told} is announced, {jobs[0]} is there"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
