"""deploy/RUNBOOK.md: what it quotes is what people will see, and what it has them type exists."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import aiokafka
import pytest

import app
from app.commands.cli import NAME, ROWS
from app.settings import Settings
from tests.deploy.project import ROOT

# The alerts' queries are written and held by tests/readme.py.
WITHOUT_QUERIES = re.sub(
    r"^```promql\n.*?^```$",
    "",
    (ROOT / "deploy" / "RUNBOOK.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE | re.DOTALL,
)
TEXT = " ".join(WITHOUT_QUERIES.split())
QUOTED = sorted(set(re.findall(r'"([^"]+)"', TEXT)))


def sources(package: str) -> str:
    """All text of a package, with string literals that go on over a line joined."""
    files = (file for file in Path(package).parent.rglob("*") if file.suffix in {".py", ".html"})
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(file.read_text(encoding="utf-8") for file in files))


SHOWN = "\n".join(
    (
        sources(app.__file__),
        sources(aiokafka.__file__),
        (ROOT / "deploy" / "grafana" / "dashboards" / "bookings.json").read_text(encoding="utf-8"),
        os.strerror(errno.ENOSPC),
    )
)


@pytest.mark.parametrize("quoted", QUOTED)
def test_what_is_quoted_is_printed_or_shown_somewhere(quoted: str) -> None:
    """Three dots and words in capitals stand for what differs from time to time."""
    pieces = [piece.strip() for piece in re.split(r"\.\.\.|\b[A-Z]{5,}(?:\[PARTITION\])?", quoted)]
    assert [piece for piece in pieces if piece not in SHOWN] == []


def test_there_is_something_quoted() -> None:
    assert {"giving up:", "took partitions", "Ages"} <= set(QUOTED)


def test_every_command_of_ours_exists() -> None:
    named = set(re.findall(rf"\b{NAME} ([a-z][a-z-]+)(?=[ `])", TEXT))
    assert {"topics", "dead-letters"} <= named <= set(ROWS)


def test_every_setting_exists() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", TEXT))
    assert "RETRY_DELAYS" in named
    assert named <= {name.upper() for name in Settings.model_fields}
