"""How long the tests of each folder take, from pytest's reports: `python -m tests.folders FAST.xml SLOW.xml`.

A report is what `uv run pytest --junitxml=FAST.xml` writes. The figures go into tests/README.md, beside what
each folder proves; a test holds its lines to the folders.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TESTS = Path(__file__).parent
TABLE = TESTS / "README.md"
ROW = re.compile(r"^\| `([\w/]+)` \| (.+?) \| (\d+|-) \| (\d+|-) \|$", flags=re.MULTILINE)
"""Folder, what it proves, tests, seconds."""


def with_tests(tests: Path = TESTS) -> set[str]:
    """The folders that have tests of their own, below `tests`."""
    return {file.parent.relative_to(tests).as_posix() for file in tests.rglob("test_*.py")}


def measured(reports: Iterable[Path]) -> Mapping[str, tuple[int, float]]:
    """By folder, its tests and the seconds they took, added up although several ran at once."""
    times = defaultdict[str, list[float]](list)
    for report in reports:
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own reports
            _, *module = case.attrib["classname"].split(".")
            folder = "/".join(takewhile(lambda part: not part.startswith("test_"), module))
            times[folder].append(float(case.attrib["time"]))
    return {folder: (len(each), sum(each)) for folder, each in times.items()}


def filled(text: str, figures: Mapping[str, tuple[int, float]]) -> str:
    """The document with these figures; the rows of folders that were not measured stay as they are."""

    def row(found: re.Match[str]) -> str:
        if found[1] not in figures:
            return found[0]
        number, seconds = figures[found[1]]
        return f"| `{found[1]}` | {found[2]} | {number} | {seconds:.0f} |"

    return ROW.sub(row, text)


if __name__ == "__main__":
    TABLE.write_text(filled(TABLE.read_text("utf-8"), measured(map(Path, sys.argv[1:]))), "utf-8")
