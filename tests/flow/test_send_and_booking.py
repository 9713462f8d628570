"""The commands `send` and `booking`, as a shell runs them, beside a worker and without one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import orjson

from app.local.kafka import free_port
from tests.support.flow import booking, event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.flow import Flow

MOVED = {"scheduledDate": "2027-04-01T00:00:00Z"}


async def run(
    environ: Mapping[str, str], *arguments: str, given: object = None
) -> subprocess.CompletedProcess[bytes]:
    """One command; `given` is JSON for its stdin."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app", *arguments],
        env={**os.environ, **environ},
        input=b"" if given is None else orjson.dumps(given),
        capture_output=True,
        check=False,
        timeout=60,
    )


async def test_what_is_sent_is_worked_and_shown_the_same_by_worker_and_kafka(flow: Flow) -> None:
    data = booking(zip="00000", lastName="[red]Lopez")
    sent = await run(flow.environ, "send", "created", "--booking-id", "b-1", "--json", "-", given=data)
    assert sent.returncode == 0, sent.stderr
    assert b"sent booking.created" in sent.stdout
    await flow.view("b-1", state="held")
    sent = await run(flow.environ, "send", "rescheduled", "--booking-id", "b-1", "--json", "-", given=MOVED)
    assert sent.returncode == 0, sent.stderr
    await flow.until(lambda: (row := flow.row("b-1")) and row.lane.behind == 1)

    async def shown(*options: str) -> dict[str, object]:
        done = await run(flow.environ, "booking", "b-1", "--json", *options)
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = orjson.loads(done.stdout)
        return found

    by_kafka = await shown("--kafka")
    by_worker = await shown()
    assert by_kafka.pop("asOf") != ""
    assert by_worker.pop("asOf") != ""
    assert by_kafka == by_worker
    assert by_kafka["state"] == "held"
    people = await run(flow.environ, "booking", "b-1")
    text = people.stdout.decode()
    for words in ("held", "area-not-supported", "Ana [red]Lopez", "booking.rescheduled", "Timeline"):
        assert words in text
    assert people.stderr == b""


async def test_a_cancellation_an_example_and_a_whole_event_can_be_sent(flow: Flow) -> None:
    whole = orjson.loads(event("created", "b-1", booking(), "e-1"))
    assert (await run(flow.environ, "send", "event", "--json", "-", given=whole)).returncode == 0
    view = await flow.view("b-1", state="active")
    assert view["causedBy"] == "e-1"
    assert (await run(flow.environ, "send", "cancelled", "--booking-id", "b-1")).returncode == 0
    await flow.view("b-1", state="ended")
    example = await run(flow.environ, "send", "example", "--booking-id", "b-2")
    assert example.returncode == 0, example.stderr
    await flow.view("b-2", state="active")


async def test_without_a_worker_kafka_is_read_and_that_is_said(flow: Flow) -> None:
    await flow.send("created", "b-1")
    await flow.view("b-1", state="active")
    alone = {**flow.environ, "WEB_PORT": str(free_port())}
    done = await run(alone, "booking", "b-1", "--json")
    assert done.returncode == 0
    assert b"reading Kafka instead" in done.stderr
    assert orjson.loads(done.stdout)["job"]["id"] == flow.jobs("b-1")[0].id


async def test_a_booking_that_is_not_there_is_1_and_one_line(flow: Flow) -> None:
    for options in ((), ("--kafka",)):
        done = await run(flow.environ, "booking", "nobody", *options)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.decode().splitlines() == ["There is no booking nobody."]


async def test_missing_topics_are_3_and_one_line_that_helps(kafka: str, unique_prefix: str) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "TOPIC_PREFIX": unique_prefix}
    for arguments in (("send", "example"), ("booking", "b-1", "--kafka")):
        done = await run(environ, *arguments)
        assert done.returncode == 3, done.stderr
        (line,) = done.stderr.decode().splitlines()
        assert "servicetitan-stream topics" in line
