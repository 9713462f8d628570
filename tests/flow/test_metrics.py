"""The metrics of a real worker: what happened stands in them, and Prometheus' tool finds no fault."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from app.telemetry import metric_list as listed
from app.telemetry.metrics import CONTENT_TYPE
from tests.support.flow import PATIENCE_SECONDS, booking

if TYPE_CHECKING:
    from tests.support.flow import Flow

# What tells of things that need not happen: they are there from the first time on.
_ONCE = {listed.SWEEP_ENDED.name, listed.ATTENTION_NEXT_VISIT.name, listed.ROWS_UNREADABLE.name}


async def scraped(flow: Flow) -> str:
    url = f"http://127.0.0.1:{flow.settings.web_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == CONTENT_TYPE
        return await response.text()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text).get((name, frozenset(labels.items())), 0.0)


async def scraped_with(flow: Flow, created: int, dead_letters: int = 0) -> str:
    """The metrics once these are counted: a job is announced beside its row, and counted after both."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            text = await scraped(flow)
            reasons = [
                count for (name, _), count in samples(text).items() if name == listed.DEAD_LETTERS.name
            ]
            if (
                value(text, listed.CREATIONS.name, result="created") >= created
                and sum(reasons) >= dead_letters
            ):
                return text
            await asyncio.sleep(0.05)


async def scraped_ready(flow: Flow) -> str:
    """The metrics once the view has caught up, before which it has no age."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            text = await scraped(flow)
            if any(name == listed.VIEW_AGE.name for name, _ in samples(text)):
                return text
            await asyncio.sleep(0.05)


async def test_what_happens_to_bookings_stands_in_the_metrics(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    await flow.send("created", "b-2", booking(zip="00000", lastName="Nobody"))
    await flow.view("b-2", state="held")
    await flow.send_raw(b"b-3", b"no event")
    await flow.dead("b-3")
    await flow.send("cancelled", "b-never", {})
    await flow.dead("b-never")

    text = await scraped_with(flow, created=1, dead_letters=3)
    assert value(text, listed.CREATIONS.name, result="created") == 1
    assert value(text, listed.CREATIONS.name, result="held") == 1
    assert value(text, listed.DEAD_LETTERS.name, reason="area-not-supported") == 1
    assert value(text, listed.DEAD_LETTERS.name, reason="unreadable") == 1
    assert value(text, listed.DEAD_LETTERS.name, reason="unknown-booking") == 1
    assert value(text, listed.ATTEMPTS.name, asked="CreateJob", outcome="Accepted") == 1
    assert value(text, f"{listed.BOOKING_TO_JOB.name}_count") == 1
    create = "POST /jpm/v2/tenant/{tenant}/jobs"
    assert value(text, listed.CALLS.name, endpoint=create, answer="2xx") == 1
    assert value(text, f"{listed.CALL_SECONDS.name}_count", endpoint=create) == 1
    assert value(text, listed.PARTITIONS_OWNED.name) == flow.settings.topic_partitions
    assert value(text, listed.GROUP_MEMBERS.name) == 1
    assert value(text, listed.BREAKER_OPEN.name, trouble="outage") == 0


async def test_every_metric_is_there_and_prometheus_finds_no_fault(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    await scraped_with(flow, created=1)
    text = await scraped_ready(flow)
    names = {name for name, _ in samples(text)}
    missing = [m.name for m in listed.METRICS if not names & set(m.series) and m.name not in _ONCE]
    assert missing == []
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_no_personal_data_stands_in_the_metrics(flow: Flow) -> None:
    await flow.send("created", "b-secret", booking(lastName="Hidden", email="hidden@example.com"))
    await flow.view("b-secret", state="active")
    text = (await scraped(flow)).lower()
    assert not [word for word in ("hidden", "555-0123", "camelback", "b-secret") if word in text]
