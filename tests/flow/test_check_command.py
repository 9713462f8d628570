"""`check` as a shell sees it, against a simulator and a real Kafka."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.local.kafka import free_port
from tests.support.flow import flow_on, simulated
from tests.support.simulated import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.flow import Flow


@pytest.fixture
async def ready(kafka: str, unique_prefix: str, tmp_path: Path) -> AsyncIterator[Flow]:
    """A simulator that has every name of the shipped business file, and the topics; no worker."""
    async with simulated() as simulator, flow_on(kafka, unique_prefix, tmp_path, simulator) as made:
        yield made


async def check(flow: Flow, *arguments: str, status: int, **changes: str) -> str:
    """What `check` prints, and nothing beside it, when it ends with this status."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app", "check", *arguments),
        env={**os.environ, **flow.environ, **changes},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (status, ""), out.decode()
    return out.decode()


async def missing(flow: Flow, *arguments: str, **changes: str) -> dict[str, str]:
    """What is not well, by its JSON."""
    found: dict[str, Any] = orjson.loads(await check(flow, "--json", *arguments, status=1, **changes))
    assert found["well"] is False
    return {one["what"]: one["detail"] for one in found["checks"] if not one["well"]}


def sandbox(flow: Flow, **changes: str) -> dict[str, str]:
    """The settings of somebody who is about to go live, but for the addresses."""
    named = CREDENTIALS | {"SERVICETITAN_AUTH_URL": flow.simulator.url, "WEBHOOK_SECRETS": "hook-12345678901"}
    return named | changes


def not_ok(table: str) -> list[str]:
    """The lines of the table that do not say ok."""
    return [line for line in table.splitlines() if not line.startswith("ok  ")]


async def test_all_is_well_as_a_table_and_as_json(ready: Flow) -> None:
    table, text = await asyncio.gather(
        check(ready, status=0, NO_COLOR="1"), check(ready, "--json", status=0, **sandbox(ready))
    )

    assert not_ok(table) == []
    assert "\x1b" not in table
    assert re.search(r"^ok +webhook secret +not needed in simulation$", table, re.MULTILINE)
    found = orjson.loads(text)
    assert found["well"] is True
    assert [one["what"] for one in found["checks"]][:2] == ["token", "app key and tenant"]
    topics = f"{len(list(ready.topics))} topics as needed"
    assert [one["detail"] for one in found["checks"]][-2:] == ["set", topics]
    assert not ready.simulator.state.world.jobs.rows


async def test_what_is_missing_is_said_and_nothing_is_made(ready: Flow) -> None:
    ready.simulator.state.world.catalogue.campaigns.rows[301].name = "Web\x1b[31m\nsite"
    prefix = f"{ready.settings.topic_prefix}x-"
    environ = sandbox(ready, TOPIC_PREFIX=prefix, WEBHOOK_SECRETS="", NO_COLOR="1")

    found = await missing(ready, **environ)
    table = await check(ready, status=1, **environ)

    assert found.keys() == {"names", "webhook secret", "Kafka and topics"}
    assert found["names"].startswith("BUSINESS_FILE campaign: 'Website' is not among")
    assert found["webhook secret"] == "no webhook is taken until WEBHOOK_SECRETS is set"
    assert f"{prefix}booking-events" in found["Kafka and topics"]
    names, secret, topics = not_ok(table)
    assert names.endswith("; there: Web\\x1b[31m site, Google Ads, Referral")
    assert secret.startswith("MISSING")
    assert f"{prefix}booking-events" in topics


async def test_what_cannot_be_reached_is_told_by_one_line_each(ready: Flow) -> None:
    away = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    wrong_key = sandbox(ready, SERVICETITAN_APP_KEY="invalid_key")

    found = await missing(ready, "--wait", "0", **wrong_key, **away)

    assert found.keys() == {"app key and tenant", "Kafka and topics"}
    assert found["app key and tenant"].startswith("401: Invalid application key")
    assert "KAFKA_BOOTSTRAP_SERVERS" in found["Kafka and topics"]
