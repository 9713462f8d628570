"""A worker outside simulation, as a process: names that are missing stop it before it looks for Kafka."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import orjson
import pytest

from app.business_file import text_of
from app.local.kafka import free_port
from tests.support.simulated import CREDENTIALS

if TYPE_CHECKING:
    from pathlib import Path

    from app.simulator.server import RunningSimulator


@pytest.fixture
def environ(simulator: RunningSimulator, tmp_path: Path) -> dict[str, str]:
    """Sandbox settings; nobody is Kafka."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "DATA_DIR": str(tmp_path / "data"),
        "WEB_PORT": str(free_port()),
        "SERVICETITAN_API_URL": simulator.url,
        "SERVICETITAN_AUTH_URL": simulator.url,
        **CREDENTIALS,
        "WEBHOOK_SECRETS": "hook-12345678901",
    }


async def ended(environ: dict[str, str]) -> tuple[int | None, list[str]]:
    """The exit status of a worker that waits no second for Kafka, and its lines on stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.worker", "0"),
        env={**os.environ, **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    return process.returncode, errors.decode().splitlines()


async def test_names_that_servicetitan_has_not_or_twice_stop_the_start_by_a_line_each(
    environ: dict[str, str], simulator: RunningSimulator
) -> None:
    catalogue = simulator.state.world.catalogue
    catalogue.business_units.rows[104].name = "Mesa"
    catalogue.campaigns.rows[303].name = "Website"
    catalogue.cancel_reasons.rows[401].name = "Customer request"

    status, lines = await ended(environ)

    assert status == 2
    assert [line.partition(" ServiceTitan's")[0] for line in lines] == [
        "BUSINESS_FILE campaign: 'Website' stands 2 times among",
        "BUSINESS_FILE cancel_reason: 'Customer Request' is not among",
        "BUSINESS_FILE areas[2].business_unit: 'Mesa_East' is not among",
    ]
    assert lines[0].endswith("; there: Website, Google Ads, Website")
    assert simulator.state.world.effects == []


async def test_a_name_that_the_file_does_not_give_or_misspells_stops_it_before_anything_is_called(
    environ: dict[str, str], simulator: RunningSimulator, tmp_path: Path
) -> None:
    file = tmp_path / "ours.toml"
    text = text_of(None).replace("campaign =", "campain =").replace("minutes = 120", 'minutes = "two hours"')
    file.write_text(text)

    status, lines = await ended(environ | {"BUSINESS_FILE": str(file)})

    assert status == 2
    assert lines == [
        f"BUSINESS_FILE {file}: campaign: is missing",
        f"BUSINESS_FILE {file}: problems.broken_spring.minutes: input should be a valid integer",
        f"BUSINESS_FILE {file}: campain: is not a key of the business file",
    ]
    assert simulator.state.journal.total == 0


async def test_names_that_cannot_be_looked_for_stop_nothing(environ: dict[str, str]) -> None:
    status, lines = await ended(environ | {"SERVICETITAN_API_URL": f"http://127.0.0.1:{free_port()}"})

    events = [orjson.loads(line)["event"] for line in lines[:-1]]
    assert "the business's names could not be looked for in ServiceTitan" in events
    assert (status, "KAFKA_BOOTSTRAP_SERVERS" in lines[-1]) == (3, True), "it went on to the next thing"
