"""Workers come, go and die in the middle: no booking has two jobs, none is forgotten, each is in order."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from tests.support.flow import Flow, booking, environment, flow_on, simulated
from tests.support.worker_process import worker_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BOOKINGS = 40
CHANGES = (
    ("rescheduled", {"scheduledDate": "2027-04-01T00:00:00Z"}),
    ("status_changed", {"status": "dispatched", "technicianIds": [501]}),
    ("status_changed", {"status": "completed"}),
)
DONE = ["job.created", "appointment.rescheduled", "technicians.assigned", "job.completed"]


@pytest.fixture
async def slow_flow(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[Flow]:
    """A world without a worker, in which every call takes a while, so that some are always under way."""
    async with (
        simulated() as simulator,
        flow_on(
            kafka, unique_prefix, tmp_path, simulator, STORE="rocksdb", SERVICETITAN_CALLS_PER_SECOND="60"
        ) as made,
    ):
        made.fault("slow", "/*/v2/*", "*", seconds=0.3)
        yield made


def another(flow: Flow, folder: Path) -> dict[str, str]:
    """The settings of one more worker."""
    changes = {
        name: flow.environ[name] for name in ("STORE", "SERVICETITAN_CALLS_PER_SECOND", "TOPIC_PARTITIONS")
    }
    servers, prefix = flow.environ["KAFKA_BOOTSTRAP_SERVERS"], flow.environ["TOPIC_PREFIX"]
    return environment(servers, prefix, folder, flow.simulator, **changes)


async def send_all(flow: Flow) -> list[str]:
    ids = [f"b-{number}" for number in range(BOOKINGS)]
    for number, booking_id in enumerate(ids):
        await flow.send("created", booking_id, booking(phone=f"60255503{number:02}"))
        for kind, data in CHANGES:
            await flow.send(kind, booking_id, data)
    return ids


async def until_done(flow: Flow, count: int) -> None:
    """Returns when so many bookings have come to their end."""
    await flow.until(
        lambda: sum(flow.latest(f"b-{n}").get("state") == "ended" for n in range(BOOKINGS)) >= count
    )


async def all_is_right(flow: Flow, ids: list[str]) -> None:
    await until_done(flow, BOOKINGS)
    for booking_id in ids:
        (job,) = flow.jobs(booking_id)
        # A change whose answer nobody heard is sent again.
        assert [kind for kind, _ in groupby(flow.effects(booking_id))] == DONE
        assert flow.latest(booking_id)["job"]["id"] == job.id
        assert flow.reasons(booking_id) == []
    assert len(flow.simulator.state.world.customers) == BOOKINGS


async def test_a_worker_killed_in_the_middle_goes_on_where_it_was(slow_flow: Flow, tmp_path: Path) -> None:
    flow = slow_flow
    ids = await send_all(flow)
    async with worker_process(flow.environ, tmp_path / "first.log") as first:
        await until_done(flow, 8)
        first.kill()
    assert sum(flow.latest(one).get("state") == "ended" for one in ids) < BOOKINGS
    async with worker_process(flow.environ, tmp_path / "second.log") as second:
        await all_is_right(flow, ids)
        assert await second.stop() == 0


async def test_a_worker_that_comes_and_one_that_goes_share_the_work_without_a_slip(
    slow_flow: Flow, tmp_path: Path
) -> None:
    flow = slow_flow
    ids = await send_all(flow)
    async with worker_process(flow.environ, tmp_path / "first.log") as first:
        await until_done(flow, 5)
        async with worker_process(another(flow, tmp_path / "more"), tmp_path / "second.log") as second:
            await until_done(flow, 15)
            assert await first.stop() == 0
            assert first.gave() >= 2
            await second.until_working(2)
            await all_is_right(flow, ids)
            assert await second.stop() == 0
