"""deploy/THREATS.md: what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from app.settings import load
from app.stream.topology import topics

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "THREATS.md").read_text(encoding="utf-8")


def test_its_topics_are_ours() -> None:
    ours = {topic.name for topic in topics(load({}))}
    named = set(re.findall(r"`((?:booking|customer|servicetitan)-[a-z-]+)`", TEXT)) - {"servicetitan-stream"}
    assert {"booking-events", "booking-signals", "servicetitan-jobs"} <= named
    assert named <= ours


def test_its_alerts_are_ours() -> None:
    alerts = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    named = re.findall(r"alert (\w+)", TEXT)
    assert named
    assert all(f"alert: {name}\n" in alerts for name in named)


def test_its_open_addresses_are_the_api_s_open_ones() -> None:
    from app.web.access import Access
    from app.web.operations import OPERATIONS

    open_ones = {
        operation.path.rpartition("/")[2] for operation in OPERATIONS if operation.access is Access.OPEN
    }
    (row,) = (line for line in TEXT.splitlines() if line.startswith("| anyone who reaches the port"))
    assert {"live", "ready", "health", "openapi.json"} <= open_ones
    assert set(re.findall(r"`/([a-z.]+)`", row)) <= open_ones
