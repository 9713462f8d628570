"""What a worker keeps in memory and in rows is bounded, and what is not bounded by itself is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from app.stream import booking_lanes
from tests.support.flow import booking, flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from app.worker.runtime import Runtime


async def test_no_settle_time_is_kept_of_a_job_that_was_made(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator) as flow,
        worker_here(flow.settings) as app,
    ):
        handler = app.sources[flow.topics.booking_events.name].handler
        runtime = cast("Runtime", handler.__self__)  # type: ignore[attr-defined]  # a bound method
        for number in range(5):
            await flow.send("created", f"b-{number}", booking(lastName=f"Lopez{number}"))
        for number in range(5):
            await flow.view(f"b-{number}", state="active")
        await flow.until(lambda: not any(app.readable().values()))
        assert runtime._lanes._parts.settling._until == {}


async def test_a_row_that_its_topic_does_not_take_is_a_dead_letter_and_the_partition_goes_on(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator) as flow,
        worker_here(flow.settings) as app,
    ):
        limits = cast("dict[str, int]", app.sender._largest)
        changelog = flow.topics.changelog("bookings").name
        before, limits[changelog] = limits[changelog], 500
        await flow.send("created", "b-1")
        (letter,) = await flow.dead("b-1")
        assert letter.headers["x-reason"] == b"too-large"
        limits[changelog] = before
        await flow.send("created", "b-1")
        await flow.view("b-1", state="active")
        assert len(flow.jobs("b-1")) == 1


async def test_a_row_of_its_own_that_a_worker_forgot_is_neither_written_nor_told_again(
    kafka: str, unique_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(booking_lanes, "_TOUCHED_BYTES", 0)
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator) as flow,
    ):
        rows = flow.topics.changelog("bookings").name
        async with worker_here(flow.settings):
            await flow.send("created", "b-1")
            await flow.view("b-1", state="active")
            made = len(flow.of(rows, "b-1"))
            for day in ("09", "10"):
                await flow.send("rescheduled", "b-1", {"scheduledDate": f"2027-03-{day}T00:00:00Z"})
            await flow.until(lambda: flow.types("b-1").count("job.updated") == 2)
            assert len(flow.of(rows, "b-1")) == made + 2
            assert flow.types("b-1") == ["job.created", "job.updated", "job.updated"]
        async with worker_here(flow.settings):
            # Another worker cannot know what was sent of what the row owes.
            await flow.send("rescheduled", "b-1", {"scheduledDate": "2027-03-11T00:00:00Z"})
            await flow.until(lambda: flow.types("b-1").count("job.updated") == 4)
            assert len(flow.of(rows, "b-1")) == made + 4
