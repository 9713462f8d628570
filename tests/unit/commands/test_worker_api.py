"""What the commands that ask a worker share."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from rich.table import Table

from app.commands.worker_api import connected, new_console

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@connected
def shown(*, as_json: bool, url: str | None, key: str | None) -> None:
    click.echo(f"{as_json} {url} {key}")


def run(*arguments: str, **environ: str) -> tuple[int, str]:
    ended = CliRunner().invoke(shown, arguments, env=environ)
    return ended.exit_code, ended.output


def test_a_key_comes_from_a_file_or_the_environment_so_that_no_list_of_processes_shows_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "key"
    file.write_text("the-key-of-bo-000\n")
    assert run("--key", f"@{file}") == (0, "False None the-key-of-bo-000\n")
    assert run(API_KEY=f"@{file}") == run(API_KEY="the-key-of-bo-000") == run("--key", f"@{file}")
    assert run() == (0, "False None None\n")


def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    status, said = run("--key", f"@{tmp_path / 'none'}")
    assert status == 2
    assert "holds no key" in said


@pytest.mark.parametrize("strange", ["\x1b[2J", "\x9b31m", "\x07", "\u202e"])
def test_a_terminal_is_told_nothing_by_what_is_shown(strange: str) -> None:
    console = new_console()
    console.file = io.StringIO()
    table = Table(title=strange)
    table.add_column(strange)
    table.add_row(strange)
    console.print(table, strange)
    assert strange not in console.file.getvalue()
