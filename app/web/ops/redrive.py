"""Applying plans: signals at what live work leaves of the pace, until all are sent, or it is stopped.

The worker that took a plan sends its signals. Its progress is what the view tells, so that every worker shows
the same; when this worker dies the plan stands, and any worker can go on with it: signals have the same ids.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from app.booking.inputs import Action
from app.telemetry.log import get_logger
from app.view import plans
from app.view.plans import Definition, PlanProgress, Step
from app.view.view import ViewAway
from app.web import events
from app.web.ops.figures import PaceFacts
from app.web.ops.judging import Judged, judge
from app.web.ops.planning import plan, tell
from app.web.services import Services

_log = get_logger(__name__)

TICK_SECONDS = 1.0
TELL_SECONDS = 5.0
SILENT_SECONDS = 20.0
"""A running plan that told nothing for so long has lost its worker."""
MOST_AT_ONCE = 50
"""Of a plan's events how many may be on their way: what has been sent cannot be stopped any more."""
_CALLS_EACH = 3
"""ServiceTitan calls that one event may cost: customer, location, job."""
_SLOWEST = 0.2
_UNKNOWN_PACE = 1.0
_ENOUGH_TO_JUDGE = 5
_PATIENCE_SECONDS = 60.0
_SERVICE = "servicetitan-stream"


def per_second(pace: PaceFacts | None, breaker: str, members: int) -> float:
    """How many events a second a plan may send: what all workers leave of the pace, by this one's share."""
    if breaker != "closed":
        return 0.0
    if pace is None:
        return _UNKNOWN_PACE
    if pace.stopped_for > 0:
        return 0.0
    free = max(0.0, pace.rate - pace.used) * max(1, members)
    return max(_SLOWEST, free / _CALLS_EACH)


def recurs(progress: PlanProgress) -> bool:
    """Whether so much of it fails again that going on would help nobody."""
    return progress.failing >= _ENOUGH_TO_JUDGE and progress.failing * 2 > progress.finished


def is_silent(seen: plans.PlanSeen, age: float) -> bool:
    """Whether the plan should be running and its worker has gone; `age` of its last word in seconds."""
    return seen.step in plans.RUNNING and age > SILENT_SECONDS


@dataclass(slots=True)
class _Run:
    """What one run of a plan has done."""

    todo: deque[Judged]
    sent: int = 0
    credit: float = 1.0
    told_at: float = 0.0
    moved_at: float = 0.0
    last: PlanProgress | None = None
    stopped_before: datetime | None = None
    """When the plan was last told of before this run: an end of that time is not the run's."""


class Redrives:
    """The plans that this worker sends signals for."""

    def __init__(self, serving: Services) -> None:
        self._serving = serving
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beginning = asyncio.Lock()

    async def begin(self, definition: Definition, *, by: str, step: Step) -> None:
        """Tell of the plan, then send its signals. A run of it that has not ended yet gives way."""
        async with self._beginning:
            earlier = self._tasks.pop(definition.plan, None)
            if earlier is not None:
                earlier.cancel()
                await asyncio.gather(earlier, return_exceptions=True)
            before = await self._serving.view.ask(plans.plan, definition.plan)
            await tell(self._serving, definition, step, by=by, text=definition.why)
            run = self._run(definition, None if before is None else before.step_at)
            self._tasks[definition.plan] = asyncio.create_task(run)

    async def close(self) -> None:
        """End; the plans stand, and can be continued by any worker."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, definition: Definition, stopped_before: datetime | None) -> None:
        try:
            await self._send_all(definition, stopped_before)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - a plan that broke off is shown as silent, and can be continued
            _log.exception("a plan broke off", plan=definition.plan)

    async def _send_all(self, definition: Definition, stopped_before: datetime | None) -> None:
        planned = await plan(self._serving, definition)
        now = asyncio.get_running_loop().time()
        run = _Run(todo=deque(planned.acting), told_at=now, moved_at=now, stopped_before=stopped_before)
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                if await self._tick(definition, run):
                    return
            except ViewAway:
                continue

    async def _tick(self, definition: Definition, run: _Run) -> bool:
        """One step; True when the plan is over."""
        view, now = self._serving.view, asyncio.get_running_loop().time()
        seen = await view.ask(plans.plan, definition.plan)
        if seen is not None and seen.step not in plans.RUNNING and seen.step_at != run.stopped_before:
            return True
        progress = await view.ask(plans.progress, definition)
        if progress != run.last:
            run.last, run.moved_at = progress, now
        if recurs(progress):
            await self._end(
                definition, Step.STOPPED, f"{progress.failing} of {progress.finished} failed again"
            )
            return True
        if not run.todo and self._has_settled(progress, run, now):
            await self._end(definition, Step.ENDED, _summary(progress))
            return True
        await self._send_some(definition, run, progress)
        if now - run.told_at >= TELL_SECONDS:
            run.told_at = now
            await tell(self._serving, definition, Step.GOING, by=_SERVICE, text="")
        return False

    @staticmethod
    def _has_settled(progress: PlanProgress, run: _Run, now: float) -> bool:
        under_way = progress.queued + progress.working
        if progress.sent >= run.sent and not under_way:
            return True
        return now - run.moved_at > _PATIENCE_SECONDS and not progress.working

    async def _send_some(self, definition: Definition, run: _Run, progress: PlanProgress) -> None:
        serving = self._serving
        rate = per_second(serving.pace(), serving.upstream().breaker, serving.stream().members)
        run.credit = min(run.credit + rate * TICK_SECONDS, MOST_AT_ONCE)
        under_way = max(progress.queued + progress.working, run.sent - progress.finished)
        room = min(int(run.credit), MOST_AT_ONCE - under_way, len(run.todo))
        if room <= 0:
            return
        batch = [run.todo.popleft() for _ in range(room)]
        ids = tuple({one.booking_id for one in batch})
        targets = await serving.view.ask(plans.targets, replace(definition, bookings=ids))
        still = {
            one.key for one in (judge(definition.kind, t, serving.clock()) for t in targets) if one.fate.acts
        }
        for one in batch:
            if one.key in still:
                await self._send(definition, one)
                run.sent += 1
                run.credit -= 1

    async def _send(self, definition: Definition, one: Judged) -> None:
        action = Action(
            kind=definition.kind,
            by=definition.by,
            why=definition.why,
            event=one.event_id,
            plan=definition.plan,
        )
        name = f"{definition.plan}/{one.booking_id}/{one.event_id}"
        made = events.action_signal(
            one.booking_id,
            action,
            made_id=str(uuid5(NAMESPACE_URL, name)),
            now=self._serving.clock(),
            traceparent=None,
        )
        await self._serving.publish(self._serving.topics.signals, made.key, made.value, made.headers)

    async def _end(self, definition: Definition, step: Step, text: str) -> None:
        _log.info("a plan is over", plan=definition.plan, step=step.value, because=text)
        await tell(self._serving, definition, step, by=_SERVICE, text=text)


def _summary(progress: PlanProgress) -> str:
    told = [f"{progress.done} done"]
    if progress.failing:
        told.append(f"{progress.failing} failed again")
    if progress.queued:
        told.append(f"{progress.queued} without an answer")
    return ", ".join(told)
