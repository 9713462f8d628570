"""The dashboard: every panel asks for what is measured, and everything measured can be seen on it."""

from __future__ import annotations

import json
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.telemetry.metric_list import METRICS
from tests.deploy.promql import as_rules, metrics_of, problems

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "bookings.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"].replace("$__rate_interval", "5m") for target in panel["targets"]]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_only_for_what_is_measured(panel: dict[str, Any]) -> None:
    assert queries(panel)
    assert [problem for query in queries(panel) for problem in problems(query)] == []


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    file = tmp_path / "queries.yml"
    file.write_text(as_rules([query for panel in PANELS for query in queries(panel)]), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_can_be_seen() -> None:
    shown = {name for panel in PANELS for query in queries(panel) for name in metrics_of(query)}
    assert shown == {metric.name for metric in METRICS}


def test_every_panel_says_what_it_shows_on_the_chosen_data_source() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    (variable,) = DASHBOARD["templating"]["list"]
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": f"${{{variable['name']}}}"}


def test_no_panel_covers_another_or_hangs_over_the_edge() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])
    for one, other in combinations(DASHBOARD["panels"], 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])


def test_grafana_is_given_the_dashboard_and_a_source_for_it() -> None:
    provisioning = GRAFANA / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "dashboards.yml").read_text())["providers"]
    assert provider["type"] == "file"
