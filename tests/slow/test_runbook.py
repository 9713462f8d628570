"""Every command of the runbook is run, in order, beside a worker, a real Kafka and a simulated ServiceTitan.

Where compose or Kubernetes would be asked, a script of the same name asks this machine; what they are asked
is held by tests/deploy/test_runbook.py.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import kafka_tools
from tests.support.flow import CREATE_JOB, booking, flow_on, simulated
from tests.support.runbook import COMPOSE, commands, functions
from tests.support.simulated import add_customer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.flow import Flow

PATIENCE_SECONDS = 60

WORKERS = r"""
while :; do
  servicetitan-stream worker >>"$HERE/log" 2>&1 &
  echo $! >"$HERE/new" && mv "$HERE/new" "$HERE/pid"
  wait $!
  test -e "$HERE/forget" && { rm "$HERE/forget"; FORGET; }
done
"""
"""A supervisor: it starts the worker again each time it ends."""

SCRIPTS = {
    "workers": "ps -o pid,args --pid $(cat $HERE/pid)",
    "health": 'curl -sS "http://127.0.0.1:$WEB_PORT/api/integrations/servicetitan/health"',
    "logs": "cat $HERE/log",
    "restart": 'test "$1" = this-worker && restart_all',
    "restart_all": "kill -TERM $(cat $HERE/pid) && mv $HERE/pid $HERE/former && "
    "until test -e $HERE/pid; do sleep 0.05; done",
    "without_view": 'touch $HERE/forget && restart "$1"',
    "kafka": '"kafka-$1.sh" --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" "${@:2}"',
}


def test_each_function_of_the_runbook_is_here() -> None:
    assert {*SCRIPTS, "servicetitan-stream"} == set(functions(COMPOSE))


@pytest.mark.timeout(400)
async def test_every_command_of_the_runbook(kafka: str, unique_prefix: str, tmp_path: Path) -> None:
    environ = scripts(tmp_path)
    async with simulated() as simulator, flow_on(kafka, unique_prefix, tmp_path, simulator) as flow:
        environ |= flow.environ
        (forget,) = re.findall(r"rm -f [^']+", COMPOSE)
        supervisor = subprocess.Popen(
            ["bash", "-c", WORKERS.replace("FORGET", forget)], env=environ, cwd=tmp_path
        )
        try:
            await until_healthy(environ)
            await what_an_operator_finds(flow)
            done: list[str] = []
            for command in commands():
                await run(command, environ, flow)
                done.append(command)
                if re.match(r"restart|without_view", command):
                    await until_healthy(environ)
                if "repair BK-1001" in command:
                    assert (await flow.view("BK-1001", state="active"))["job"]["location"]
                if "retry BK-1002" in command:
                    await flow.view("BK-1002", state="active")
                if "discard BK-1003" in command:
                    await flow.view("BK-1003", state="closed")
                if "retry --reason" in command:
                    await flow.view("BK-1004", state="active")
        finally:
            supervisor.kill()
            supervisor.wait()
            os.kill(int((tmp_path / "pid").read_text()), 9)
    assert len(done) > 30


def scripts(folder: Path) -> dict[str, str]:
    """This process's environment, with the runbook's functions as scripts on its path."""
    kafka_tools.install(folder)
    for name, does in SCRIPTS.items():
        script = folder / name
        script.write_text(f"#!/bin/bash\n{does}\n")
        script.chmod(0o755)
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HERE": str(folder), "worker": "this-worker"}


async def what_an_operator_finds(flow: Flow) -> None:
    """Bookings held for the reasons that the commands name, and one record that nobody can read."""
    marked = add_customer(flow.simulator.state.world, phone="6025550172")
    marked.do_not_service = True
    await flow.send("created", "BK-1002", booking(phone="6025550172", address="1 Main St", zip="85001"))
    await flow.send("created", "BK-1001", booking(zip="00000", phone="6025550171"))
    await flow.send("created", "BK-1003", booking(zip="00000", phone="6025550173"))
    for booking_id in ("BK-1001", "BK-1002", "BK-1003"):
        await flow.view(booking_id, state="held")
    flow.fault("forbidden", CREATE_JOB, count=1)
    await flow.send("created", "BK-1004", booking(phone="6025550174"))
    await flow.view("BK-1004", state="held")
    marked.do_not_service = False
    await flow.send_raw(b"BK-1005", b"not JSON")
    await flow.dead("BK-1005")


async def run(command: str, environ: Mapping[str, str], flow: Flow) -> None:
    """Paste it, and type 1 where it asks how many; that a search of the log finds nothing is no failure."""
    person, terminal = os.openpty()
    os.write(person, b"1\n")
    here = re.sub(r"--group \S+", f"--group {flow.topics.consumer_group}", command)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", here),
        env=dict(environ),
        cwd=environ["HERE"],
        stdin=terminal,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, _ = await process.communicate()
    os.close(terminal)
    os.close(person)
    assert process.returncode == 0 or ("| grep" in command and not output), (command, output.decode())


async def until_healthy(environ: Mapping[str, str]) -> None:
    """Return once the worker says so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            process = await asyncio.create_subprocess_exec(
                "health", env=dict(environ), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            output, _ = await process.communicate()
            if b'"status":"healthy"' in output:
                return
            await asyncio.sleep(0.2)
