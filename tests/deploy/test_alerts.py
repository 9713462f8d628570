"""Alerts: true to the metrics, to the runbook, and to their cases, by Prometheus' own tool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.promql import problems

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def cases() -> list[tuple[str, bool]]:
    """(alert, whether it must fire) of every case."""
    document = yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text(encoding="utf-8"))
    return [
        (case["alertname"], bool(case["exp_alerts"]))
        for test in document["tests"]
        for case in test["alert_rule_test"]
    ]


def promtool(*arguments: str, folder: Path = PROMETHEUS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_every_case_comes_out_as_written() -> None:
    done = promtool("test", "rules", "alerts.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    assert set(cases()) == {(name, fires) for name in names for fires in (True, False)}


@pytest.mark.parametrize("instead", ["vector(1) > 2", "vector(1)"], ids=["never", "always"])
def test_each_alert_s_cases_notice_when_its_condition_is_gone(instead: str, tmp_path: Path) -> None:
    document = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["expr"] = instead
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    shutil.copy(PROMETHEUS / "alerts.test.yml", tmp_path)
    done = promtool("test", "rules", "alerts.test.yml", folder=tmp_path)
    noticed = set(re.findall(r"alertname: (\w+), time", done.stdout + done.stderr))
    assert noticed == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_only_for_what_is_measured(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"]) == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "runbook"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"RUNBOOK.md#{rule['alert'].lower()}"


def test_the_runbook_has_a_chapter_for_each_alert_and_for_no_other() -> None:
    text = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
    _, found, chapters = text.partition("\n## Alerts\n")
    assert found
    chapters = re.split(r"^## ", chapters, flags=re.MULTILINE)[0]
    assert re.findall(r"^### (\w+)$", chapters, flags=re.MULTILINE) == [rule["alert"] for rule in rules()]


def test_prometheus_takes_its_configuration() -> None:
    done = promtool("check", "config", "--syntax-only", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    (scrape,) = config["scrape_configs"]
    jobs = set(re.findall(r'job="([^"]+)"', "".join(rule["expr"] for rule in rules())))
    assert jobs == {scrape["job_name"]}
    assert config["rule_files"] == ["alerts.yml"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("servicetitan_stream_bookings_total", "not in the list"),
        ('servicetitan_stream_bookings{colour="red"}', "no label colour"),
        ('servicetitan_stream_bookings{state="lost"}', "never lost"),
        ("sum by (reason) (servicetitan_stream_bookings)", "grouped by reason"),
        ("vector(1)", "no metric"),
    ],
)
def test_a_query_that_would_show_nothing_is_noticed(query: str, problem: str) -> None:
    assert problem in "; ".join(problems(query))
