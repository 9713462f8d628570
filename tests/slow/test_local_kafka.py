from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer

from app.local.jars import KafkaUnavailableError
from app.local.kafka import LocalKafka, free_port
from tests.support.topics import (
    Record,
    ToSend,
    committed,
    consume_until,
    create_topics,
    end_offsets,
    produce,
    read_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BROKER = [sys.executable, "-c", "from app.local.command import broker; broker()"]


def values(records: list[Record]) -> list[bytes | None]:
    return [one.value for one in records]


def as_many_as(count: int) -> Callable[[list[Record]], bool]:
    return lambda records: len(records) >= count


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.05)


async def test_what_is_produced_is_read_back(kafka: str, unique_prefix: str) -> None:
    topic = f"{unique_prefix}events"
    await create_topics(kafka, topic, partitions=4, config={"cleanup.policy": "compact"})
    sent = [ToSend(f"key-{n}".encode(), f"{n}".encode(), {"x-attempt": b"1"}) for n in range(50)]
    placed = await produce(kafka, topic, [*sent, ToSend(b"key-0", None, partition=3)])
    came = await consume_until(kafka, topic, as_many_as(51))
    assert sorted((one.partition, one.offset) for one in came) == sorted(placed)
    assert {(one.key, one.value) for one in came} == {(one.key, one.value) for one in sent} | {
        (b"key-0", None)
    }
    assert [one.headers for one in came if one.value] == [{"x-attempt": b"1"}] * 50
    assert await read_all(kafka, topic) != []
    assert sum((await end_offsets(kafka, topic)).values()) == 51
    assert await committed(kafka, f"{unique_prefix}group", topic) == {}


async def test_reading_in_vain_fails_and_shows_what_came(kafka: str, unique_prefix: str) -> None:
    topic = f"{unique_prefix}events"
    await create_topics(kafka, topic)
    await produce(kafka, topic, [ToSend(b"k", b"all there is")])
    with pytest.raises(AssertionError, match="all there is"):
        await consume_until(kafka, topic, as_many_as(2), seconds=2)


async def test_a_killed_broker_comes_back_with_its_data_on_its_port() -> None:
    with LocalKafka() as kafka:
        servers = kafka.bootstrap_servers
        await create_topics(servers, "t", partitions=1)
        async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
            await producer.send_and_wait("t", b"before")
            kafka.kill()
            assert not kafka.running
            meanwhile = asyncio.create_task(producer.send_and_wait("t", b"meanwhile"))
            await asyncio.to_thread(kafka.restart)
            assert kafka.bootstrap_servers == servers
            await asyncio.wait_for(meanwhile, 60)
            kafka.restart()
            await producer.send_and_wait("t", b"after")
        assert values(await consume_until(servers, "t", as_many_as(3))) == [b"before", b"meanwhile", b"after"]
    assert not kafka.data_dir.exists()


async def test_a_given_folder_is_kept_and_used_again_by_one_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "zoë's data"
    with LocalKafka(folder) as kafka:
        await create_topics(kafka.bootstrap_servers, "t", partitions=1)
        await produce(kafka.bootstrap_servers, "t", [ToSend(b"k", b"kept")])
        with pytest.raises(
            KafkaUnavailableError, match=r"^Another Kafka works on .*data: choose another folder\.$"
        ):
            LocalKafka(folder).start()
    assert folder.exists()
    with LocalKafka(folder) as again:
        assert values(await consume_until(again.bootstrap_servers, "t", as_many_as(1))) == [b"kept"]


async def test_a_listener_with_passwords_comes_on_top() -> None:
    port = free_port()
    sign_in = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_app="secret";'
    properties = {
        "listeners": f"APP://127.0.0.1:{port}",
        "advertised.listeners": f"APP://127.0.0.1:{port}",
        "listener.security.protocol.map": "APP:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.app.plain.sasl.jaas.config": sign_in,
    }
    with LocalKafka(properties=properties) as kafka:
        await create_topics(kafka.bootstrap_servers, "t", partitions=1)
        async with AIOKafkaProducer(
            bootstrap_servers=f"127.0.0.1:{port}",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_plain_username="app",
            sasl_plain_password="secret",
        ) as producer:
            await producer.send_and_wait("t", b"signed in")
        assert values(await consume_until(kafka.bootstrap_servers, "t", as_many_as(1))) == [b"signed in"]


async def test_a_broker_that_crashed_by_itself_can_be_started_again() -> None:
    with LocalKafka() as kafka:
        await create_topics(kafka.bootstrap_servers, "t", partitions=1)
        os.kill(java_of(os.getpid(), kafka.data_dir), signal.SIGKILL)
        wait_until(lambda: not kafka.running)
        kafka.start()
        await produce(kafka.bootstrap_servers, "t", [ToSend(b"k", b"again")])
        assert values(await consume_until(kafka.bootstrap_servers, "t", as_many_as(1))) == [b"again"]


def test_a_broker_that_does_not_start_shows_its_last_lines(tmp_path: Path) -> None:
    kafka = LocalKafka(tmp_path, properties={"authorizer.class.name": "no.such.Class"})
    with pytest.raises(KafkaUnavailableError, match=r"Kafka did not start: (?s:.*)no\.such\.Class"):
        kafka.start()
    assert not kafka.running


def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KafkaUnavailableError, match=r"^Kafka cannot work on .*file.*$"):
        LocalKafka(tmp_path / "file").start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_in_good_order_and_leaves_nothing(number: signal.Signals) -> None:
    with subprocess.Popen(BROKER, stdout=subprocess.PIPE, text=True) as command:
        port, folder = said(command)
        assert listens(port)
        command.send_signal(number)
    assert command.returncode == 0
    assert not listens(port)
    assert not folder.exists()


def test_the_command_tells_why_there_is_no_kafka() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*BROKER, "--port", port], capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert ended.stderr == f"Error: Port {port} on 127.0.0.1 is in use: choose another, or none.\n"


def test_no_broker_outlives_a_command_that_was_killed() -> None:
    with subprocess.Popen(BROKER, stdout=subprocess.PIPE, text=True) as command:
        port, folder = said(command)
        command.kill()
    wait_until(lambda: not listens(port))
    wait_until(lambda: not folder.exists())


def test_the_command_says_when_its_broker_dies(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*BROKER, "--data-dir", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        said(command)
        os.kill(java_of(command.pid, tmp_path), signal.SIGKILL)
        assert command.stderr
        assert "ended by itself" in command.stderr.read()
    assert command.returncode == 3


def said(command: subprocess.Popen[str]) -> tuple[int, Path]:
    """The port and the folder that the command prints once Kafka answers."""
    assert command.stdout
    line = command.stdout.readline()
    address, _, folder = line.removeprefix("Kafka on ").strip().partition(", data in ")
    return int(address.rpartition(":")[2]), Path(folder)


def java_of(parent: int, folder: Path) -> int:
    """The number of the broker's process that the parent started on the folder."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    started = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return next(int(pid) for pid, of, what in started if int(of) == parent and str(folder) in what)
