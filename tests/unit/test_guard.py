"""The tests' own rules: no infrastructure in unit tests, nothing skipped, one Kafka of three."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.kafka import single_node_properties
from tests.support.broker import DockerKafka, NamedKafka, OwnKafka, choose_kafka, container_environment

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


@pytest.mark.parametrize(
    ("test", "status"),
    [
        ("def test_it(): ...", 0),
        ("import unittest\ndef test_it(): ...\ndef test_other(): raise unittest.SkipTest", 1),
    ],
)
def test_a_skipped_test_is_a_failed_run(tmp_path: Path, test: str, status: int) -> None:
    assert run_pytest(test, tmp_path, like=ROOT / "tests" / "conftest.py").returncode == status


def run_pytest(test: str, folder: Path, *, like: Path) -> subprocess.CompletedProcess[str]:
    """Runs the test in a folder of its own under that conftest."""
    (folder / "conftest.py").write_text(like.read_text())
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
