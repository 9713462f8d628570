"""Plans before they are applied: what they would do, and the notes that tell of them."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from app.booking.reasons import Reason
from app.stream.codec import CLOUD_EVENT_HEADERS, encode_note
from app.view import plans
from app.view.plans import MOST_SELECTED, Definition, Kind, Step
from app.web.envelope import Problem
from app.web.ops.judging import Judged, judge
from app.web.services import Services

ASK_TO_TYPE = 50
"""Plans of more events than this want their number typed."""
PLAN_ID = re.compile(r"p-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan and what it would do to each event, as of now."""

    definition: Definition
    judged: tuple[Judged, ...]

    @property
    def acting(self) -> tuple[Judged, ...]:
        """Those it sends something for."""
        return tuple(one for one in self.judged if one.fate.acts)


def new_definition(
    *, kind: Kind, reason: Reason, bookings: tuple[str, ...] | None, by: str, now: datetime
) -> Definition:
    """A plan that has just been thought of. Raises Problem 400 for too many bookings."""
    if bookings is not None and len(bookings) > MOST_SELECTED:
        raise Problem(
            400, f"At most {MOST_SELECTED} bookings can be chosen one by one. Take the whole group."
        )
    return Definition(
        plan=f"p-{uuid4().hex[:12]}",
        kind=kind,
        reason=reason,
        bookings=bookings,
        until=now,
        by=by,
        why="",
    )


async def plan(serving: Services, definition: Definition) -> Planned:
    """What the plan would do. It is cut off at the latest failure it knows, so that nothing newer gets in."""
    targets = await serving.view.ask(plans.targets, definition)
    now = serving.clock()
    judged = tuple(judge(definition.kind, target, now) for target in targets)
    until = max((target.line.at for target in targets), default=definition.until)
    total = sum(one.fate.acts for one in judged)
    return Planned(definition=replace(definition, until=until, total=total), judged=judged)


async def tell(serving: Services, definition: Definition, step: Step, *, by: str, text: str) -> None:
    """Tell every worker's view of the plan's step; returns when Kafka has it."""
    value = encode_note(
        definition.reason,
        text=text,
        by=by,
        event_id=str(uuid4()),
        now=serving.clock(),
        more={"plan": definition.plan, "data": plans.note_data(definition, step)},
    )
    # Waits as long as Kafka is away: a plan at work does not break off for that.
    await serving.publish(
        serving.topics.signals, definition.reason.value.encode(), value, CLOUD_EVENT_HEADERS
    )
