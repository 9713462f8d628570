"""The simulated ServiceTitan of a trial, with a log of its own of all that became true in it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from app.simulator.faults import FaultRequest
from app.simulator.server import RunningSimulator, start
from app.simulator.simulation import SimulatorConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.simulator.state.records import JobRow
    from app.simulator.state.world import World
    from tests.kill.story import Effect

_COUNTED = frozenset(
    {
        "job.created",
        "job.canceled",
        "job.uncanceled",
        "job.completed",
        "job.noted",
        "appointment.rescheduled",
        "technicians.assigned",
        "technicians.unassigned",
    }
)


@dataclass(slots=True)
class Done:
    """One effect, in the order of the log."""

    booking: str
    job: int
    effect: Effect
    at: float
    """Monotonic seconds."""


@dataclass(slots=True)
class Upstream:
    """A running simulator, and what it did."""

    running: RunningSimulator
    log: list[Done] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def world(self) -> World:
        return self.running.state.world

    def fault(self, **request: object) -> int:
        """Set a fault (`FaultRequest`); gives its number."""
        simulation = self.running.state
        return simulation.faults.add(FaultRequest.model_validate(request), simulation.monotonic()).number

    def clear(self) -> None:
        self.running.state.faults.clear()

    def revoke_tokens(self) -> None:
        self.running.state.tokens.revoke()

    def by_booking(self) -> dict[str, list[Done]]:
        found: dict[str, list[Done]] = defaultdict(list)
        for done in self.log:
            found[done.booking].append(done)
        return found

    def customers_twice(self) -> list[str]:
        """Names that more than one customer has."""
        names: dict[str, int] = defaultdict(int)
        for row in self.world.customers.in_order:
            names[row.name] += 1
        return sorted(name for name, count in names.items() if count > 1)

    def listen(self) -> None:
        """Write down what becomes true, with the details that the simulator's own log leaves out."""
        world, note = self.world, self.world.note

        def heard(
            kind: str, *, job: JobRow | None = None, customer: int | None = None, detail: str = ""
        ) -> None:
            note(kind, job=job, customer=customer, detail=detail)
            if job is not None and kind in _COUNTED:
                exact = _detail(world, kind, job, detail)
                self.log.append(Done(job.booking_key or "", job.id, (kind, exact), monotonic()))

        world.note = heard  # type: ignore[method-assign]  # heard does what it did, and listens


def _detail(world: World, kind: str, job: JobRow, detail: str) -> str:
    match kind:
        case "appointment.rescheduled":
            return world.appointments.rows[int(detail)].start.isoformat()
        case "technicians.assigned":
            return detail
        case "job.noted":
            return job.notes[-1].text.rpartition("(")[2].rstrip(")")
        case _:
            return ""


@asynccontextmanager
async def simulated(seed: int) -> AsyncIterator[Upstream]:
    """A simulator without failures or delays of its own."""
    config = SimulatorConfig(
        port=0, seed=seed, failure_rate=0, delays="none", calls_per_second=0, token_calls_per_second=0
    )
    running = await start(config)
    try:
        upstream = Upstream(running)
        upstream.listen()
        yield upstream
    finally:
        await running.stop()
