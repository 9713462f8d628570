"""The README is true: every command in it is run here, ports and topics apart."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.local.kafka import free_port
from tests.slow.test_demo import COMMAND as DEMO
from tests.support import kafka_tools

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from tests.support.flow import Flow

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
# In tables and in running text commands stand between back quotes.
INLINE = re.findall(r"`((?:servicetitan-stream|curl|uv run) [^`]+)`", README)

# The first two lines set everything up: CI runs the second, and the first is the demo that is run below.
SET_UP = {
    "pip install uv && uv run servicetitan-stream demo",
    "pip install uv && uv run pytest",
}
RUN = {
    "uv run servicetitan-stream send example --booking-id BK-7",
    "uv run servicetitan-stream booking BK-7",
    "uv run servicetitan-stream broker --port 9092",
    "uv run servicetitan-stream simulator",
    "uv run servicetitan-stream worker",
    "DATA_DIR=./data-2 WEB_PORT=6067 uv run servicetitan-stream worker",
    "servicetitan-stream topics --check",
    "curl localhost:6066/api/integrations/servicetitan/health",
    "curl localhost:6066/metrics",
    "servicetitan-stream booking BK-1",
    "servicetitan-stream dead-letters list",
}
BENCH = "uv run python -m tests.bench"
WALKS = "uv run python -m tests.model --walks 1000"
BUSINESS = "servicetitan-stream business"
ONE_FILE = "uv run pytest tests/unit/booking/test_reason_words.py"
IN_CI = {
    "uv run pytest tests/slow",
    "uv run ruff check .",
    "uv run ruff format --check .",
    "uv run mypy",
}
CI = "bash .ci/run"
PROGRAM = "uv run python book.py"
TABLES = "uv run python -m tests.readme"  # tests/unit holds the tables and the code together


def commands() -> list[str]:
    """Every command line of the README."""
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in joined(text)]
    return [*lines, *INLINE]


def joined(text: str) -> list[str]:
    """The commands of a block; one that goes on over several lines, as one."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if lines and (lines[-1].count("'") % 2 or lines[-1].endswith(("|", "\\"))):
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    return lines


def posting() -> str:
    """The README's POST of a booking."""
    return next(line for line in commands() if line.startswith("curl -X POST"))


def rehearsal() -> list[str]:
    """The commands of the chapter about going live, in their order."""
    chapter = README.partition("\n## Go live\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", chapter, flags=re.MULTILINE | re.DOTALL)
    return [line for text in blocks for line in joined(text)]


def by_hand() -> tuple[str, str]:
    """The README's two uses of Kafka's own command line: what sends, and what reads."""
    sends, reads = (line for line in commands() if "kafka-console-" in line)
    return sends, reads


def test_every_command_of_the_readme_is_run_here() -> None:
    assert {*commands()} == {
        *SET_UP,
        *RUN,
        BUSINESS,
        *rehearsal(),
        *IN_CI,
        ONE_FILE,
        CI,
        DEMO,
        BENCH,
        WALKS,
        PROGRAM,
        TABLES,
        posting(),
        *by_hand(),
    }


def test_ci_runs_the_readme_s_checks() -> None:
    script = (ROOT / shlex.split(CI)[-1]).read_text(encoding="utf-8")
    sections = set(re.findall(r'^section "[^"]+" (.+?)(?: --durations=\d+)?$', script, flags=re.MULTILINE))
    assert sections >= IN_CI


async def test_one_file_s_tests_run_by_themselves() -> None:
    status, output = await run(*shlex.split(ONE_FILE))

    assert status == 0, output


async def run(*arguments: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run to the end; gives the exit status and all output."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env=None if environ is None else dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_a_booking_system_in_a_few_lines_of_python_and_with_kafkas_command_line(
    flow: Flow, tmp_path: Path
) -> None:
    program = tmp_path / shlex.split(PROGRAM)[-1]
    program.write_text(on(flow, next(text for kind, text in BLOCKS if kind == "python")))

    status, output = await run(sys.executable, str(program))

    assert status == 0, output
    view = await flow.view("BK-1", state="active")
    assert view["job"]["customer"]["name"] == "Ann Lee"

    kafka_tools.install(tmp_path)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    sends, reads = (on(flow, line) for line in by_hand())

    status, output = await run("bash", "-euo", "pipefail", "-c", sends, environ=environ)

    assert status == 0, output
    await flow.view("BK-1", state="ended")

    status, output = await run("bash", "-c", f"{reads} --max-messages 2", environ=environ)

    assert status == 0, output
    assert '"type":"job.created"' in output
    assert '"type":"job.cancelled"' in output


def on(flow: Flow, text: str) -> str:
    """The README's text with this test's Kafka and topics."""
    text = text.replace("localhost:9092", flow.settings.kafka_bootstrap_servers[0])
    for topic in (flow.topics.booking_events, flow.topics.jobs):
        text = re.sub(rf"\b{topic.name.removeprefix(flow.settings.topic_prefix)}\b", topic.name, text)
    return text


async def test_the_same_over_http(flow: Flow) -> None:
    await until_healthy(flow.settings.web_port)
    here = posting().replace("127.0.0.1:6066", f"127.0.0.1:{flow.settings.web_port}")

    status, output = await run(*shlex.split(here), "--silent")

    assert status == 0, output
    assert json.loads(output)["data"]["status"] == "scheduled", output


@pytest.mark.timeout(300)
async def test_the_model_walks_through_stories() -> None:
    status, output = await run(*shlex.split(WALKS))

    assert status == 0, output
    assert output.startswith("1000 walks, "), output


async def test_the_business_file_that_is_printed_is_one(
    tmp_path: Path, environ_of: Mapping[str, str]
) -> None:
    file = tmp_path / "business.toml"
    status, output = await run("bash", "-euc", f"{BUSINESS} > {file}", environ=environ_of)
    assert status == 0, output
    status, output = await run(*shlex.split(BUSINESS), environ={**environ_of, "BUSINESS_FILE": str(file)})
    assert (status, output) == (0, file.read_text(encoding="utf-8"))


async def test_the_benchmark_measures() -> None:
    """Its shortest part: the whole takes a quarter of an hour, and is no test."""
    status, output = await run(*shlex.split(BENCH), "calls", "--quick")

    assert status == 0, output
    assert "calls per job" in output


@pytest.mark.timeout(300)
async def test_all_of_it_by_hand(tmp_path: Path, environ_of: Mapping[str, str]) -> None:
    kafka, simulator, web, web2 = (free_port() for _ in range(4))
    environ = {
        **environ_of,
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka}",
        "SERVICETITAN_API_URL": f"http://127.0.0.1:{simulator}",
    }
    started = [
        await start(tmp_path / "broker", f"broker --port {kafka}", environ),
        await start(tmp_path / "simulator", f"simulator --port {simulator}", environ),
        await start(
            tmp_path / "worker", "worker", environ | {"DATA_DIR": f"{tmp_path}/1", "WEB_PORT": str(web)}
        ),
        await start(
            tmp_path / "second", "worker", environ | {"DATA_DIR": f"{tmp_path}/2", "WEB_PORT": str(web2)}
        ),
    ]
    try:
        await until_healthy(web)
        await until_healthy(web2)
        status, output = await run("servicetitan-stream", "topics", "--check", environ=environ)
        assert status == 0, output
        status, output = await run("servicetitan-stream", "topics", environ=environ)
        assert status == 0, output
        here = environ | {"WEB_PORT": str(web)}
        for booking_id in ("BK-1", "BK-7"):
            status, output = await run(
                "servicetitan-stream", "send", "example", "--booking-id", booking_id, environ=here
            )
            assert status == 0, output
            await until_active(booking_id, here)
        status, output = await run("servicetitan-stream", "dead-letters", "list", environ=here)
        assert status == 0, output
        status, output = await run("servicetitan-stream", "check", "--json", environ=here)
        assert (status, json.loads(output)["well"]) == (0, True), output
        away = here | {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
        status, output = await run("servicetitan-stream", "check", "--wait", "1", environ=away)
        missing = [line for line in output.splitlines() if line.startswith("MISSING")]
        assert (status, len(missing)) == (1, 1), output
        assert "Kafka and topics" in missing[0]
        status, output = await run("curl", "--silent", f"localhost:{web}/metrics")
        assert "servicetitan_stream_info" in output, output
    finally:
        for process in reversed(started):
            process.terminate()
            await process.wait()


@pytest.mark.timeout(300)
async def test_going_live_is_rehearsed_line_by_line(tmp_path: Path, environ_of: Mapping[str, str]) -> None:
    copy = tmp_path / "deploy" / "rehearsal"
    shutil.copytree(ROOT / "deploy" / "rehearsal", copy)
    ports = {"9092": free_port(), "8200": free_port(), "6066": free_port()}
    environ = {**environ_of, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{ports['9092']}"}
    environ |= {"SERVICETITAN_API_URL": f"http://127.0.0.1:{ports['8200']}", "WEB_PORT": str(ports["6066"])}
    settings = copy / "settings.env"
    settings.write_text(with_ports(settings.read_text(encoding="utf-8"), ports), encoding="utf-8")
    broker, simulator, before, set_up, topics, after, worker, again, *bookings, shown = (
        with_ports(line, ports).replace("uv run ", "") for line in rehearsal()
    )
    assert again == set_up

    async def do(line: str) -> tuple[int, str]:
        return await run("bash", "-c", f"cd {tmp_path} && {line}", environ=environ)

    def begin(name: str, line: str) -> Awaitable[asyncio.subprocess.Process]:
        return start_shell(tmp_path / name, f"cd {tmp_path} && {line}", environ)

    here = f"exec {simulator} --port {ports['8200']}"
    started = [await begin("broker", f"exec {broker}"), await begin("simulator", here)]
    try:
        await until_said(tmp_path / "simulator", "Simulated ServiceTitan on ")
        status, output = await do(f"{before} --wait 60")
        missing = {line.split()[1] for line in output.splitlines() if line.startswith("MISSING")}
        assert (status, missing) == (1, {"names", "slots", "Kafka"}), output
        assert "'Phoenix_Metro' is not among" in output
        for line in (topics, after):
            status, output = await do(f"{set_up} && {line}")
            assert status == 0, output
        started.append(await begin("worker", f"{set_up} && exec {worker}"))
        await until_healthy(ports["6066"])
        for line in bookings:
            status, output = await do(f"{set_up} && {line}")
            assert status == 0, output
        async with asyncio.timeout(120):
            while "ended" not in output:
                await asyncio.sleep(1)
                status, output = await do(f"{set_up} && {shown}")
        assert "El Paso - Residential Service" in output
        _, output = await run("curl", "--silent", f"localhost:{ports['8200']}/simulator/jobs")
        assert {name: len(jobs) for name, jobs in json.loads(output)["jobs"].items()} == {
            "GO-1": 1,
            "GO-2": 1,
        }
    finally:
        for process in reversed(started):
            process.terminate()
            await process.wait()


def with_ports(text: str, ports: Mapping[str, int]) -> str:
    """The README's text with this test's ports."""
    return re.sub("|".join(ports), lambda found: str(ports[found[0]]), text)


@pytest.fixture
def environ_of() -> Mapping[str, str]:
    """This process's environment, with the command line on its path, as `uv run` makes it."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


async def start(log: Path, command: str, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start one of the README's long-running commands."""
    return await start_shell(log, f"exec servicetitan-stream {command}", environ)


async def start_shell(log: Path, line: str, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start a line of the shell's; what it puts in its own place is what ends with it."""
    with log.open("wb") as file:
        return await asyncio.create_subprocess_exec(
            *("bash", "-c", line),
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


async def until_said(log: Path, words: str) -> None:
    """Return once a command that was started has said so."""
    async with asyncio.timeout(60):
        while words not in log.read_text(encoding="utf-8"):
            await asyncio.sleep(0.2)


async def until_healthy(port: int) -> None:
    """Return once the README's health command says so."""
    address = f"localhost:{port}/api/integrations/servicetitan/health"
    async with asyncio.timeout(120):
        while True:
            _, output = await run("curl", "--silent", address)
            if '"status":"healthy"' in output:
                return
            await asyncio.sleep(0.5)


async def until_active(booking_id: str, environ: Mapping[str, str]) -> None:
    """Return once the README's command shows the booking with its job."""
    async with asyncio.timeout(60):
        while True:
            status, output = await run("servicetitan-stream", "booking", booking_id, environ=environ)
            if status == 0 and "active" in output:
                return
            await asyncio.sleep(0.5)
