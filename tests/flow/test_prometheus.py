"""Prometheus itself, with our configuration: it is let in by its key, and understands all it is told."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml

from app.local.kafka import free_port
from tests.support.flow import flow_on, simulated
from tests.support.worker_process import worker_here

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OURS = Path(__file__).parents[2] / "deploy" / "prometheus"
PATIENCE_SECONDS = 60


@asynccontextmanager
async def prometheus(folder: Path, target: str, key: str) -> AsyncIterator[str]:
    """Prometheus with our files, asking this one worker often; gives its address."""
    config = yaml.safe_load((OURS / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (scrape,) = config["scrape_configs"]
    scrape["static_configs"] = [{"targets": [target]}]
    scrape["authorization"]["credentials_file"] = str(folder / "read-key")
    (folder / "read-key").write_text(key)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(OURS / "alerts.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://{address}/api/v1"
    finally:
        process.kill()
        process.wait()


async def asked(session: aiohttp.ClientSession, url: str, **query: str) -> Any:  # noqa: ANN401 - JSON
    """What Prometheus answers, or None while it does not."""
    try:
        async with session.get(url, params=query) as response:
            return (await response.json())["data"] if response.status == 200 else None
    except aiohttp.ClientConnectionError:
        return None


async def scraped(session: aiohttp.ClientSession, api: str) -> dict[str, Any]:
    """The one target, once it was scraped for the first time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await asked(session, f"{api}/targets")
            if found and found["activeTargets"] and found["activeTargets"][0]["health"] != "unknown":
                target: dict[str, Any] = found["activeTargets"][0]
                return target
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(("key", "health"), [("read-key-0123456789", "up"), ("another-0123456789", "down")])
async def test_prometheus_is_let_in_by_its_key_alone_and_evaluates_every_rule(
    kafka: str, unique_prefix: str, tmp_path: Path, key: str, health: str
) -> None:
    keys = {"API_READ_KEYS": "prometheus:read-key-0123456789", "API_ACT_KEYS": "ops:act-key-0123456789"}
    async with (
        simulated() as simulator,
        flow_on(kafka, unique_prefix, tmp_path, simulator, **keys) as flow,
        worker_here(flow.settings),
        prometheus(tmp_path, f"127.0.0.1:{flow.settings.web_port}", key) as api,
        aiohttp.ClientSession() as session,
    ):
        target = await scraped(session, api)
        assert target["health"] == health, target
        if health == "down":
            assert "401" in target["lastError"]
            return
        await flow.send("created", "b-1")
        await flow.view("b-1", state="active")
        await until_one(session, api, 'servicetitan_stream_creations_total{result="created"}')
        rules = await evaluated(session, api)
        declared = yaml.safe_load((OURS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
        assert {rule["name"] for rule in rules} == {r["alert"] for group in declared for r in group["rules"]}
        assert [rule for rule in rules if rule["health"] != "ok"] == []
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


async def until_one(session: aiohttp.ClientSession, api: str, query: str) -> None:
    """Returns once the query's value is 1."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await asked(session, f"{api}/query", query=query)
            if found and [each["value"][1] for each in found["result"]] == ["1"]:
                return
            await asyncio.sleep(0.2)


async def evaluated(session: aiohttp.ClientSession, api: str) -> list[dict[str, Any]]:
    """Every rule, once each was evaluated."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await asked(session, f"{api}/rules")
            rules = [rule for group in (found or {}).get("groups", []) for rule in group["rules"]]
            if rules and all(rule["health"] != "unknown" for rule in rules):
                return rules
            await asyncio.sleep(0.2)
