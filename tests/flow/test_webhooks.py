"""What happens in ServiceTitan comes back by itself: signed webhooks, also twice, late and shuffled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import ClientSession

from app.simulator.life import Act, play
from app.simulator.webhooks import WebhookSettings
from app.web.operations import PREFIX
from tests.support.flow import Flow, booking, flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="
LIFE = ["scheduled", "dispatched", "in_progress", "completed"]


@asynccontextmanager
async def told(
    kafka: str, prefix: str, folder: Path, *, secret: str = SECRET, sweep: int = 300, **webhooks: object
) -> AsyncIterator[Flow]:
    """A worker, and a simulator in which technicians act quickly and which tells it so."""
    async with (
        simulated() as simulator,
        flow_on(
            kafka,
            prefix,
            folder,
            simulator,
            WEBHOOK_SECRETS=f"an old secret of ours,{SECRET}",
            SERVICETITAN_SWEEP_SECONDS=str(sweep),
        ) as flow,
        worker_here(flow.settings),
    ):
        url = f"http://127.0.0.1:{flow.settings.web_port}{PREFIX}/webhook"
        settings = {"url": url, "secret": secret, **webhooks}
        simulator.state.sender.settings = WebhookSettings.model_validate(settings)
        life = simulator.state.life
        life.seconds, life.second_thoughts = 0.3, 0
        yield flow


def statuses(flow: Flow, booking_id: str) -> list[str]:
    """The statuses that were announced, in order."""
    return [said["data"]["job"]["status"] for said in flow.announced(booking_id)]


async def known(flow: Flow, job_id: int) -> None:
    """Returns when the worker knows the job for ours: a webhook of before is left to the sweep."""
    address = f"http://127.0.0.1:{flow.settings.web_port}{PREFIX}/jobs/{job_id}"
    async with ClientSession() as session, asyncio.timeout(20):
        while (await session.get(address)).status != HTTPStatus.OK:
            await asyncio.sleep(0.02)


def done_by_us(flow: Flow) -> set[str]:
    """What this service did to jobs in ServiceTitan."""
    effects = flow.simulator.state.world.effects
    return {one.kind for one in effects if one.job is not None and not one.origin.startswith("play ")}


def answers(flow: Flow) -> set[int]:
    """What the webhooks were answered."""
    return {answer for sent in flow.simulator.state.sender.deliveries for answer in sent.answers}


@pytest.mark.parametrize(
    "sent",
    [
        {"form": "v2", "scheme": "servicetitan"},
        {"form": "v1", "scheme": "standard"},
        {"form": "plain", "scheme": "both"},
    ],
)
async def test_a_job_is_seen_going_through_its_life_by_itself(
    kafka: str, unique_prefix: str, tmp_path: Path, sent: dict[str, Any]
) -> None:
    async with told(kafka, unique_prefix, tmp_path, **sent) as flow:
        await flow.send("created", "b-1")
        await flow.view("b-1", state="ended", status="completed")
        assert statuses(flow, "b-1") == LIFE
        assert flow.types("b-1") == ["job.created", *["job.updated"] * 3]
        assert {"technician.dispatched", "technician.arrived", "job.completed"} < set(flow.effects("b-1"))
        assert done_by_us(flow) == {"job.created"}
        assert answers(flow) == {200}


async def test_webhooks_that_come_twice_late_and_shuffled_never_turn_a_job_back(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    names = [f"b-{number}" for number in range(6)]
    async with told(kafka, unique_prefix, tmp_path, twice=0.7, late=0.4, late_seconds=1.5, shuffle=4) as flow:
        for number, name in enumerate(names):
            await flow.send("created", name, booking(lastName=f"Of{number}"))
        for name in names:
            await flow.view(name, state="ended", status="completed")
        sender = flow.simulator.state.sender
        await flow.until(lambda: not sender._tasks and not sender._held)
        # The last word stands, whatever comes after it.
        taken = flow.of(flow.topics.webhooks.name)
        await flow.until(lambda: len(flow.of(flow.topics.signals.name)) >= len(taken))
        for name in names:
            seen = statuses(flow, name)
            assert seen == sorted(set(seen), key=LIFE.index)
            assert seen[-1] == "completed"
            assert len(flow.jobs(name)) == 1
        assert len(taken) > len({record.headers["x-occurrence"] for record in taken}), "some came twice"
        assert done_by_us(flow) == {"job.created"}
        assert answers(flow) == {200}


async def test_what_is_signed_with_another_secret_changes_nothing(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with told(kafka, unique_prefix, tmp_path, secret="somebody else's") as flow:
        await flow.send("created", "b-1")
        await flow.until(lambda: "job.completed" in flow.effects("b-1"))
        await flow.until(lambda: len(answers(flow)) > 0)
        assert answers(flow) == {401}
        assert statuses(flow, "b-1") == ["scheduled"]
        assert flow.of(flow.topics.webhooks.name) == []


async def test_a_sweep_does_not_take_back_what_a_webhook_told_better(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    """ServiceTitan's list shows a job as in progress from its dispatching on."""
    async with told(kafka, unique_prefix, tmp_path, sweep=2) as flow:

        async def swept() -> None:
            listed = "/jpm/v2/tenant/{tenant}/jobs"
            before = flow.calls("GET", listed)
            await flow.until(lambda: flow.calls("GET", listed) > before)

        flow.simulator.state.life.seconds = 0
        await flow.send("created", "b-1")
        view = await flow.view("b-1", state="active")
        world = flow.simulator.state.world
        await swept()
        assert play(world, world.jobs.rows[view["job"]["id"]], Act.DISPATCH) is None
        flow.simulator.state.sender.publish()
        await flow.view("b-1", status="dispatched")
        await swept()
        await swept()
        # A job in progress would not be moved.
        await flow.send("rescheduled", "b-1")
        await flow.until(lambda: "appointment.rescheduled" in flow.effects("b-1"))
        # The first sweep may have read who comes, of the dispatch that it was too early for.
        announced = [status for status, _ in groupby(statuses(flow, "b-1"))]
        assert announced[:2] == ["scheduled", "dispatched"]


async def test_a_visit_that_the_office_moved_is_announced_where_it_stands(
    kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    async with told(kafka, unique_prefix, tmp_path) as flow:
        flow.simulator.state.life.seconds = 0
        await flow.send("created", "b-1")
        before = (await flow.view("b-1", state="active"))["job"]
        await known(flow, before["id"])
        world = flow.simulator.state.world
        job = world.jobs.rows[before["id"]]
        assert play(world, job, Act.RESCHEDULE) is None
        flow.simulator.state.sender.publish()
        await flow.until(lambda: len(flow.announced("b-1")) > 1)
        after = flow.announced("b-1")[-1]["data"]["job"]
        start = world.appointments_of(job)[0].start
        assert datetime.fromisoformat(after["appointmentStart"]) == start
        asked = ("scheduledDate", "timeSlot", "status")
        assert [after[name] for name in asked] == [before[name] for name in asked]
        await flow.until(lambda: len(answers(flow)) > 0)
        assert flow.types("b-1") == ["job.created", "job.updated"]


async def test_a_replayed_webhook_turns_no_job_back(kafka: str, unique_prefix: str, tmp_path: Path) -> None:
    """A signature without a time is good for ever: the occurrence is known, and the report is old."""
    async with told(kafka, unique_prefix, tmp_path, form="plain") as flow:
        await flow.send("created", "b-1")
        await flow.view("b-1", state="ended", status="completed")
        taken = flow.of(flow.topics.webhooks.name)
        for record in taken:
            await flow.send_raw(record.key, record.value, topic=flow.topics.webhooks.name)
            timeless = {k: v for k, v in orjson.loads(record.value or b"").items() if k != "occurredAt"}
            await flow.send_raw(record.key, orjson.dumps(timeless), topic=flow.topics.webhooks.name)
        signals = flow.topics.signals.name
        await flow.until(lambda: len(flow.of(signals)) >= 3 * len(taken))
        assert statuses(flow, "b-1") == LIFE
