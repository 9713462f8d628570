from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.system import ProgramMissing, install, packages_for

if TYPE_CHECKING:
    from pathlib import Path


def test_tests_that_need_nothing_bring_nothing() -> None:
    assert packages_for(["tests/unit/test_cli.py::test_help"]) == []


def test_a_program_that_is_missing_is_brought_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    chosen = [
        "tests/browser/test_a.py::one",
        "tests/browser/test_a.py::two",
        "tests/flow/test_prometheus.py::x",
    ]

    assert packages_for(chosen) == ["chromium", "prometheus"]


def test_a_program_that_is_there_is_not_brought(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "promtool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert packages_for(["tests/deploy/test_alerts.py::one"]) == []


def test_where_nothing_can_be_installed_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("apt-get") is None

    with pytest.raises(ProgramMissing, match="these tests need: chromium"):
        install(["chromium"])
