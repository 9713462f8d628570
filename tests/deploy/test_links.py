"""Links between documents, and from them to code, lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.deploy.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *(file for folder in ("app", "deploy", "tests") for file in sorted((ROOT / folder).rglob("*.md"))),
]


def links(text: str) -> list[tuple[str, str]]:
    """(path, heading) of each relative link; either may be empty."""
    found = re.findall(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)", text)
    return [(path, heading) for path, heading in found if "://" not in path]


def headings(text: str) -> set[str]:
    """The names by which a document's headings are linked to."""
    lines = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def broken(document: Path) -> list[str]:
    """The links of a document that lead nowhere."""
    found: list[str] = []
    for path, heading in links(document.read_text(encoding="utf-8")):
        target = document.parent / path if path else document
        if not target.exists():
            found.append(path)
        elif heading and heading not in headings(target.read_text(encoding="utf-8")):
            found.append(f"{path}#{heading}")
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    assert broken(document) == []


def test_the_readme_has_links() -> None:
    assert ("deploy/RUNBOOK.md", "") in links((ROOT / "README.md").read_text(encoding="utf-8"))


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# A b\n[x](none.md) [y](#a-b) [z](#c) [w](https://example.com/none) [v](a.md#a-b)")
    assert broken(document) == ["none.md", "#c"]
