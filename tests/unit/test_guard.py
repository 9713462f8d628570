"""The tests' own rules: no infrastructure in unit tests, nothing skipped, one Kafka of three."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.local.kafka import single_node_properties
from tests.support.broker import (
    DockerKafka,
    NamedKafka,
    OwnKafka,
    SharedKafka,
    choose_kafka,
    container_environment,
    kafka_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

ROOT = Path(__file__).parents[2]


def never() -> bool:
    raise AssertionError("Docker was asked")


def test_a_named_kafka_is_taken_without_asking_docker() -> None:
    chosen = choose_kafka({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}, never)
    assert chosen == NamedKafka("kafka:9092")
    with chosen.run() as servers:
        assert servers == "kafka:9092"


@pytest.mark.parametrize(("answers", "chosen"), [(True, DockerKafka()), (False, OwnKafka())])
def test_docker_is_taken_where_it_answers(answers: bool, chosen: DockerKafka | OwnKafka) -> None:
    assert choose_kafka({}, lambda: answers) == chosen
    assert choose_kafka({"KAFKA_BOOTSTRAP_SERVERS": ""}, lambda: answers) == chosen


def test_all_processes_get_one_kafka_and_it_starts_when_the_first_asks() -> None:
    told: list[str] = []

    @contextmanager
    def one() -> Iterator[str]:
        told.append("started")
        yield "here:9092"
        told.append("ended")

    shared = SharedKafka(one)
    assert told == []
    assert [kafka_of(shared.address), kafka_of(shared.address)] == ["here:9092"] * 2
    shared.close()
    assert told == ["started", "ended"]


def test_a_shared_kafka_that_does_not_start_says_why() -> None:
    def none() -> AbstractContextManager[str]:
        raise OSError("no room")

    shared = SharedKafka(none)
    with pytest.raises(RuntimeError, match="no room"):
        kafka_of(shared.address)
    shared.close()


def test_the_container_has_the_settings_of_the_local_kafka() -> None:
    variables = container_environment("10.0.0.7", 20001)
    assert variables["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://10.0.0.7:20001"
    assert (
        variables["KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS"]
        == single_node_properties()["group.min.session.timeout.ms"]
    )


def test_a_unit_test_cannot_reach_another_machine() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
        pytest.raises(AssertionError, match=r"192\.0\.2\.1"),
    ):
        out.connect(("192.0.2.1", 9))
    with pytest.raises(AssertionError, match=r"example\.invalid"):
        socket.getaddrinfo("example.invalid", 80)


def test_a_unit_test_may_talk_to_itself() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_a_unit_test_gets_no_kafka(tmp_path: Path) -> None:
    ended = run_pytest("def test_it(kafka): ...", tmp_path, like=ROOT / "tests" / "unit" / "conftest.py")
    assert ended.returncode == 1
    assert "a unit test asks for Kafka" in ended.stdout


SKIPS = "import unittest\ndef test_it(): ...\ndef test_other(): raise unittest.SkipTest"


@pytest.mark.parametrize(
    ("test", "processes", "status"), [("def test_it(): ...", 0, 0), (SKIPS, 0, 1), (SKIPS, 2, 1)]
)
def test_a_skipped_test_is_a_failed_run(tmp_path: Path, test: str, processes: int, status: int) -> None:
    ended = run_pytest(test, tmp_path, f"-n{processes}", like=ROOT / "tests" / "conftest.py")
    assert ended.returncode == status, ended.stdout


@pytest.mark.parametrize("named", ["", "slow/test_slow.py"])
def test_what_is_slow_runs_where_it_is_named(tmp_path: Path, named: str) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "test_slow.py").write_text("def test_slow(): ...")
    like = ROOT / "tests" / "conftest.py"
    ended = run_pytest("def test_it(): ...", tmp_path, "-n0", "-v", like=like, named=named)
    assert ("1 passed" in ended.stdout, "test_slow PASSED" in ended.stdout) == (True, bool(named)), ended


def run_pytest(
    test: str, folder: Path, *options: str, like: Path, named: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs the test in a folder of its own under that conftest."""
    (folder / "conftest.py").write_text(like.read_text())
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:schemathesis",
            *options,
            str(folder / named),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
