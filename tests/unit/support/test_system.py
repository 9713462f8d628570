from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.system import VARIABLE, ProgramMissing, install, packages_for

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


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What the only apt-get there is was asked, one line for each call; root asks."""
    asked = tmp_path / "asked"
    program = tmp_path / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return asked


def test_what_is_installed_is_said_before(apt: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install(["chromium", "prometheus"])

    assert "apt-get installs: chromium prometheus" in capfd.readouterr().err
    assert apt.read_text().splitlines()[-1].endswith("chromium prometheus")


@pytest.mark.parametrize(
    ("value", "says"), [("no", "chromium.*TESTS_MAY_INSTALL is no"), ("nein", "yes .the default. or no")]
)
def test_one_setting_refuses_it(monkeypatch: pytest.MonkeyPatch, apt: Path, value: str, says: str) -> None:
    monkeypatch.setenv(VARIABLE, value)

    with pytest.raises(ProgramMissing, match=says):
        install(["chromium"])
    assert not apt.exists()
