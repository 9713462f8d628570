"""The demo, as people run it: it ends by itself with its verdict, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from app.local.kafka import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = "uv run servicetitan-stream demo --once --bookings 60"
"""The README's; all kinds of bookings are among so many."""
BOOKINGS = 60
PATIENCE_SECONDS = 150


@contextmanager
def demo(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, "-m", "app", "demo", *arguments],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(happened: str, running: subprocess.Popen[str], said: list[str]) -> str:
    """The first line of the output that begins so."""
    assert running.stdout
    for line in running.stdout:
        said.append(line)
        if line.startswith(happened):
            return line
    raise AssertionError(f"the demo never said {happened!r}:\n{''.join(said)}")


def all_is_gone(ports: list[int], folder: Path) -> bool:
    deadline = time.monotonic() + 30
    while any(is_listening(port) for port in ports) or folder.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.timeout(PATIENCE_SECONDS + 30)
def test_it_ends_by_itself_with_0_when_each_booking_ended_as_its_script_says() -> None:
    """Whatever the environment says of the real ones, it is Kafka and ServiceTitan of its own."""
    elsewhere = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "SERVICETITAN_TENANT_ID": "invalid_tenant",
        "TOPIC_PREFIX": "mine-",
    }
    with demo(*COMMAND.partition(" demo ")[2].split(), **elsewhere) as running:
        output, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, output
    (line,) = [line for line in output.splitlines() if line.startswith("│ all")]
    assert line.split() == ["│", "all", "│", str(BOOKINGS), "│", str(BOOKINGS), "│"]
    # Its changes came from the simulated ServiceTitan alone, by webhooks.
    (living,) = [line for line in output.splitlines() if line.startswith("│ lives by itself")]
    planned, ended = (int(cell) for cell in living.split("│")[2:4])
    assert planned == ended > 0
    assert "/ops" in output
    assert "Traceback" not in output


@pytest.mark.timeout(PATIENCE_SECONDS + 30)
def test_it_leaves_a_held_booking_and_a_group_to_put_right_and_nothing_when_it_is_interrupted() -> None:
    said: list[str] = []
    options, ports = chosen_ports()
    with demo("--bookings", "5", *options) as running:
        folder = Path(until("logs:", running, said).split()[1])
        until("Left for you", running, said)
        held = until("  e-mail error@test.com: repair it at ", running, said).split()[-1]
        group = until("  3 bookings came while a scope was missing", running, said).split()[-1]
        assert "customer-conflict" in page(held)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while page(group).count('name="booking"') != 3:
            assert time.monotonic() < deadline, page(group)
            time.sleep(0.1)
        assert "Plan a redrive" in page(group)
        assert all(is_listening(port) for port in ports)
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in output
        assert all_is_gone(ports, folder)


def page(address: str) -> str:
    with urlopen(address, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - an address of the demo's own
        text: str = answer.read().decode()
        return text


@pytest.mark.timeout(PATIENCE_SECONDS + 30)
def test_nothing_is_left_when_it_is_killed() -> None:
    said: list[str] = []
    options, ports = chosen_ports()
    with demo("--bookings", "1", *options) as running:
        folder = Path(until("logs:", running, said).split()[1])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(is_listening(port) for port in ports):
            assert time.monotonic() < deadline, "".join(said)
            time.sleep(0.1)
        running.kill()
        output, _ = running.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in output
        assert all_is_gone(ports, folder)


def chosen_ports() -> tuple[list[str], list[int]]:
    """Options that set the ports of Kafka, simulator and page, and the ports."""
    ports = [free_port() for _ in range(3)]
    names = ("--kafka-port", "--simulator-port", "--web-port")
    return [part for name, port in zip(names, ports, strict=True) for part in (name, str(port))], ports
