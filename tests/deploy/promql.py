"""What a PromQL query uses: metrics with the labels they are matched by, and the labels it groups by."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from app.telemetry.metric_list import METRICS, PREFIX

# Every series has these from Prometheus itself; `le` is of histograms.
_GIVEN = {"instance", "job", "le"}
_SELECTOR = re.compile(rf"\b({PREFIX}[a-z_]+|up)\b\s*(?:\{{([^}}]*)\}})?")
_MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Selector:
    """One use of a metric, with what its labels are matched against."""

    name: str
    matched: dict[str, str]


def selectors(query: str) -> list[Selector]:
    return [Selector(found[1], dict(_MATCHER.findall(found[2] or ""))) for found in _SELECTOR.finditer(query)]


def problems(query: str) -> list[str]:
    """What of a query is not as the list of metrics has it; empty when all is."""
    by_series = {series: metric for metric in METRICS for series in metric.series}
    found: list[str] = []
    labels = set(_GIVEN)
    for used in selectors(query):
        if used.name == "up":
            continue
        metric = by_series.get(used.name)
        if metric is None:
            found.append(f"{used.name} is not in the list")
            continue
        labels |= set(metric.label_names)
        closed = {label.name: label.values for label in metric.labels}
        for name, value in used.matched.items():
            if name not in closed:
                found.append(f"{used.name} has no label {name}")
            elif closed[name]:
                found += [f"{name} is never {each}" for each in value.split("|") if each not in closed[name]]
    for group in _GROUPING.findall(query):
        asked = {name.strip() for name in group.split(",") if name.strip()}
        found += [f"grouped by {name}, which no metric in it has" for name in sorted(asked - labels)]
    if not selectors(query):
        found.append("no metric at all")
    return found


def metrics_of(query: str) -> set[str]:
    """The names, as listed, of the metrics in a query."""
    by_series = {series: metric.name for metric in METRICS for series in metric.series}
    return {by_series[used.name] for used in selectors(query) if used.name in by_series}


def as_rules(queries: list[str]) -> str:
    """Recording rules of these queries, so that promtool reads their syntax."""
    rules = [{"record": f"q:{number}", "expr": query} for number, query in enumerate(queries)]
    return yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]})
