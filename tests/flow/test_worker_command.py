"""How a worker starts and ends: each way in one line and with its own exit status."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from app.settings import load
from app.stream.kafka import connection
from app.stream.provision import ensure
from app.stream.topology import topics
from tests.support.topics import ToSend, create_topics, produce

PATIENCE_SECONDS = 60


@pytest.fixture
def environ(kafka: str, unique_prefix: str, tmp_path: Path) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TOPIC_PREFIX": unique_prefix,
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        "TOPIC_PARTITIONS": "2",
        "DATA_DIR": str(tmp_path / "data"),
        "WEB_PORT": str(free_port()),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def worker(environ: Mapping[str, str], *, wait: int = 60) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.support.worker", str(wait)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def ended(running: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The exit status and the lines on stderr."""
    _, errors = running.communicate(timeout=PATIENCE_SECONDS)
    assert "Traceback" not in "".join(line for line in errors.splitlines() if not line.startswith("{")), (
        errors
    )
    return running.returncode, errors.splitlines()


def is_ready(running: subprocess.Popen[str]) -> bool:
    assert running.stdout
    return running.stdout.readline() == "ready\n"


def test_sigterm_ends_a_worker_with_0_and_all_it_says_is_json(environ: dict[str, str]) -> None:
    with worker(environ) as running:
        assert is_ready(running)
        running.send_signal(signal.SIGTERM)
        status, lines = ended(running)
    events = [orjson.loads(line) for line in lines]
    assert status == 0
    assert [(each["event"], each["mode"]) for each in events if each["event"] == "starting"] == [
        ("starting", "simulation")
    ]


def test_ctrl_c_ends_a_worker_with_0(environ: dict[str, str]) -> None:
    with worker(environ) as running:
        assert is_ready(running)
        running.send_signal(signal.SIGINT)
        assert ended(running)[0] == 0


def test_a_worker_that_gives_up_ends_with_4_and_says_why(environ: dict[str, str]) -> None:
    with worker(environ) as running:
        assert is_ready(running)
        events = topics(load(environ)).booking_events.name
        asyncio.run(produce(environ["KAFKA_BOOTSTRAP_SERVERS"], events, [ToSend(b"b-1", b"give up")]))
        status, lines = ended(running)
    assert status == 4
    last = orjson.loads(lines[-1])
    assert (last["event"], last["reason"]) == ("the worker gave up", "it was asked to")


def test_a_worker_that_finds_its_topics_changed_ends_with_3_and_says_what_to_do(
    environ: dict[str, str],
) -> None:
    with worker(environ) as running:
        assert is_ready(running)
        events = topics(load(environ)).booking_events.name
        asyncio.run(produce(environ["KAFKA_BOOTSTRAP_SERVERS"], events, [ToSend(b"b-1", b"stop")]))
        status, lines = ended(running)
    assert status == 3
    assert lines[-1] == "booking-events: it was asked to"


def test_a_second_worker_on_one_data_dir_ends_with_2(environ: dict[str, str]) -> None:
    with worker(environ) as first:
        assert is_ready(first)
        with worker({**environ, "WEB_PORT": str(free_port())}) as second:
            status, lines = ended(second)
    assert status == 2
    assert len(lines) == 1
    assert "DATA_DIR" in lines[0]
    assert str(first.pid) in lines[0]


def test_the_lock_ends_with_its_holder_however_it_ends(environ: dict[str, str]) -> None:
    with worker(environ) as first:
        assert is_ready(first)
        first.kill()
        first.wait()
    with worker(environ) as second:
        assert is_ready(second)


async def members(environ: Mapping[str, str]) -> set[str]:
    """Who is in the workers' group, by the broker."""
    settings = load(environ)
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        (described,) = await admin.describe_consumer_groups([topics(settings).consumer_group])
        return {member[0] for group in described.groups for member in group[5]}
    finally:
        await admin.close()


def test_a_worker_that_died_is_out_of_its_group_before_the_next_one_on_its_folder_joins(
    environ: dict[str, str],
) -> None:
    environ["KAFKA_SESSION_TIMEOUT_SECONDS"] = "120"
    with worker(environ) as first:
        assert is_ready(first)
        (dead,) = asyncio.run(members(environ))
        first.kill()
        first.wait()
    assert asyncio.run(members(environ)) == {dead}
    with worker(environ) as second:
        assert second.stdout
        # The group would wait for the dead one twice as long.
        assert select.select([second.stdout], [], [], PATIENCE_SECONDS)[0]
        assert is_ready(second)
        (alive,) = asyncio.run(members(environ))
        second.send_signal(signal.SIGTERM)
        status, lines = ended(second)
    assert alive != dead
    assert status == 0
    said = [orjson.loads(line)["event"] for line in lines]
    took, joined = "took the last worker", "2 partitions were assigned"
    found = [what for one in said for what in (took, joined) if one.startswith(what)]
    assert found == [took, joined]


@pytest.mark.parametrize(
    "wrong",
    [
        {"WEB_PORT": "many"},
        {"DATA_DIR": "/dev/null/data"},
        {"SERVICETITAN_API_URL": "https://api.servicetitan.io"},
        {"KAFKA_BOOTSTRAP_SERVER": "typo:9092"},
    ],
)
def test_wrong_settings_end_with_2_and_one_line(environ: dict[str, str], wrong: dict[str, str]) -> None:
    with worker({**environ, **wrong}) as running:
        status, lines = ended(running)
    assert status == 2
    assert len(lines) == 1
    assert next(iter(wrong)) in lines[0]


def test_a_taken_port_ends_with_2_and_one_line(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with worker({**environ, "WEB_PORT": port}) as running:
            status, lines = ended(running)
    assert status == 2
    assert len(lines) == 1
    assert f"WEB_PORT {port}" in lines[0]


def test_kafka_away_ends_with_3_after_a_wait_that_was_said(environ: dict[str, str]) -> None:
    with worker({**environ, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}, wait=1) as running:
        status, lines = ended(running)
    assert status == 3
    assert len(lines) == 2
    assert "waiting up to 1 s" in orjson.loads(lines[0])["event"]
    assert "KAFKA_BOOTSTRAP_SERVERS" in lines[1]


def test_sigterm_while_waiting_for_kafka_ends_with_0(environ: dict[str, str]) -> None:
    with worker({**environ, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}) as running:
        assert running.stderr
        assert "waiting" in running.stderr.readline()
        running.send_signal(signal.SIGTERM)
        assert ended(running)[0] == 0


def test_topics_that_differ_end_with_3_and_a_line_for_each(environ: dict[str, str]) -> None:
    asked = load(environ)
    asyncio.run(ensure(topics(asked), connection(asked)))
    with worker({**environ, "TOPIC_PARTITIONS": "3"}) as running:
        status, lines = ended(running)
    assert status == 3
    assert len(lines) == len(list(topics(asked)))
    assert all("partitions is 2, not 3" in line for line in lines)


async def test_a_changelog_with_other_partitions_than_its_sources_ends_with_3(
    environ: dict[str, str],
) -> None:
    changelog = topics(load(environ)).changelog("bookings")
    await create_topics(
        environ["KAFKA_BOOTSTRAP_SERVERS"], changelog.name, partitions=5, config=changelog.config
    )
    with worker(environ) as running:
        status, lines = ended(running)
    assert status == 3
    assert [line.partition(":")[0] for line in lines] == [changelog.name]
