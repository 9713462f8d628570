"""`business`: the file in use, as it is, so that a copy of it is a business file again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.booking.business import parse
from app.business_file import load_business, text_of
from app.commands.cli import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_shipped_file_is_printed_and_is_a_business_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["business"]) == 0
    printed = capsys.readouterr().out
    assert printed == text_of(None)
    assert parse(printed) == load_business()


def test_the_file_in_use_is_printed_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    text = text_of(None).replace("A1 Garage Door Service", "Tür & Söhne")
    monkeypatch.setenv("BUSINESS_FILE", str(file))
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text(text, encoding=encoding)
        assert run(["business"]) == 0
        assert capsys.readouterr().out == text
        assert load_business(file).name == "Tür & Söhne"


def test_a_file_that_is_wrong_is_told_by_a_line_each_with_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text_of(None).replace('"high"', '"hi"', 1).replace("campaign =", "campain ="))
    monkeypatch.setenv("BUSINESS_FILE", str(file))
    assert run(["business"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.split(": ")[1] for line in printed.err.splitlines()] == [
        "campaign",
        "problems.broken_spring.priority",
        "campain",
    ]
