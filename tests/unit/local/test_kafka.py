from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app.local.jars import KafkaUnavailableError
from app.local.kafka import LocalKafka, as_properties_file, free_port, server_properties


def settings(**properties: str) -> dict[str, str]:
    named = {name.replace("_", "."): value for name, value in properties.items()}
    return server_properties(log_dir=Path("/data/log"), port=20001, controller_port=20002, properties=named)


def test_the_node_listens_on_loopback_only() -> None:
    assert settings()["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert settings()["advertised.listeners"] == "PLAINTEXT://127.0.0.1:20001"


def test_the_callers_properties_win() -> None:
    assert settings(message_max_bytes="5", auto_create_topics_enable="true").items() >= {
        ("message.max.bytes", "5"),
        ("auto.create.topics.enable", "true"),
    }


def test_the_callers_listeners_come_on_top_of_ours() -> None:
    with_tls = settings(
        listeners="TLS://127.0.0.1:20003",
        advertised_listeners="TLS://127.0.0.1:20003",
        listener_security_protocol_map="TLS:SSL",
    )
    assert with_tls["listeners"].split(",") == [
        "PLAINTEXT://127.0.0.1:20001",
        "CONTROLLER://127.0.0.1:20002",
        "TLS://127.0.0.1:20003",
    ]
    assert with_tls["advertised.listeners"] == "PLAINTEXT://127.0.0.1:20001,TLS://127.0.0.1:20003"
    assert with_tls["listener.security.protocol.map"] == "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("C:\\data", "C:\\\\data"),
        ("-----BEGIN\nKEY-----", "-----BEGIN\\nKEY-----"),
        ("/home/zoé", "/home/zo\\u00e9"),
        ("/home/😀", "/home/\\ud83d\\ude00"),
    ],
)
def test_values_are_written_as_java_reads_them(value: str, written: str) -> None:
    assert as_properties_file({"name": value}) == f"name={written}\n"


def test_free_ports_are_outside_those_of_outgoing_connections() -> None:
    assert all(20_000 <= free_port() < 32_768 for _ in range(50))


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KafkaUnavailableError, match=rf"^Port {port} on 127\.0\.0\.1 is in use.*$"):
            LocalKafka(tmp_path / "data", port).start()
    assert not (tmp_path / "data").exists()


def test_making_one_touches_nothing() -> None:
    kafka = LocalKafka()
    assert not kafka.data_dir.exists()
    assert not kafka.running
    kafka.stop()
    kafka.kill()
