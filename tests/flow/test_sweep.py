"""What webhooks missed is found by itself: the owner of partition 0 reads what changed lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.flow import flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_job_is_followed_to_its_end_without_any_webhook(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, SERVICETITAN_SWEEP_SECONDS="1") as flow,
        worker_here(flow.settings),
    ):
        life = simulator.state.life
        life.seconds, life.second_thoughts = 0.5, 0
        for name in ("b-1", "b-2"):
            await flow.send("created", name)
        for name in ("b-1", "b-2"):
            await flow.view(name, state="ended", status="completed")
            row = flow.row(name)
            assert row is not None
            assert {entry.asked for entry in row.timeline if entry.decision == "record follows"} == {
                "seen by sweep"
            }
        ours = {one.kind for one in simulator.state.world.effects if not one.origin.startswith("play ")}
        assert ours.isdisjoint({"job.completed", "job.canceled", "job.updated", "technicians.assigned"})
