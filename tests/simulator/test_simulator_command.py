"""The command as a process of its own."""

import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from app.simulator.command import simulator as command

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = [sys.executable, "-m", "app", "simulator"]


def run(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def process() -> "Iterator[subprocess.Popen[str]]":
    with run("--port", "0", "--delays", "none", "--seed", "7", "--verbose") as made:
        yield made
        made.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_with_0(
    process: "subprocess.Popen[str]", number: signal.Signals
) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.match(r"Simulated ServiceTitan on (http://127\.0\.0\.1:\d+) \(simulation.*\)", line)
    assert found, line
    with urllib.request.urlopen(f"{found[1]}/simulator") as page:  # noqa: S310 - our own process
        assert b"Seed 7" in page.read()
    form = b"grant_type=client_credentials&client_id=a&client_secret=b"
    with urllib.request.urlopen(f"{found[1]}/connect/token", form) as token:  # noqa: S310 - the same
        assert token.status == 200
    process.send_signal(number)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = log.strip().splitlines()
    assert [line for line in lines if "POST /connect/token 200" in line]
    assert all("SIMULATION" in line for line in lines), log


def test_a_taken_port_is_told_in_one_line(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    found = re.search(r":(\d+) ", process.stdout.readline())
    assert found
    with run("--port", found[1]) as second:
        _, log = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{found[1]}" in log
    assert "Traceback" not in log


def test_help_shows_examples() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    assert "servicetitan-stream simulator --port 0 --delays none" in result.output
    assert "simulation" in result.output.lower() or "simulated" in result.output.lower()


@pytest.mark.parametrize(
    "arguments",
    [["--port", "70000"], ["--failure-rate", "2"], ["--delays", "some"], ["--tenant", "b2"], ["--odd"]],
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2
