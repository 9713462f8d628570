"""The command line, as a shell sees it."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping

import click
import pytest

from app.commands.cli import ROWS, cli, ending
from app.commands.status import MEANINGS, ExitStatus, status_of
from app.local.jars import KafkaUnavailableError
from app.settings import SettingsWrong
from app.stream.kafka import KafkaAway
from app.stream.topology import TopicsWrong

CLOSED = "127.0.0.1:1"


def called(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_shows_commands_examples_and_exit_statuses() -> None:
    done = called("--help")
    assert done.returncode == 0
    for name, row in ROWS.items():
        assert re.search(rf"^  {name} +{re.escape(row.does)}$", done.stdout, re.MULTILINE)
    assert "servicetitan-stream topics --check" in done.stdout
    for status, meaning in MEANINGS.items():
        assert f"  {status.value}  {meaning}" in done.stdout
    assert "\x1b[" not in done.stdout


def test_help_imports_no_command() -> None:
    modules = sorted({row.where.partition(":")[0] for row in ROWS.values()})
    script = (
        "import sys; from app.commands.cli import run; status = run(['--help']); "
        f"print(status, [name for name in {modules} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "0 []"


@pytest.mark.parametrize("name", ROWS)
def test_each_command_has_help_with_examples(name: str) -> None:
    command = ROWS[name].load()
    assert command.name == name
    text = command.get_help(click.Context(command, info_name=name))
    assert "Examples:" in text
    assert f"{name}" in text.partition("Examples:")[2]


def test_nothing_of_fausts_own_is_left_but_what_is_ours() -> None:
    context = click.Context(cli)
    assert cli.list_commands(context) == list(ROWS)
    assert {option for parameter in cli.get_params(context) for option in parameter.opts} == {
        "--help",
        "--version",
    }
    assert cli.get_command(context, "livecheck") is None


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["topics", "--nonsense"], ["topics", "--wait", "soon"], ["-A", "x", "topics"], []],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    done = called(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_wrong_settings_are_2_and_one_line() -> None:
    done = called("topics", environ={"TOPIC_PARTITIONS": "none"})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("TOPIC_PARTITIONS is 'none': ")
    assert done.stderr.endswith("; allowed: 1 to 1000\n")


def test_kafka_away_is_3_and_says_what_to_do() -> None:
    done = called("topics", "--wait", "0", environ={"KAFKA_BOOTSTRAP_SERVERS": CLOSED})
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "KAFKA_BOOTSTRAP_SERVERS" in done.stderr


@pytest.mark.parametrize("url", ["https://api.servicetitan.io", "api.servicetitan.io/v2"])
def test_what_simulates_refuses_live_mode_in_one_line(url: str) -> None:
    done = called("simulator", environ={"SERVICETITAN_API_URL": url})
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "SERVICETITAN_API_URL" in done.stderr


def test_what_simulates_refuses_a_mode_that_is_said_to_be_live() -> None:
    said = {"SERVICETITAN_API_URL": "https://proxy.example.com", "SERVICETITAN_MODE": "Live"}
    done = called("simulator", environ=said)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert "SERVICETITAN_MODE" in done.stderr


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (SettingsWrong("x"), ExitStatus.WRONG),
        (KafkaAway("x"), ExitStatus.KAFKA),
        (TopicsWrong(["x", "y"]), ExitStatus.KAFKA),
        (KafkaUnavailableError("x"), ExitStatus.KAFKA),
        (ZeroDivisionError(), None),
    ],
)
def test_each_known_problem_has_its_status(problem: Exception, status: ExitStatus | None) -> None:
    assert status_of(problem) is status


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        ending(lambda: 1 // 0)


def test_ctrl_c_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    assert ending(stopped) == ExitStatus.NOT_DONE
    assert capsys.readouterr().err == "Stopped.\n"


def test_what_a_command_gives_is_the_status_if_it_is_a_number() -> None:
    assert ending(lambda: ExitStatus.GAVE_UP) == 4
    assert ending(lambda: None) == 0


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m app --help | true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
