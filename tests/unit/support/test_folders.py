"""tests/README.md has a line for each folder, and its figures come from pytest's reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.folders import ROW, TABLE, TESTS, filled, measured, with_tests

if TYPE_CHECKING:
    from pathlib import Path

REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.web.ops.test_pages" name="test_a" time="1.25" />
<testcase classname="tests.unit.web.ops.test_pages.TestIt" name="test_b" time="2.5" />
<testcase classname="tests.unit.test_cli" name="test_c" time="0.4" />
</testsuite></testsuites>"""


def test_each_folder_has_one_line_and_no_other_has() -> None:
    rows = ROW.findall(TABLE.read_text(encoding="utf-8"))
    told = [folder for folder, *_ in rows]
    helpers = {each.name for each in TESTS.iterdir() if each.is_dir() and each.name != "__pycache__"}
    assert len(told) == len(set(told))
    assert set(told) == with_tests() | helpers


def test_a_report_s_figures_stand_in_the_lines_of_their_folders(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    text = "\n".join(f"| `{name}` | It. | - | - |" for name in ("unit", "unit/web/ops", "flow"))

    assert filled(text, measured([report])).splitlines() == [
        "| `unit` | It. | 1 | 0 |",
        "| `unit/web/ops` | It. | 2 | 4 |",
        "| `flow` | It. | - | - |",
    ]
