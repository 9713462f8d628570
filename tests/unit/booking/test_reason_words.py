"""One closed list of reasons: explained in full, and no other word anywhere that a person reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.booking.reasons import EXPLANATIONS, Owner, Reason
from tests.readme import RUNBOOK, TABLES, with_tables

ROOT = Path(__file__).parents[3]
WORDS = {reason.value for reason in Reason}
READ_BY_PEOPLE = [
    ROOT / "README.md",
    RUNBOOK,
    ROOT / "deploy" / "prometheus" / "alerts.yml",
    *sorted((ROOT / "deploy" / "grafana").rglob("*.json")),
    *sorted((ROOT / "app" / "web" / "templates").glob("*.html")),
]


def words_in(text: str) -> set[str]:
    """What a text names as a reason: in a query's label, in a search, in a header."""
    labels = re.findall(r"""reason(?:=~|=|!=|!~)\\?["']([^"'\\]+)""", text)
    searches = re.findall(r"reason[: ](?:`|=)?([a-z]+-[a-z-]+)\b", text)
    headers = re.findall(r"x-reason[`:]* +(?:is )?`([a-z-]+)`", text)
    options = re.findall(r"--reason ([a-z-]+)", text)
    return {word for found in (*labels, *searches, *headers, *options) for word in found.split("|")}


def test_every_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)
    for reason, said in EXPLANATIONS.items():
        assert said.sentence.endswith("."), reason
        assert said.remedy.endswith("."), reason
        assert said.owner in Owner, reason


def test_the_runbook_has_a_chapter_for_each_reason_and_for_no_other() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")

    chapters = re.findall(r"^### ([a-z][a-z-]*)$", text, flags=re.MULTILINE)

    assert set(chapters) == WORDS
    assert with_tables(text, TABLES[RUNBOOK]) == text, "run: python -m tests.readme"


@pytest.mark.parametrize("file", READ_BY_PEOPLE, ids=lambda file: file.name)
def test_nobody_is_told_of_a_reason_that_is_not_in_the_list(file: Path) -> None:
    assert words_in(file.read_text(encoding="utf-8")) <= WORDS


def test_the_alert_of_broken_producers_names_reasons() -> None:
    """So that the test above looks at something."""
    alerts = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")

    assert {"unreadable", "wrong-key"} <= words_in(alerts)


def test_another_word_would_be_noticed() -> None:
    assert words_in('sum(x{reason="broken-door"})') == {"broken-door"}
    assert words_in("dead-letters plan --reason broken-door") == {"broken-door"}
