"""What webhooks missed is found by itself: the owner of partition 0 reads what changed lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.simulator.life import Act, play
from tests.support.flow import flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_job_is_followed_to_its_end_and_its_visit_where_it_is_moved_without_any_webhook(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, SERVICETITAN_SWEEP_SECONDS="1") as flow,
        worker_here(flow.settings),
    ):
        life, world = simulator.state.life, simulator.state.world
        life.seconds, life.second_thoughts = 0, 0
        for name in ("b-1", "b-2"):
            await flow.send("created", name)
            await flow.view(name, state="active")
        asked = flow.latest("b-2")["job"]
        job = world.jobs.rows[asked["id"]]
        for act in (Act.RESCHEDULE, Act.ASSIGN):
            assert play(world, job, act) is None
        (visit,) = world.appointments_of(job)
        (there,) = world.assignments_of(visit)
        moved = visit.start.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        await flow.until(lambda: flow.latest("b-2")["job"]["appointmentStart"] == moved)
        await flow.until(lambda: flow.latest("b-2")["job"]["technicians"])
        seen = flow.latest("b-2")["job"]
        name = world.catalogue.technicians.rows[there.technician_id].name
        assert seen["technicians"] == [{"id": there.technician_id, "name": name}]
        assert (seen["scheduledDate"], seen["timeSlot"]) == (asked["scheduledDate"], asked["timeSlot"])
        assert set(flow.types("b-2")) == {"job.created", "job.updated"}
        life.seconds = 0.5
        for name in ("b-1", "b-2"):
            await flow.view(name, state="ended", status="completed")
            row = flow.row(name)
            assert row is not None
            assert {entry.asked for entry in row.timeline if entry.decision == "record follows"} == {
                "seen by sweep"
            }
        ours = {one.kind for one in world.effects if not one.origin.startswith("play ")}
        assert ours.isdisjoint({"job.completed", "job.canceled", "job.updated", "technicians.assigned"})
