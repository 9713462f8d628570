"""Writes into documents what code knows better: `python -m tests.readme`."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from app import settings
from app.booking.reasons import EXPLANATIONS
from app.telemetry import metric_list
from tests import imports

ROOT = Path(__file__).parents[1]
RUNBOOK = ROOT / "deploy" / "RUNBOOK.md"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
Tables = Mapping[str, Callable[[], str]]


def reasons() -> str:
    """A chapter of the runbook for each reason: what it means, what to do, who does it."""
    return "\n".join(
        f"### {reason.value}\n\n*Means:* {said.sentence} *Do:* {said.remedy} *Who:* {said.owner.value}\n"
        for reason, said in EXPLANATIONS.items()
    )


def alert(rule: Mapping[str, Any]) -> str:
    """The head of an alert's chapter: urgency, sentence, and the condition as a query to paste."""
    after = f" after {rule['for']}" if "for" in rule else ""
    summary = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"`\1`", rule["annotations"]["summary"])
    said = f"`{rule['labels']['severity']}`{after}: {summary}"
    return f"### {rule['alert']}\n\n{said}\n\n```promql\n{rule['expr'].strip()}\n```\n\n"


def alerts() -> Tables:
    """What is generated of each alert's chapter, by the name of its place in the runbook."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    rules = (rule for group in groups for rule in group["rules"])
    return {f"alert {rule['alert']}": partial(alert, rule) for rule in rules}


TABLES: Mapping[Path, Tables] = {
    ROOT / "deploy" / "SETTINGS.md": {"settings": settings.as_markdown},
    ROOT / "deploy" / "METRICS.md": {"metrics": metric_list.as_markdown},
    ROOT / "tests" / "IMPORTS.md": {"imports": imports.as_mermaid},
    RUNBOOK: {"reasons": reasons, **alerts()},
}
"""What is generated, by document; a test holds each to its code."""


def with_tables(text: str, tables: Tables) -> str:
    """The text with each table between its two marks."""
    for name, render in tables.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise SystemExit(f"there is no {begin.strip()} ... {end} to write the {name} into")
        text = f"{before}{begin}{render()}{end}{after}"
    return text


if __name__ == "__main__":
    for document, tables in TABLES.items():
        document.write_text(with_tables(document.read_text(encoding="utf-8"), tables), encoding="utf-8")
